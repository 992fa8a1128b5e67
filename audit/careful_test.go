package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// A migration's transaction can't alter a table of which something is checked at COMMIT
// only, before it was.
func TestDeferredForeignKeys(t *testing.T) {
	const late = " DEFERRABLE INITIALLY DEFERRED"
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer REFERENCES users"+late+", group_id integer)",
		"CREATE TABLE seats (number integer PRIMARY KEY, link_id integer REFERENCES user_groups"+late+")",
		"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, NULL, 1), (4, 2, 99), (5, 3, 1)", "INSERT INTO seats VALUES (1, 1)",
		"ALTER TABLE user_groups ADD CONSTRAINT g FOREIGN KEY (group_id) REFERENCES groups"+late+" NOT VALID")
	audittest.InTransactions(t, db, "postgres", audit.Options{},
		[]string{"dangling-links group_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key group_id", "no-reverse-index group_id"}, []int64{1, 1, 5, 5, 5}, "nullable-unique-key user_id,group_id")

	// The new foreign key is checked when the other is, for an app that writes in any order.
	db = made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users"+late+", group_id integer NOT NULL, PRIMARY KEY (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)")
	report := look(t, db, audit.Options{})
	require.Contains(t, report.Findings[0].Fix[0].SQL, `("id")`+late+" NOT VALID")
	audittest.InTransactions(t, db, "postgres", audit.Options{}, []string{"no-foreign-key group_id"}, []int64{0})
}

// Tables that inherit are no part of what a key covers, and part of what a DELETE means.
func TestInheritance(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))",
		"CREATE INDEX ON user_groups (group_id)", "CREATE TABLE old_memberships () INHERITS (user_groups)",
		"INSERT INTO user_groups VALUES (1, 1, 1)", "INSERT INTO old_memberships VALUES (1, 2, 2), (2, 1, 1)")
	report := look(t, db, audit.Options{Tables: []string{"user_groups"}})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "partial-unique-key user_id,group_id"}, audittest.Rules(report))
	for _, f := range report.Findings {
		require.Empty(t, f.Fix)
		require.Contains(t, f.Story, "tables inherit from this one")
	}
}

// A row that a policy hides is no row that is not there.
func TestPolicies(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)",
		"INSERT INTO user_groups VALUES (1, 1), (2, 2), (11, 3)", "ALTER TABLE users ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON users USING (id = 1)")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"dangling-links user_id", "no-foreign-key user_id"}, audittest.Rules(report))
	asRole(t, db, "ALL ON ALL TABLES IN SCHEMA "+schemaOf(t, db), "CREATE, USAGE ON SCHEMA "+schemaOf(t, db))
	var err error
	for _, s := range report.Findings[0].Fix {
		if _, err = db.Exec(s.SQL); err != nil {
			break
		}
	}
	require.ErrorContains(t, err, "row-level security policy")
	audittest.Execute(t, db, "RESET ROLE", "RESET row_security", `DROP TABLE "m2msafe_removed_user_groups"`)
	audittest.RoundTrip(t, db, "postgres", audit.Options{}, []string{"dangling-links user_id", "no-foreign-key user_id"}, []int64{1, 3})
}

// Tables of other schemas are not read, and their rows are lost all the same.
func TestReferencesFromElsewhere(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)", "CREATE INDEX ON user_groups (group_id)",
		"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)")
	other := schemaOf(t, db) + "_other"
	audittest.Execute(t, db, "CREATE SCHEMA "+other, "CREATE TABLE "+other+".seats (id integer PRIMARY KEY, link_id integer REFERENCES user_groups ON DELETE CASCADE)")
	t.Cleanup(func() {
		_, err := pgtest.Admin(t).Exec("DROP SCHEMA " + other + " CASCADE")
		require.NoError(t, err)
	})
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "Rows of "+other+".seats refer to this table's ON DELETE CASCADE")
}

// Keys are compared as a cast would compare them, where types differ.
func TestKeysOfOtherTypes(t *testing.T) {
	const uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	for name, tc := range map[string]struct{ key, column, insert string }{
		"a text of a number": {"integer", "text", "VALUES (1), (2)|VALUES ('01', 1), (' 1', 2), ('+2', 1), ('x', 1)"},
		"a numeric":          {"integer", "numeric(9,2)", "VALUES (1), (2)|VALUES (1.00, 1), (2, 1), (1.5, 1)"},
		"a key that is one":  {"numeric(9,2)", "integer", "VALUES (1.00), (2)|VALUES (1, 1), (2, 1), (3, 1)"},
		"a text of a UUID":   {"uuid", "text", "VALUES ('" + uuid + "'), ('00000000-0000-0000-0000-000000000001')|VALUES ('" + strings.ToUpper(uuid) + "', 1), ('{" + uuid + "}', 2), ('" + strings.ReplaceAll(uuid, "-", "") + "', 3), ('x', 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			people, links, _ := strings.Cut(tc.insert, "|")
			db := made(t, "CREATE TABLE people (id "+tc.key+" PRIMARY KEY)", "INSERT INTO people "+people,
				"CREATE TABLE group_people (person_id "+tc.column+" NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (person_id, group_id))", "CREATE INDEX ON group_people (group_id)",
				"INSERT INTO group_people "+links)
			report := look(t, db, audit.Options{})
			require.Equal(t, "dangling-links person_id", audittest.Rules(report)[0])
			require.EqualValues(t, 1, report.Findings[0].Rows)
			for _, f := range report.Findings {
				for _, s := range f.Fix {
					audittest.Execute(t, db, s.SQL)
				}
			}
			require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
		})
	}
}

// A column of a table that has an id and a UUID refers to what it is called after.
func TestEndThatHasTwoKeys(t *testing.T) {
	db := made(t, "ALTER TABLE users ADD uuid uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE", "CREATE TABLE user_groups (user_uuid uuid NOT NULL, group_id integer NOT NULL, PRIMARY KEY (user_uuid, group_id))",
		"INSERT INTO user_groups SELECT uuid, id FROM users")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"user_groups GORM user_uuid>users.uuid group_id>groups.id"}, audittest.Tables(report))
	require.Equal(t, []string{"no-foreign-key user_uuid", "no-foreign-key group_id", "no-reverse-index group_id"}, audittest.Rules(report))
}

// What policies hide in a table they would not in the one that keeps its rows.
func TestKeptRowsAreNotShown(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+")", reverse, "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)", "ALTER TABLE user_groups ENABLE ROW LEVEL SECURITY")
	schema := schemaOf(t, db)
	role := "anon_" + schema
	audittest.Execute(t, db, "CREATE ROLE "+role, "GRANT USAGE ON SCHEMA "+schema+" TO "+role, "ALTER DEFAULT PRIVILEGES IN SCHEMA "+schema+" GRANT ALL ON TABLES TO "+role)
	t.Cleanup(func() {
		_, err := pgtest.Admin(t).Exec("DROP OWNED BY " + role + "; DROP ROLE " + role)
		require.NoError(t, err)
	})
	for _, f := range look(t, db, audit.Options{Tables: []string{"user_groups"}}).Findings {
		require.NoError(t, execute(db, f.Fix))
	}
	var all, shown int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM m2msafe_removed_user_groups").Scan(&all))
	require.Equal(t, 1, all)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "SET ROLE "+role)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM m2msafe_removed_user_groups").Scan(&shown))
	require.Zero(t, shown)
	_, err = conn.ExecContext(t.Context(), "RESET ROLE")
	require.NoError(t, err)
}
