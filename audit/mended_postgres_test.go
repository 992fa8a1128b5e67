package audit_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

const (
	twice    = "INSERT INTO user_groups (user_id, group_id) VALUES (1, 1), (1, 1)"
	anywhere = "CREATE TABLE user_groups (id serial PRIMARY KEY, " + pair + ")"
)

// another is a second schema, for as long as a test runs.
func another(t *testing.T, db *sql.DB) string {
	other := schemaOf(t, db) + "_other"
	audittest.Execute(t, db, "CREATE SCHEMA "+other)
	t.Cleanup(func() {
		_, err := pgtest.Admin(t).Exec("DROP SCHEMA " + other + " CASCADE")
		require.NoError(t, err)
	})
	return other
}

// What is deleted with a row, the audit can't know, nor take back.
func TestTriggersAndRules(t *testing.T) {
	const function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END'"
	for name, tc := range map[string]struct {
		made   []string
		refuse string
	}{
		"after":             {[]string{anywhere, function, "CREATE TRIGGER more AFTER DELETE ON user_groups FOR EACH ROW EXECUTE FUNCTION f()"}, "more runs"},
		"before, or update": {[]string{anywhere, function, "CREATE TRIGGER more BEFORE UPDATE OR DELETE ON user_groups FOR EACH ROW EXECUTE FUNCTION f()"}, "more runs"},
		"a statement's":     {[]string{anywhere, function, "CREATE TRIGGER more AFTER DELETE ON user_groups EXECUTE FUNCTION f()"}, "more runs"},
		"a rule":            {[]string{anywhere, "CREATE RULE gone AS ON DELETE TO user_groups DO ALSO NOTIFY gone"}, "gone runs"},
		"a partition's": {[]string{"CREATE TABLE user_groups (" + pair + ") PARTITION BY HASH (user_id)", "CREATE TABLE ug0 PARTITION OF user_groups FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
			function, "CREATE TRIGGER more AFTER DELETE ON ug0 FOR EACH ROW EXECUTE FUNCTION f()"}, "more runs"},
		"an insert's":   {[]string{anywhere, function, "CREATE TRIGGER more AFTER INSERT OR UPDATE ON user_groups FOR EACH ROW EXECUTE FUNCTION f()"}, ""},
		"one disabled":  {[]string{anywhere, function, "CREATE TRIGGER more AFTER DELETE ON user_groups FOR EACH ROW EXECUTE FUNCTION f()", "ALTER TABLE user_groups DISABLE TRIGGER more"}, ""},
		"a foreign key": {[]string{anywhere, "CREATE TABLE seats (link_id integer REFERENCES user_groups)"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			db := made(t, append(tc.made, twice, reverse)...)
			report := look(t, db, audit.Options{Tables: []string{"user_groups"}})
			require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
			if tc.refuse == "" {
				require.NotEmpty(t, report.Findings[0].Fix)
				return
			}
			require.Contains(t, report.Findings[0].Story, tc.refuse)
			require.Empty(t, report.Findings[0].Fix)
			require.Empty(t, report.Findings[1].Fix)
		})
	}
}

// Rows that refer to those of a partition are lost with them as others are.
func TestReferencesToAPartition(t *testing.T) {
	const table = "CREATE TABLE user_groups (id integer NOT NULL, " + pair + ") PARTITION BY HASH (user_id)"
	db := made(t, table, "CREATE TABLE ug0 PARTITION OF user_groups (PRIMARY KEY (id)) FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
		"CREATE TABLE seats (link_id integer REFERENCES ug0 ON DELETE CASCADE)", reverse, "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO seats VALUES (2)")
	report := look(t, db, audit.Options{Tables: []string{"user_groups"}})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
	require.Contains(t, report.Findings[0].Story, "seats refer to this table's ON DELETE CASCADE")
	require.Empty(t, report.Findings[0].Fix)
	require.Empty(t, report.Findings[1].Fix)

	audittest.Execute(t, db, "DROP TABLE seats", "CREATE TABLE seats (link_id integer REFERENCES ug0)", "INSERT INTO seats VALUES (1)")
	report = look(t, db, audit.Options{Tables: []string{"user_groups"}})
	require.Contains(t, report.Findings[0].Fix[1].Why, "seats refers to one")
	require.NoError(t, execute(db, report.Findings[0].Fix))
}

// ON DELETE goes past policies, and who looks for what refers to a row does not.
func TestPoliciesOfWhatRefers(t *testing.T) {
	db := made(t, anywhere, twice, reverse, "CREATE TABLE seats (link_id integer REFERENCES user_groups ON DELETE CASCADE, tenant integer)", "INSERT INTO seats VALUES (2, 7)",
		"ALTER TABLE seats ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON seats USING (tenant = 1)")
	asRole(t, db, "ALL ON ALL TABLES IN SCHEMA "+schemaOf(t, db), "CREATE, USAGE ON SCHEMA "+schemaOf(t, db))
	report := look(t, db, audit.Options{Tables: []string{"user_groups"}})
	require.Equal(t, audit.DuplicatePairs, report.Findings[0].Rule)
	require.ErrorContains(t, execute(db, report.Findings[0].Fix), "row-level security policy")
	audittest.Execute(t, db, "RESET ROLE", "RESET row_security")
	var seats int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM seats").Scan(&seats))
	require.Equal(t, 1, seats)
}

// Who applies a fix may work in another schema.
func TestFixOfAnotherSearchPath(t *testing.T) {
	const late = "deleted_at timestamp, kind mood NOT NULL DEFAULT 'a'"
	db := made(t, "CREATE TYPE mood AS ENUM ('a', 'b')", "CREATE TABLE user_groups (user_id integer, group_id integer NOT NULL, "+late+")",
		"ALTER TABLE user_groups ADD CONSTRAINT g FOREIGN KEY (group_id) REFERENCES groups NOT VALID",
		"CREATE UNIQUE INDEX p ON user_groups (user_id, group_id) WHERE kind = 'a'",
		"INSERT INTO user_groups VALUES (1, 1), (NULL, 1)", "INSERT INTO user_groups VALUES (2, 1, NULL, 'b')")
	before, home, other := state(t, db), schemaOf(t, db), another(t, db)
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"no-foreign-key user_id", "partial-unique-key user_id,group_id", "no-foreign-key group_id", "no-reverse-index group_id"}, audittest.Rules(report))
	for _, f := range report.Findings {
		require.Equal(t, "user_groups", f.Table)
	}
	audittest.Execute(t, db, "SET search_path = "+other, "CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
		"CREATE TABLE user_groups (user_id integer, group_id integer, deleted_at timestamp)", "INSERT INTO user_groups VALUES (1, 1), (1, 1), (99, 99)")
	untouched := state(t, db)
	var undo []audit.Statement
	for _, f := range report.Findings {
		require.NoError(t, execute(db, f.Fix), f.Rule)
		undo = append(f.Undo[:len(f.Undo):len(f.Undo)], undo...)
	}
	require.Equal(t, untouched, state(t, db))
	audittest.Execute(t, db, "SET search_path = "+home)
	require.NotEqual(t, before, state(t, db))
	audittest.Execute(t, db, "SET search_path = "+other)
	require.NoError(t, execute(db, undo))
	require.Equal(t, untouched, state(t, db))
	audittest.Execute(t, db, "SET search_path = "+home)
	require.Equal(t, before, state(t, db))
}

// What depends on a key, or on a column's type, keeps it from being dropped or changed.
func TestWhatDependsOnIt(t *testing.T) {
	const softly = "CREATE TABLE user_groups (" + pair + ", deleted_at timestamp, PRIMARY KEY (user_id, group_id))"
	db := made(t, softly, reverse, "CREATE VIEW newest AS SELECT user_id, group_id, deleted_at FROM user_groups GROUP BY user_id, group_id")
	refused(t, db, audit.SoftDeleteFullKey, "view "+schemaOf(t, db)+".newest")

	// What is not done no other fix counts on.
	db = made(t, softly, "CREATE INDEX ON user_groups (user_id)", "CREATE VIEW newest AS SELECT user_id, group_id, deleted_at FROM user_groups GROUP BY user_id, group_id")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"soft-delete-full-key user_id,group_id", "no-reverse-index group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.NotEmpty(t, report.Findings[1].Fix)

	db = made(t, softly, reverse)
	other := another(t, db)
	audittest.Execute(t, db, "CREATE TABLE "+other+".seats (u integer, g integer, CONSTRAINT seat FOREIGN KEY (u, g) REFERENCES user_groups)")
	refused(t, db, audit.SoftDeleteFullKey, "a foreign key of "+other+".seats refers to")

	db = made(t, "CREATE TABLE user_groups (user_id text NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))", reverse)
	require.NotEmpty(t, look(t, db, audit.Options{}).Findings[0].Fix)
	for _, tc := range [][3]string{
		{"CREATE VIEW used AS SELECT user_id FROM user_groups", "view " + schemaOf(t, db) + ".used", "DROP VIEW used"},
		{"CREATE POLICY few ON user_groups USING (user_id <> '')", "policy few on table", "DROP POLICY few ON user_groups"},
		{"ALTER TABLE user_groups ADD twice text GENERATED ALWAYS AS (user_id || user_id) STORED", "column twice", "ALTER TABLE user_groups DROP twice"},
		{"ALTER TABLE user_groups ALTER user_id SET DEFAULT '0'", "default value for column user_id", "ALTER TABLE user_groups ALTER user_id DROP DEFAULT"},
		{"ALTER TABLE user_groups ADD CONSTRAINT filled CHECK (user_id <> '')", "constraint filled", "ALTER TABLE user_groups DROP CONSTRAINT filled"},
		{"CREATE INDEX filled ON user_groups (group_id) WHERE user_id <> ''", "index filled", "DROP INDEX filled"},
		{"CREATE INDEX lowered ON user_groups (lower(user_id))", "index lowered", "DROP INDEX lowered"},
		{"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER filled BEFORE INSERT ON user_groups FOR EACH ROW WHEN (new.user_id <> '') EXECUTE FUNCTION f()",
			"trigger filled", "DROP TRIGGER filled ON user_groups"},
	} {
		audittest.Execute(t, db, tc[0])
		refused(t, db, audit.KeyTypesDiffer, tc[1])
		audittest.Execute(t, db, tc[2])
	}
	for _, f := range look(t, db, audit.Options{}).Findings {
		require.NoError(t, execute(db, f.Fix), f.Rule)
	}
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
}

// refused: the finding has no fix, and says because of what.
func refused(t *testing.T, db *sql.DB, rule audit.Rule, why string) {
	t.Helper()
	f := look(t, db, audit.Options{Tables: []string{"user_groups"}}).Findings[0]
	require.Equal(t, rule, f.Rule)
	require.Contains(t, f.Story, why)
	require.Empty(t, f.Fix)
}

// Of what is published, and by which nobody can tell a row, PostgreSQL deletes none.
func TestPublishedWithoutIdentity(t *testing.T) {
	for _, what := range []string{"FOR TABLE user_groups", "FOR TABLES IN SCHEMA CURRENT_SCHEMA"} {
		db := made(t, "CREATE TABLE user_groups ("+pair+")", twice, reverse)
		name := "p_" + schemaOf(t, db)
		audittest.Execute(t, db, "CREATE PUBLICATION "+name+" "+what)
		t.Cleanup(func() {
			_, err := pgtest.Admin(t).Exec("DROP PUBLICATION " + name)
			require.NoError(t, err)
		})
		report := look(t, db, audit.Options{})
		refused(t, db, audit.DuplicatePairs, "no replica identity")
		require.Equal(t, audit.NoUniqueKey, report.Findings[1].Rule)
		require.Empty(t, report.Findings[1].Fix, "for it would fail")
		audittest.Execute(t, db, "ALTER TABLE user_groups REPLICA IDENTITY FULL")
		audittest.RoundTrip(t, db, "postgres", audit.Options{}, audittest.Rules(report), []int64{1, 2})
		audittest.Execute(t, db, "DROP TABLE user_groups", "CREATE TABLE user_groups ("+pair+", deleted_at timestamp, PRIMARY KEY (user_id, group_id))", reverse)
		if what == "FOR TABLE user_groups" {
			audittest.Execute(t, db, "ALTER PUBLICATION "+name+" ADD TABLE user_groups")
		}
		refused(t, db, audit.SoftDeleteFullKey, "another REPLICA IDENTITY first")
	}
}

// A bit is a flag of which 0 is written otherwise; a point is none.
func TestFlagsOfOtherTypes(t *testing.T) {
	for _, typ := range []string{"bit(1) NOT NULL DEFAULT B'0'", "bit(1)"} {
		db := made(t, "CREATE TABLE user_groups (id serial PRIMARY KEY, "+pair+", is_deleted "+typ+")", "INSERT INTO user_groups (user_id, group_id, is_deleted) VALUES (1, 1, B'1'), (1, 1, B'0'), (1, 1, B'0')", reverse)
		audittest.RoundTrip(t, db, "postgres", audit.Options{}, []string{"duplicate-pairs user_id,group_id", "soft-delete-no-key user_id,group_id"}, []int64{1, 3})
	}
	for _, typ := range []string{"bit varying(3) NOT NULL DEFAULT ''", "interval NOT NULL DEFAULT '0'", "int4range NOT NULL DEFAULT '(0,1)'", "point NOT NULL DEFAULT '(0,0)'"} {
		db := made(t, "CREATE TABLE user_groups ("+pair+", is_deleted "+typ+")", twice, reverse)
		report := look(t, db, audit.Options{})
		require.Empty(t, report.Unseen, typ)
		require.Equal(t, []string{"soft-delete-no-key user_id,group_id"}, audittest.Rules(report))
		require.Contains(t, report.Findings[0].Story, "can't be told from the type")
	}
}

// Of two collations PostgreSQL takes neither by itself.
func TestCollations(t *testing.T) {
	for name, tc := range map[string][2]string{"two": {`COLLATE "C"`, `COLLATE "en-x-icu"`}, "one, of the links": {"", `COLLATE "C"`}, "one, of the end": {`COLLATE "C"`, ""}} {
		t.Run(name, func(t *testing.T) {
			db := made(t, "CREATE TABLE people (id text "+tc[0]+" PRIMARY KEY)", "INSERT INTO people VALUES ('a'), ('b')",
				"CREATE TABLE group_people (person_id varchar(9) "+tc[1]+" NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (person_id, group_id))", "CREATE INDEX ON group_people (group_id)",
				"INSERT INTO group_people VALUES ('a', 1), ('b', 1), ('c', 1)")
			audittest.RoundTrip(t, db, "postgres", audit.Options{}, []string{"dangling-links person_id", "no-foreign-key person_id"}, []int64{1, 3})
		})
	}
}

// A foreign key between collations of which one takes different texts for equal PostgreSQL
// refuses from 18 on, and before that it takes the end's.
func TestForeignKeyOfLooseCollations(t *testing.T) {
	db := made(t, "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		"CREATE TABLE people (id text COLLATE loose PRIMARY KEY)", "INSERT INTO people VALUES ('a')",
		`CREATE TABLE group_people (person_id text COLLATE "C" NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (person_id, group_id))`, "CREATE INDEX ON group_people (group_id)",
		"INSERT INTO group_people VALUES ('A', 1)")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"no-foreign-key person_id"}, audittest.Rules(report), "A is a, for the end")
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "takes different texts for equal")
}

// One table that is locked keeps nobody from the others, also where it has an index that the
// What a key has beside its columns it keeps.
func TestDeferrableKeyThatIncludes(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+", note text, CONSTRAINT k UNIQUE NULLS NOT DISTINCT (user_id, group_id) INCLUDE (note) DEFERRABLE)", reverse)
	require.NoError(t, execute(db, look(t, db, audit.Options{}).Findings[0].Fix))
	var definition string
	require.NoError(t, db.QueryRow("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'k' AND connamespace = current_schema()::regnamespace").Scan(&definition))
	require.Equal(t, "UNIQUE NULLS NOT DISTINCT (user_id, group_id) INCLUDE (note)", definition)
}
