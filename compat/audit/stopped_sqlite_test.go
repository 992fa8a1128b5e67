package audit_test

import (
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

// linked is a database in which all that a fix could lose hangs on a join table.
var linked = []string{
	users, groups, "INSERT INTO users VALUES (1), (2), (3)", "INSERT INTO groups VALUES (1), (2)",
	"CREATE TABLE user_groups (id integer PRIMARY KEY AUTOINCREMENT, user_id integer, group_id integer, created_by text)",
	"INSERT INTO user_groups (user_id, group_id, created_by) VALUES (1, 1, 'a'), (1, 1, 'b'), (2, 1, 'c'), (8, 1, 'd'), (9, 1, 'e'), (3, 2, 'f')",
	"CREATE INDEX by_note ON User_Groups (created_by)", "CREATE TABLE log (n integer)", "CREATE VIEW seen AS SELECT user_id FROM user_groups",
	"CREATE TRIGGER logs AFTER UPDATE ON USER_GROUPS BEGIN INSERT INTO log VALUES (new.id); END",
	"CREATE TABLE seats (link_id integer REFERENCES user_groups (id) ON DELETE CASCADE)", "INSERT INTO seats VALUES (1), (3), (6)",
}

// script is what the command writes of statements: a transaction around those between two
// that stand alone.
func script(all []audit.Statement) (lines []string) {
	for i, s := range all {
		first := !s.Solo && (i == 0 || all[i-1].Solo)
		last := !s.Solo && (i == len(all)-1 || all[i+1].Solo)
		if first && !last {
			lines = append(lines, "BEGIN")
		}
		lines = append(lines, s.SQL)
		if last && !first {
			lines = append(lines, "COMMIT")
		}
	}
	return lines
}

func fixOf(findings []audit.Finding) (lines []string) {
	for _, f := range findings {
		lines = append(lines, script(f.Fix)...)
	}
	return lines
}

// shell has SQLite's own client run statements, with foreign keys on.
func shell(t testing.TB, path string, lines []string, flags ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append(flags, "-cmd", "PRAGMA foreign_keys = on", "-cmd", "PRAGMA synchronous = off", path)...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, ";\n") + ";\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// file is a database's, of statements.
func file(t testing.TB, statements ...string) (string, *sql.DB) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := open(t, "sqlite3", path+"?_foreign_keys=1&_synchronous=0")
	audittest.Execute(t, db, statements...)
	return path, db
}

// content is all that there is, but for how far numbers have come.
func content(t testing.TB, db *sql.DB) (all []string) {
	t.Helper()
	var tables []string
	rows, err := db.Query("SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2")
	require.NoError(t, err)
	for rows.Next() {
		var kind, name, definition string
		require.NoError(t, rows.Scan(&kind, &name, &definition))
		all = append(all, kind+" "+name+": "+definition)
		if kind == "table" {
			tables = append(tables, name)
		}
	}
	require.NoError(t, rows.Close())
	for _, name := range tables {
		all = append(all, stored(t, db, name)...)
	}
	return all
}

// stored are a table's rows.
func stored(t testing.TB, db *sql.DB, table string) (all []string) {
	t.Helper()
	rows, err := db.Query(fmt.Sprintf("SELECT * FROM %q ORDER BY 1, 2", table))
	if err != nil { // of one column
		rows, err = db.Query(fmt.Sprintf("SELECT * FROM %q ORDER BY 1", table))
	}
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		require.NoError(t, rows.Scan(values...))
		text := table + ":"
		for _, v := range values {
			text += fmt.Sprintf(" %v", *v.(*any))
		}
		all = append(all, text)
	}
	return all
}

func notes(t testing.TB, db *sql.DB) (all []string) {
	var tables []string
	rows, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND (name = 'user_groups' OR name LIKE 'm2msafe%')")
	require.NoError(t, err)
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Close())
	for _, name := range tables {
		rows, err := db.Query(fmt.Sprintf("SELECT created_by FROM %q", name))
		require.NoError(t, err)
		for rows.Next() {
			var note string
			require.NoError(t, rows.Scan(&note))
			all = append(all, note)
		}
		require.NoError(t, rows.Close())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Each statement of a fix may fail: alone, or so that SQLite takes the transaction back, as
// where the disk is full. Whether the client then stops or goes on, no row is lost, nor one
// that refers to it, nor an index or trigger, and an audit mends what is left.
func TestWhateverFailsNothingIsLost(t *testing.T) {
	path, db := file(t, linked...)
	fix := fixOf(audittest.Run(t, db, "sqlite", audit.Options{}).Findings)
	out, err := shell(t, path, fix, "-bail")
	require.NoError(t, err, out)
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))
	mended := content(t, db)
	for i, statement := range fix {
		for _, failure := range []string{"SELECT fails", "ROLLBACK;\nSELECT fails"} {
			path, db := file(t, linked...)
			out, err := shell(t, path, slices.Concat(fix[:i], []string{failure}, fix[i+1:]))
			require.Error(t, err)
			about := fmt.Sprintf("%d %s: %s\n%s", i, failure, statement, out)
			require.Equal(t, []string{"a", "b", "c", "d", "e", "f"}, notes(t, db), about)
			require.Equal(t, []string{"seats: 1", "seats: 3", "seats: 6"}, stored(t, db, "seats"), about)
			if again := fixOf(audittest.Run(t, db, "sqlite", audit.Options{}).Findings); len(again) > 0 {
				out, err = shell(t, path, again, "-bail")
				require.NoError(t, err, about+"\nand\n"+out)
			}
			require.Empty(t, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})), about)
			require.Equal(t, []string{"user_groups: 1 1 1 a", "user_groups: 3 2 1 c", "user_groups: 6 3 2 f"}, stored(t, db, "user_groups"), about)
			require.Equal(t, definitions(mended), definitions(content(t, db)), about)
		}
	}
}

// A fix that stopped is taken back by the undo from the finding on at which it stopped,
// wherever in it that was.
func TestWhereverItStopsItIsTakenBack(t *testing.T) {
	for name, made := range map[string][]string{
		"linked": linked,
		"a type, and a key of living rows": {users, "CREATE TABLE groups (id integer PRIMARY KEY)", "INSERT INTO users VALUES (1)", "INSERT INTO groups VALUES (1), (2)",
			"CREATE TABLE user_groups (user_id TEXT NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, deleted_at datetime, UNIQUE (user_id, group_id))",
			"CREATE INDEX g ON user_groups (group_id)", "INSERT INTO user_groups VALUES ('1', 1, NULL), ('1', 2, '2020-01-01')"},
		"a partial key, WITHOUT ROWID": {users, groups, "INSERT INTO users VALUES (1)", "INSERT INTO groups VALUES (1), (2)",
			"CREATE TABLE user_groups (id text PRIMARY KEY, user_id integer REFERENCES users, group_id integer NOT NULL REFERENCES groups) WITHOUT ROWID",
			"CREATE UNIQUE INDEX some ON user_groups (user_id, group_id) WHERE group_id > 1", "INSERT INTO user_groups VALUES ('a', 1, 1), ('b', 1, 1), ('c', 1, 2), ('d', NULL, 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, db := file(t, made...)
			findings := audittest.Run(t, db, "sqlite", audit.Options{}).Findings
			before := content(t, db)
			require.NotEmpty(t, fixOf(findings))
			var done []string
			var undo []string
			for _, f := range findings {
				fix := script(f.Fix)
				undo = slices.Concat(script(f.Undo), undo)
				for k := range len(fix) + 1 {
					path, db := file(t, made...)
					out, err := shell(t, path, slices.Concat(done, fix[:k]), "-bail")
					require.NoError(t, err, out)
					out, err = shell(t, path, undo, "-bail")
					about := fmt.Sprintf("%s\n%s\nby\n%s", out, strings.Join(slices.Concat(done, fix[:k]), ";\n"), strings.Join(undo, ";\n"))
					require.NoError(t, err, about)
					require.Equal(t, before, content(t, db), about)
				}
				done = append(done, fix...)
			}
		})
	}
}

// definitions are those of a state, but for tables of removed rows.
func definitions(state []string) []string {
	return slices.DeleteFunc(slices.Clone(state), func(s string) bool {
		return !strings.Contains(s, ": CREATE ") || strings.Contains(s, "m2msafe_removed")
	})
}
