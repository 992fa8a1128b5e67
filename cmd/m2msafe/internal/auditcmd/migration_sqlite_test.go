package auditcmd

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

func TestGolangMigrateOnSQLiteIsToldOfTransactions(t *testing.T) {
	m := &migration{kind: dsn.SQLite, path: "1_x.sql", version: 1, digits: 1, title: "x"}
	two := audit.Finding{Fix: []audit.Statement{{SQL: "a"}, {SQL: "b"}}}
	files, err := m.migrate(stepsOf(dsn.SQLite, []audit.Finding{two}))
	require.NoError(t, err)
	require.NotContains(t, files[0].text, "BEGIN", "the driver makes it")
	files, err = m.migrate(stepsOf(dsn.SQLite, []audit.Finding{two, {Fix: []audit.Statement{{SQL: "PRAGMA p", Solo: true}, {SQL: "a"}, {SQL: "b"}}}}))
	require.NoError(t, err)
	require.Contains(t, files[0].text, "x-no-tx-wrap=true")
	require.Contains(t, files[0].text, "\nBEGIN;\n", "the driver is told not to")
	require.Contains(t, files[2].text, "PRAGMA p;\nBEGIN;\n-- \na;\n-- \nb;\nCOMMIT;\n")
}

// TestSQLiteIsMendedByWhatIsWritten takes what the audit itself writes: it makes the table
// anew, with the foreign keys off on that connection.
func TestSQLiteIsMendedByWhatIsWritten(t *testing.T) {
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		sqlite = ""
	}
	for _, format := range FixFormats {
		t.Run(format, func(t *testing.T) {
			if format == "sql" && sqlite == "" {
				t.Skip("no sqlite3 on this machine")
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "app.db")
			db, err := sql.Open("sqlite3", "file:"+path+"?_pragma=foreign_keys(on)")
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			_, err = db.Exec(`CREATE TABLE users (id integer PRIMARY KEY); CREATE TABLE groups (id integer PRIMARY KEY);
				INSERT INTO users VALUES (1), (2); INSERT INTO groups VALUES (1);
				CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer, group_id integer REFERENCES groups (id));
				INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 9, 1);
				CREATE TABLE tags (id integer PRIMARY KEY); INSERT INTO tags VALUES (1);
				CREATE TABLE user_tags (id integer PRIMARY KEY, user_id integer REFERENCES users (id), tag_id integer REFERENCES tags (id));
				INSERT INTO user_tags VALUES (1, 1, 1), (2, 1, 1), (3, 2, 1);
				CREATE TABLE notes (link_id integer NOT NULL REFERENCES user_tags (id) ON DELETE CASCADE); INSERT INTO notes VALUES (2), (3)`)
			require.NoError(t, err)
			findings := func() []audit.Finding {
				report, err := audit.Run(t.Context(), db, dsn.SQLite, audit.Options{})
				require.NoError(t, err)
				return report.Findings
			}
			stored := func(column, table string) (all string) {
				require.NoError(t, db.QueryRow("SELECT group_concat("+column+" ORDER BY "+column+") FROM "+table).Scan(&all))
				return all
			}
			before := findings()
			require.NotEmpty(t, before)
			m, err := newMigration(filepath.Join(dir, "001_fix.sql"), format, morning)
			require.NoError(t, err)
			m.kind = dsn.SQLite
			paths, err := m.write(before)
			require.NoError(t, err)
			var up, down func()
			switch format {
			case "sql":
				shell := func(script string) func() {
					return func() {
						cmd := exec.CommandContext(t.Context(), sqlite, "-bail", "-cmd", "PRAGMA foreign_keys = on", path)
						cmd.Stdin, err = os.Open(script)
						require.NoError(t, err)
						out, err := cmd.CombinedOutput()
						require.NoError(t, err, "%s", out)
					}
				}
				up, down = shell(paths[0]), shell(paths[1])
			case "goose":
				provider, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS(dir))
				require.NoError(t, err)
				up = func() { _, err := provider.Up(t.Context()); require.NoError(t, err) }
				down = func() { _, err := provider.DownTo(t.Context(), 0); require.NoError(t, err) }
			case "migrate":
				// golang-migrate's drivers for SQLite are of other packages: its files are run
				// as its driver does, a file by one call.
				run := func(direction string) func() {
					return func() {
						files, err := filepath.Glob(filepath.Join(dir, "*"+direction+".sql"))
						require.NoError(t, err)
						if direction == ".down" {
							slices.Reverse(files)
						}
						for _, file := range files {
							text, err := os.ReadFile(file)
							require.NoError(t, err)
							_, err = db.Exec(string(text))
							require.NoError(t, err, file)
						}
					}
				}
				up, down = run(".up"), run(".down")
			}
			for range 2 {
				up()
				require.Empty(t, findings())
				require.Equal(t, "2,3", stored("link_id", "notes"), "rows that refer to the table went with it")
				require.Equal(t, "2,3", stored("id", "user_tags"), "of a pair the row stays that is referred to")
				require.Equal(t, "1,3", stored("id", "user_groups"), "of a pair the first row stays, and no link to nothing")
				down()
				require.Equal(t, len(before), len(findings()))
				require.Equal(t, "2,3", stored("link_id", "notes"))
				require.Equal(t, "1,2,3", stored("id", "user_tags"))
				require.Equal(t, "1,2,3,4", stored("id", "user_groups"))
			}
		})
	}
}

// The plain file has SQLite's client stop at an error, however that is called.
func TestPlainSQLiteStopsAtAnError(t *testing.T) {
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	m, err := newMigration(filepath.Join(dir, "fix.sql"), "sql", morning)
	require.NoError(t, err)
	m.kind = dsn.SQLite
	run := []audit.Statement{{SQL: "SELECT 'begun'"}, {SQL: "SELECT nothing_of_the_kind"}, {SQL: "SELECT 'went on'"}}
	paths, err := m.write([]audit.Finding{{Fix: run, Undo: run}})
	require.NoError(t, err)
	for _, path := range paths {
		cmd := exec.CommandContext(t.Context(), sqlite, filepath.Join(dir, "app.db"))
		cmd.Stdin, err = os.Open(path)
		require.NoError(t, err)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "begun")
		require.NotContains(t, string(out), "went on")
	}
	undo, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	require.Contains(t, string(undo), "take the steps out first that it did not come to")
}

// Where a statement fails, goose and golang-migrate's driver are left with the database as
// it was, and no transaction that the app would go on in.
func TestWhatFailsInAMigrationOnSQLite(t *testing.T) {
	for _, format := range []string{"goose", "migrate"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "app.db")+"?_pragma=foreign_keys(on)")
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			db.SetMaxOpenConns(1)
			_, err = db.Exec(`CREATE TABLE users (id integer PRIMARY KEY); CREATE TABLE groups (id integer PRIMARY KEY); INSERT INTO users VALUES (1); INSERT INTO groups VALUES (1);
				CREATE TABLE user_groups (user_id integer REFERENCES users, group_id integer REFERENCES groups, UNIQUE (user_id, group_id));
				CREATE INDEX by_group ON user_groups (group_id); INSERT INTO user_groups VALUES (1, 1)`)
			require.NoError(t, err)
			report, err := audit.Run(t.Context(), db, dsn.SQLite, audit.Options{})
			require.NoError(t, err)
			m, err := newMigration(filepath.Join(dir, "001_fix.sql"), format, morning)
			require.NoError(t, err)
			m.kind = dsn.SQLite
			paths, err := m.write(report.Findings)
			require.NoError(t, err)
			_, err = db.Exec("INSERT INTO user_groups VALUES (1, NULL)")
			require.NoError(t, err)
			if format == "goose" {
				var provider *goose.Provider
				provider, err = goose.NewProvider(goose.DialectSQLite3, db, os.DirFS(dir))
				require.NoError(t, err)
				_, err = provider.Up(t.Context())
			} else {
				text, failed := os.ReadFile(paths[0])
				require.NoError(t, failed)
				_, err = db.Exec(string(text))
			}
			require.ErrorContains(t, err, "NOT NULL constraint failed")
			_, err = db.Exec("BEGIN; COMMIT")
			require.NoError(t, err, "none is open")
			var rows, left int
			require.NoError(t, db.QueryRow("SELECT count(*), (SELECT count(*) FROM sqlite_master WHERE name LIKE 'm2msafe%') FROM user_groups").Scan(&rows, &left))
			require.Equal(t, [2]int{2, 0}, [2]int{rows, left})
		})
	}
}
