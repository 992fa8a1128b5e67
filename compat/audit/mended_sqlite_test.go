package audit_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "github.com/glebarez/go-sqlite" // as "sqlite"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

// nullable is a join table of which a fix makes the columns NOT NULL, and no more.
var nullable = []string{
	users, groups, "INSERT INTO users VALUES (1), (2)", "INSERT INTO groups VALUES (1), (2)",
	"CREATE TABLE user_groups (user_id integer REFERENCES users, group_id integer REFERENCES groups, UNIQUE (user_id, group_id))",
	"CREATE INDEX by_group ON user_groups (group_id)", "INSERT INTO user_groups VALUES (1, 1), (2, 1)",
	"CREATE TABLE seats (user_id integer, group_id integer, FOREIGN KEY (user_id, group_id) REFERENCES user_groups (user_id, group_id) ON DELETE CASCADE)", "INSERT INTO seats VALUES (1, 1)",
}

// What others do between the audit and its fix, or a transaction around that, has it fail,
// and nothing is done, whether the client stops or goes on.
func TestNothingIsDoneWhere(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile     string
		before, after []string
		says          string
	}{
		"a row with NULL has come":   {meanwhile: "INSERT INTO user_groups VALUES (1, NULL)", says: "NOT NULL constraint failed: user_groups.group_id"},
		"a column has come":          {meanwhile: "ALTER TABLE user_groups ADD COLUMN note text", says: "columns, indexes or triggers that were not there: audit again"},
		"an index has come":          {meanwhile: "CREATE INDEX late ON USER_GROUPS (user_id)", says: "indexes or triggers that were not there: audit again"},
		"a column has gone":          {meanwhile: "ALTER TABLE user_groups RENAME COLUMN group_id TO team_id", says: "no such column: o.group_id"},
		"a transaction is around it": {before: []string{"BEGIN"}, after: []string{"COMMIT"}, says: "foreign keys are on, as they stay in a transaction: end that first"},
	} {
		t.Run(name, func(t *testing.T) {
			path, db := file(t, nullable...)
			report := audittest.Run(t, db, "sqlite", audit.Options{})
			require.Equal(t, []string{"nullable-unique-key user_id,group_id"}, audittest.Rules(report))
			if tc.meanwhile != "" {
				audittest.Execute(t, db, tc.meanwhile)
			}
			before := content(t, db)
			for _, flags := range [][]string{{"-bail"}, nil} {
				out, err := shell(t, path, slices.Concat(tc.before, fixOf(report.Findings), tc.after), flags...)
				require.Error(t, err)
				require.Contains(t, out, tc.says)
				require.Equal(t, before, content(t, db), out)
			}
		})
	}
}

// Another writes while a fix is applied: its first write waits for that one, or fails.
func TestBusySQLite(t *testing.T) {
	path, db := file(t, nullable...)
	fix := fixOf(audittest.Run(t, db, "sqlite", audit.Options{}).Findings)
	before := content(t, db)
	audittest.Execute(t, db, "BEGIN IMMEDIATE")
	out, err := shell(t, path, fix)
	require.Error(t, err)
	require.Contains(t, out, "database is locked")
	audittest.Execute(t, db, "COMMIT")
	require.Equal(t, before, content(t, db), out)

	audittest.Execute(t, db, "BEGIN IMMEDIATE", "INSERT INTO user_groups VALUES (2, 2)")
	timer := time.AfterFunc(300*time.Millisecond, func() { _, _ = db.Exec("COMMIT") })
	defer timer.Stop()
	out, err = shell(t, path, fix, "-bail", "-cmd", ".timeout 30000")
	require.NoError(t, err, out)
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))
	require.Len(t, stored(t, db, "user_groups"), 3)
}

// A table of an earlier fix that is still there is left as it is.
func TestWhatEarlierFixesLeft(t *testing.T) {
	left := []string{"CREATE TABLE m2msafe_old_user_groups (n integer)", "INSERT INTO m2msafe_old_user_groups VALUES (7)"}
	path, db := file(t, slices.Concat(nullable, left)...)
	out, err := shell(t, path, fixOf(audittest.Run(t, db, "sqlite", audit.Options{}).Findings), "-bail")
	require.NoError(t, err, out)
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))
	require.Equal(t, []string{"m2msafe_old_user_groups: 7"}, stored(t, db, "m2msafe_old_user_groups"))

	// A removal that is run again removes no row that is not kept.
	path, db = file(t, users, groups, "INSERT INTO users VALUES (1), (2)", "INSERT INTO groups VALUES (1)",
		"CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, created_by text)", "CREATE INDEX by_group ON user_groups (group_id)",
		"INSERT INTO user_groups VALUES (1, 1, 'a'), (1, 1, 'b')")
	f := audittest.Run(t, db, "sqlite", audit.Options{}).Findings[0]
	require.Equal(t, audit.DuplicatePairs, f.Rule)
	out, err = shell(t, path, script(f.Fix), "-bail")
	require.NoError(t, err, out)
	audittest.Execute(t, db, "INSERT INTO user_groups VALUES (2, 1, 'c')") // takes the row's number
	out, err = shell(t, path, script(f.Fix))
	require.Error(t, err)
	require.Contains(t, out, "already exists")
	require.Equal(t, []string{"a", "b", "c"}, notes(t, db))

	// Kept rows that can't come back are kept on.
	audittest.Execute(t, db, "CREATE UNIQUE INDEX uq ON user_groups (user_id, group_id)")
	out, err = shell(t, path, script(f.Undo))
	require.Error(t, err)
	require.Contains(t, out, "UNIQUE constraint failed")
	require.Equal(t, []string{"a", "b", "c"}, notes(t, db))
	require.Len(t, stored(t, db, "m2msafe_removed_user_groups"), 1)
}

// Nor do rows that come back take others' places, though the table's own constraint would
// have it so.
func TestRowsThatComeBack(t *testing.T) {
	path, db := file(t, users, groups, "INSERT INTO users VALUES (1), (2)", "INSERT INTO groups VALUES (1)",
		"CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, created_by text UNIQUE ON CONFLICT REPLACE)", "CREATE INDEX by_group ON user_groups (group_id)",
		"INSERT INTO user_groups VALUES (1, 1, 'a'), (1, 1, 'b')")
	f := audittest.Run(t, db, "sqlite", audit.Options{}).Findings[0]
	require.Equal(t, audit.DuplicatePairs, f.Rule)
	audittest.Execute(t, db, script(f.Fix)...)
	audittest.Execute(t, db, "INSERT INTO user_groups VALUES (2, 1, 'b')")
	before := content(t, db)
	for _, flags := range [][]string{nil, {"-bail"}} {
		out, err := shell(t, path, script(f.Undo), flags...)
		require.Error(t, err)
		require.Contains(t, out, "UNIQUE constraint failed")
		require.Equal(t, before, content(t, db), out)
	}
}

// A rename follows a table's name in its own CHECK and WHERE, if it follows it everywhere.
func TestTablesThatNameThemselves(t *testing.T) {
	made := []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer, group_id integer CHECK (User_Groups.group_id > 0), UNIQUE (user_id, group_id))",
		"CREATE INDEX some ON user_groups (group_id) WHERE \"user_groups\".user_id > 0", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 2, 2)",
		"CREATE VIEW others AS SELECT id FROM users", "CREATE TABLE log (n integer)", "CREATE TRIGGER logs AFTER UPDATE ON user_groups BEGIN INSERT INTO log SELECT count(*) FROM user_groups; END"}
	db := onSQLite(t, made...)
	before := content(t, db)
	audittest.RoundTrip(t, db, "sqlite", audit.Options{}, []string{"no-foreign-key user_id", "no-foreign-key group_id", "nullable-unique-key user_id,group_id", "no-reverse-index group_id"}, []int64{2, 2, 0, 2})
	require.Equal(t, before, content(t, db))

	for _, more := range []string{
		"CREATE VIEW more AS SELECT 1 FROM user_groups", "CREATE TABLE more (n integer REFERENCES user_groups)",
		"CREATE TRIGGER more AFTER INSERT ON users BEGIN DELETE FROM user_groups; END", "CREATE TRIGGER more INSTEAD OF INSERT ON others BEGIN DELETE FROM user_groups; END",
	} {
		db := onSQLite(t, append(slices.Clone(made), more)...)
		f := audittest.Run(t, db, "sqlite", audit.Options{}).Findings[0]
		require.Empty(t, f.Fix, more)
		require.Contains(t, f.Story, "would follow the old one", more)
	}
}

// A row that would point at nothing stops the step that makes the table anew, as long as
// it did not before.
func TestRowsThatWouldPointAtNothing(t *testing.T) {
	made := slices.Concat(nullable, []string{"CREATE TABLE third (id integer PRIMARY KEY)", "ALTER TABLE user_groups ADD COLUMN third_id integer REFERENCES third", "PRAGMA foreign_keys = off", "UPDATE user_groups SET third_id = 9", "PRAGMA foreign_keys = on"})
	path, db := file(t, made...)
	out, err := shell(t, path, fixOf(audittest.Run(t, db, "sqlite", audit.Options{}).Findings), "-bail")
	require.NoError(t, err, out)

	path, db = file(t, users, groups, "INSERT INTO users VALUES (1)", "INSERT INTO groups VALUES (1)",
		"CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL, UNIQUE (user_id, group_id))", "CREATE INDEX by_group ON user_groups (group_id)", "INSERT INTO user_groups VALUES (1, 1)")
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	require.Equal(t, []string{"no-foreign-key group_id"}, audittest.Rules(report))
	audittest.Execute(t, db, "INSERT INTO user_groups VALUES (1, 9)")
	before := content(t, db)
	for _, flags := range [][]string{nil, {"-bail"}} {
		out, err = shell(t, path, fixOf(report.Findings), flags...)
		require.Error(t, err)
		require.Contains(t, out, "rows would point at nothing")
		require.Equal(t, before, content(t, db), out)
	}
}

// No key can be checked that refers to columns without a unique one.
func TestForeignKeyToNoKey(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE odd (n integer)", "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL, n integer REFERENCES odd (n), UNIQUE (user_id, group_id))",
		"CREATE INDEX by_group ON user_groups (group_id)")
	audittest.RoundTrip(t, db, "sqlite", audit.Options{}, []string{"no-foreign-key group_id"}, []int64{0})
}

func TestNumbersForTexts(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE tags (id TEXT PRIMARY KEY)", "INSERT INTO tags VALUES ('007'), ('1')",
		"CREATE TABLE user_tags (user_id integer NOT NULL REFERENCES users, tag_id integer NOT NULL REFERENCES tags, PRIMARY KEY (user_id, tag_id))", "CREATE INDEX by_tag ON user_tags (tag_id)",
		"INSERT INTO user_tags VALUES (1, 1)")
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	require.Equal(t, []string{"key-types-differ tag_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "one number and two texts")

	db = onSQLite(t, "CREATE TABLE tags (id TEXT PRIMARY KEY)", "INSERT INTO tags VALUES ('007')",
		"CREATE TABLE user_tags (user_id integer NOT NULL REFERENCES users, tag_id integer NOT NULL, PRIMARY KEY (user_id, tag_id))", "CREATE INDEX by_tag ON user_tags (tag_id)",
		"INSERT INTO user_tags VALUES (1, 7)")
	report = audittest.Run(t, db, "sqlite", audit.Options{})
	require.Equal(t, []string{"key-types-differ tag_id", "no-foreign-key tag_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[1].Fix)
	require.Contains(t, report.Findings[1].Story, "'7' and not '007'")
}

func TestCollationsSQLite(t *testing.T) {
	for name, tc := range map[string]struct{ tag, link, says string }{
		"the link's": {"TEXT PRIMARY KEY", "TEXT /* COLLATE RTRIM */ COLLATE nocase NOT NULL REFERENCES tags", "NOCASE for BINARY"},
		"the key's":  {"TEXT COLLATE \"NoCase\" PRIMARY KEY", "varchar(9) NOT NULL REFERENCES tags", "BINARY for NOCASE"},
	} {
		t.Run(name, func(t *testing.T) {
			db := onSQLite(t, "CREATE TABLE tags (code "+tc.tag+")", "INSERT INTO tags VALUES ('Go'), ('x')",
				"CREATE TABLE user_tags (user_id integer NOT NULL REFERENCES users, tag_code "+tc.link+", UNIQUE (user_id, tag_code))", "CREATE INDEX by_tag ON user_tags (tag_code)",
				"INSERT INTO user_tags VALUES (1, 'Go'), (2, 'x')")
			report := audittest.Run(t, db, "sqlite", audit.Options{})
			require.Equal(t, []string{"key-types-differ tag_code"}, audittest.Rules(report))
			require.Contains(t, report.Findings[0].Title, tc.says)
			audittest.RoundTrip(t, db, "sqlite", audit.Options{}, []string{"key-types-differ tag_code"}, []int64{2})
		})
	}
}

// A trigger that runs on a DELETE has to be known, whatever its statement looks like.
func TestDeleteTriggersSQLite(t *testing.T) {
	for trigger, deletes := range map[string]bool{
		"CREATE TRIGGER t AFTER DELETE ON user_groups BEGIN SELECT 1; END":                                             true,
		"CREATE TRIGGER IF NOT EXISTS main.\"DELETE\" /* x */ before -- y\n delete ON User_Groups BEGIN SELECT 1; END": true,
		"CREATE TRIGGER [t] DELETE ON \"USER_GROUPS\" WHEN old.user_id > 0 BEGIN SELECT 1; END":                        true,
		"CREATE TRIGGER t AFTER INSERT ON user_groups BEGIN DELETE FROM log; END":                                      false,
		"CREATE TRIGGER \"AFTER\" UPDATE OF user_id ON user_groups BEGIN DELETE FROM log; END":                         false,
		"CREATE TRIGGER t AFTER DELETE ON users BEGIN DELETE FROM user_groups; END":                                    false,
	} {
		db := onSQLite(t, "CREATE TABLE log (n integer)", "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)", "CREATE INDEX by_group ON user_groups (group_id)",
			"INSERT INTO user_groups VALUES (1, 1), (1, 1)", trigger)
		f := audittest.Run(t, db, "sqlite", audit.Options{}).Findings[0]
		require.Equal(t, audit.DuplicatePairs, f.Rule)
		require.Equal(t, deletes, len(f.Fix) == 0, trigger)
		if deletes {
			require.Contains(t, f.Story, "When a row of the table is deleted")
		}
	}
}

// The word in a comment makes no numbers to be carried on; where there are some they are,
// also of a table without rows.
func TestAutoincrement(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE user_groups (user_id integer NOT NULL, -- no AUTOINCREMENT here\n group_id integer NOT NULL DEFAULT 'AUTOINCREMENT', PRIMARY KEY (user_id, group_id)) WITHOUT ROWID", "CREATE INDEX by_group ON user_groups (group_id)")
	audittest.RoundTrip(t, db, "sqlite", audit.Options{}, []string{"no-foreign-key user_id", "no-foreign-key group_id"}, []int64{0, 0})

	for name, rows := range map[string]string{"a": "SELECT 1", "b": "DELETE FROM user_groups", "c": "DELETE FROM user_groups WHERE id > 1"} {
		db = onSQLite(t, "CREATE TABLE user_groups (id integer PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL, group_id integer NOT NULL, UNIQUE (user_id, group_id))", "CREATE INDEX by_group ON user_groups (group_id)",
			"INSERT INTO user_groups (user_id, group_id) VALUES (1, 1), (1, 2), (2, 1)", rows)
		audittest.RoundTrip(t, db, "sqlite", audit.Options{}, []string{"no-foreign-key user_id", "no-foreign-key group_id"}, []int64{-2, -2})
		audittest.Execute(t, db, "INSERT INTO user_groups (user_id, group_id) VALUES (2, 2)")
		var id int
		require.NoError(t, db.QueryRow("SELECT max(id) FROM user_groups").Scan(&id))
		require.Equal(t, 4, id, name)
	}
}

// SQLite folds the case of A to Z alone.
func TestNamesThatDifferInCase(t *testing.T) {
	const pair = " (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL, UNIQUE (user_id, group_id))"
	db := onSQLite(t, "CREATE TABLE Äuser_groups"+pair, "CREATE TABLE äuser_groups"+pair, "CREATE INDEX one ON ÄUSER_groups (group_id)", "CREATE INDEX two ON äUser_groups (group_id)",
		"CREATE TABLE log (n integer)", "CREATE TRIGGER logs AFTER UPDATE ON ÄUSER_GROUPS BEGIN INSERT INTO log VALUES (1); END")
	before := content(t, db)
	known := audittest.Given("Äuser_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"})
	known.Joins = append(known.Joins, audit.JoinTable{Name: "äuser_groups", Ends: known.Joins[0].Ends})
	audittest.RoundTrip(t, db, "sqlite", known, []string{"no-foreign-key group_id", "no-foreign-key group_id"}, []int64{0, 0})
	require.Equal(t, before, content(t, db))
}

// What is written is for each of the drivers.
func TestAnotherDriverSQLite(t *testing.T) {
	db := open(t, "sqlite", filepath.Join(t.TempDir(), "app.db")+"?_pragma=foreign_keys(1)")
	audittest.Execute(t, db, linked...)
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	for _, f := range report.Findings {
		audittest.Execute(t, db, script(f.Fix)...)
	}
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))
	for _, f := range slices.Backward(report.Findings) {
		audittest.Execute(t, db, script(f.Undo)...)
	}
	require.Equal(t, audittest.Rules(report), audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))

	audittest.Execute(t, db, "BEGIN")
	for _, s := range report.Findings[2].Fix {
		if _, err := db.Exec(s.SQL); err != nil {
			require.ErrorContains(t, err, "foreign keys are on, as they stay in a transaction")
			return
		}
	}
	t.Fatal("not refused")
}
