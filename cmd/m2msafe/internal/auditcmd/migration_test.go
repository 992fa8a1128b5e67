package auditcmd

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	_ "github.com/golang-migrate/migrate/v4/source/file" // reads a folder of migrations
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

var morning = time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC)

// mending is what mends a join table whose name is as odd as it may be: two pairs that are
// stored twice, no key, a foreign key that is missing.
func mending(t *testing.T, db *sql.DB) []audit.Finding {
	t.Helper()
	const table = "\"odd; -- \n\"\"links\""
	_, err := db.Exec(`CREATE TABLE users (id bigint PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 3);
		CREATE TABLE ` + table + ` (id bigserial, user_id bigint, group_id bigint);
		INSERT INTO ` + table + ` (user_id, group_id) VALUES (1, 1), (1, 1), (2, 1), (2, 1), (3, 1)`)
	require.NoError(t, err)
	st := func(sql string) audit.Statement {
		return audit.Statement{SQL: sql, Why: "why; -- +goose Down\nSELECT 1/0"}
	}
	solo := func(sql string) audit.Statement { return audit.Statement{SQL: sql, Why: "stands alone", Solo: true} }
	return []audit.Finding{
		{
			Table: "odd; -- \n\"links", Rule: audit.NoUniqueKey, Title: "Nothing keeps\n-- +goose Down\npairs apart",
			Fix: []audit.Statement{
				st("CREATE TABLE removed AS SELECT * FROM " + table + " WITH NO DATA"),
				st("WITH gone AS (DELETE FROM " + table + " AS a USING " + table + " AS b WHERE (a.user_id, a.group_id) = (b.user_id, b.group_id) AND a.id > b.id RETURNING a.*) INSERT INTO removed SELECT * FROM gone"),
				solo("CREATE UNIQUE INDEX CONCURRENTLY uq_odd ON " + table + " (user_id, group_id)"),
			},
			Undo: []audit.Statement{
				solo("DROP INDEX CONCURRENTLY uq_odd"),
				st("INSERT INTO " + table + " SELECT * FROM removed"), st("DROP TABLE removed"),
			},
		},
		{
			Table: "odd; -- \n\"links", Rule: audit.NoForeignKey, Title: "No foreign key on user_id",
			Fix: []audit.Statement{
				st("ALTER TABLE " + table + " ADD CONSTRAINT fk_odd FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID"),
				st("ALTER TABLE " + table + " VALIDATE CONSTRAINT fk_odd"),
				st("DO $$ BEGIN PERFORM 1; PERFORM 2; END $$"),
			},
			Undo: []audit.Statement{solo("VACUUM " + table), st("ALTER TABLE " + table + " DROP CONSTRAINT fk_odd")},
		},
	}
}

// state is how many rows, valid indexes and valid foreign keys there are.
func state(t *testing.T, db *sql.DB) (s [3]int) {
	t.Helper()
	require.NoError(t, db.QueryRow(`SELECT (SELECT count(*) FROM "odd; -- `+"\n"+`""links"),
		(SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('uq_odd') AND indisvalid),
		(SELECT count(*) FROM pg_constraint WHERE conname = 'fk_odd' AND convalidated)`).Scan(&s[0], &s[1], &s[2]))
	return s
}

var (
	before = [3]int{5, 0, 0}
	after  = [3]int{3, 1, 1}
)

func openPgx(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func writeTo(t *testing.T, path, format string, findings []audit.Finding) []string {
	t.Helper()
	m, err := newMigration(path, format, morning)
	require.NoError(t, err)
	m.kind = dsn.Postgres
	paths, err := m.write(findings)
	require.NoError(t, err)
	return paths
}

func TestGooseRunsWhatIsWritten(t *testing.T) {
	db := openPgx(t, postgres(t))
	dir := t.TempDir()
	paths := writeTo(t, dir, "goose", mending(t, db))
	require.Equal(t, filepath.Join(dir, "20260301083000_m2msafe_audit.sql"), paths[0])
	require.Equal(t, filepath.Join(dir, "20260301083001_m2msafe_audit_2.sql"), paths[1])
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS(dir))
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, before, state(t, db))
		results, err := provider.Up(t.Context())
		require.NoError(t, err)
		require.Len(t, results, len(paths))
		require.Equal(t, after, state(t, db))
		_, err = provider.DownTo(t.Context(), 0)
		require.NoError(t, err)
	}
	require.Equal(t, before, state(t, db))
}

func TestGolangMigrateRunsWhatIsWritten(t *testing.T) {
	db := openPgx(t, postgres(t))
	dir := t.TempDir()
	paths := writeTo(t, filepath.Join(dir, "007_links.sql"), "migrate", mending(t, db))
	require.Equal(t, []string{"007_links.up.sql", "007_links.down.sql", "008_links_2.up.sql"},
		[]string{filepath.Base(paths[0]), filepath.Base(paths[1]), filepath.Base(paths[2])})
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	require.NoError(t, err)
	m, err := migrate.NewWithDatabaseInstance("file://"+dir, "postgres", driver)
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, before, state(t, db))
		require.NoError(t, m.Up())
		require.Equal(t, after, state(t, db))
		require.NoError(t, m.Down())
	}
	require.Equal(t, before, state(t, db))
}

func TestPsqlRunsWhatIsWritten(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip(err)
	}
	dsn := postgres(t)
	db := openPgx(t, dsn)
	paths := writeTo(t, filepath.Join(t.TempDir(), "fix.sql"), "sql", mending(t, db))
	require.Equal(t, "fix.undo.sql", filepath.Base(paths[1]))
	for range 2 {
		require.Equal(t, before, state(t, db))
		for i, want := range [][3]int{after, before} {
			out, err := exec.CommandContext(t.Context(), psql, "-X", "-v", "ON_ERROR_STOP=1", "-f", paths[i], dsn).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, want, state(t, db))
		}
	}
}

func TestStepsKeepWhatHasToStandAloneApart(t *testing.T) {
	st := func(sql string, solo bool) audit.Statement { return audit.Statement{SQL: sql, Solo: solo} }
	text := func(steps []step) (all []string) {
		for _, s := range steps {
			var parts []string
			for _, side := range [][]audit.Statement{s.up, s.down} {
				for _, s := range side {
					parts = append(parts, s.SQL)
				}
				parts = append(parts, "|")
			}
			all = append(all, strings.Join(parts[:len(parts)-1], " "))
		}
		return all
	}
	for name, c := range map[string]struct {
		fix, undo []audit.Statement
		want      []string
	}{
		"one transaction":        {[]audit.Statement{st("a", false), st("b", false)}, []audit.Statement{st("-b", false), st("-a", false)}, []string{"a b | -b -a"}},
		"alone":                  {[]audit.Statement{st("a", false), st("b", true)}, []audit.Statement{st("-b", true), st("-a", false)}, []string{"a | -a", "b | -b"}},
		"no undo":                {[]audit.Statement{st("a", true), st("b", true)}, nil, []string{"a |", "b |"}},
		"kinds that are no pair": {[]audit.Statement{st("a", false)}, []audit.Statement{st("-a", true)}, []string{"a |", "| -a"}},
		"more back than forth":   {[]audit.Statement{st("a", false)}, []audit.Statement{st("-1", false), st("-2", true), st("-3", false)}, []string{"| -3", "| -2", "a | -1"}},
		"a look at all rows":     {[]audit.Statement{st("a", false), st("ALTER TABLE t VALIDATE CONSTRAINT c", false), st("b", false)}, []audit.Statement{st("-", false)}, []string{"a |", "ALTER TABLE t VALIDATE CONSTRAINT c |", "b | -"}},
		"nothing":                {nil, nil, nil},
		"a column of that name":  {[]audit.Statement{st(`UPDATE t SET "VALIDATE CONSTRAINT c" = 1`, false), st("b", false)}, nil, []string{`UPDATE t SET "VALIDATE CONSTRAINT c" = 1 b |`}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, text(stepsOf(dsn.Postgres, []audit.Finding{{Fix: c.fix, Undo: c.undo}})))
		})
	}
}

func TestMigrationIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"there.sql", "taken.undo.sql", "20260301083002_other.sql"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	for _, c := range []struct{ path, format, want string }{
		{"there.sql", "sql", "exists already"},
		{"taken.sql", "sql", "taken.undo.sql exists already"},
		{"", "sql", "it is a folder"},
		{"nowhere/fix.sql", "sql", "there is no folder"},
		{"nowhere/1_fix.sql", "goose", "there is no folder"},
		{"fix.sql", "goose", "goose wants VERSION_title.sql, as 20260301083000_m2msafe_audit.sql"},
		{"99999999999999999999_fix.sql", "migrate", "its version is too large"},
		{"20260301083002_fix.sql", "migrate", "20260301083002_other.sql is there, and golang-migrate runs versions in their order: take one above it, as 20260301083003_fix.sql"},
		{"7_fix.sql", "goose", "20260301083002_other.sql is there, and goose runs versions in their order: take one above it, as 20260301083003_fix.sql"},
	} {
		_, err := newMigration(filepath.Join(dir, c.path), c.format, morning)
		require.ErrorContains(t, err, c.want, c.path)
	}
	m, err := newMigration(dir, "goose", morning)
	require.NoError(t, err)
	_, err = m.write([]audit.Finding{{Fix: []audit.Statement{{SQL: "DROP TABLE \"a\n-- +goose Down\""}}}})
	require.ErrorContains(t, err, "use another --fix-format")
	require.NoFileExists(t, filepath.Join(dir, "20260301083003_m2msafe_audit.sql"))
}

func TestWhatMySQLGets(t *testing.T) {
	m := &migration{kind: dsn.MySQL, path: "1_x.sql", version: 1, digits: 1, title: "x"}
	steps := stepsOf(dsn.MySQL, []audit.Finding{{Table: "t", Rule: audit.NoUniqueKey, Title: "Title", Fix: []audit.Statement{{SQL: "a", Why: "one"}, {SQL: "b", Why: "two"}}}})
	files, err := m.migrate(steps)
	require.NoError(t, err)
	require.Equal(t, []file{
		{"1_x.up.sql", "-- t, no-unique-key: Title\n-- one\na;\n-- two\nb;\n"},
		{"1_x.down.sql", "-- t, no-unique-key: Title\n-- Nothing to do: this can't be taken back.\nSELECT 1;\n"},
	}, files)
	require.NotContains(t, m.plain(steps, false), "BEGIN")
}
