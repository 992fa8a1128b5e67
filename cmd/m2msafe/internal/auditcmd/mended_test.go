package auditcmd

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"
)

// TestTheSampleIsMended has the command write each form, and its own programs run it: the
// database is clean, and then again what it was.
func TestTheSampleIsMended(t *testing.T) {
	for _, format := range FixFormats {
		t.Run(format, func(t *testing.T) {
			psql, err := exec.LookPath("psql")
			if format == "sql" && err != nil {
				t.Skip(err)
			}
			dsn := sampleDatabase(t)
			run := func(c Command) (code int, stdout string) {
				c.DSN, c.Width, c.Timeout, c.CountUpTo, c.Now = dsn, 90, time.Minute, 1_000_000, func() time.Time { return morning }
				var out, errs bytes.Buffer
				code = c.Run(t.Context(), &out, &errs)
				return code, out.String()
			}
			dir := t.TempDir()
			code, found := run(Command{Format: "sarif", Fix: filepath.Join(dir, "001_fix.sql"), FixFormat: format})
			require.Equal(t, ExitFindings, code)
			validSARIF(t, []byte(found))
			up, down := runners(t, format, dsn, dir, psql)
			for range 2 {
				up()
				code, clean := run(Command{Format: "table"})
				require.Equal(t, ExitClean, code, clean)
				down()
				_, again := run(Command{Format: "sarif"})
				require.Equal(t, found, again)
			}
		})
	}
}

// runners run the files of a folder forwards and backwards.
func runners(t *testing.T, format, dsn, dir, psql string) (up, down func()) {
	t.Helper()
	if format == "sql" {
		file := func(name string) func() {
			return func() {
				out, err := exec.CommandContext(t.Context(), psql, "-X", "-v", "ON_ERROR_STOP=1", "-f", filepath.Join(dir, name), dsn).CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
		}
		return file("001_fix.sql"), file("001_fix.undo.sql")
	}
	db := openPgx(t, dsn)
	if format == "goose" {
		provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS(dir))
		require.NoError(t, err)
		return func() { _, err := provider.Up(t.Context()); require.NoError(t, err) },
			func() { _, err := provider.DownTo(t.Context(), 0); require.NoError(t, err) }
	}
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	require.NoError(t, err)
	m, err := migrate.NewWithDatabaseInstance("file://"+dir, "postgres", driver)
	require.NoError(t, err)
	return func() { require.NoError(t, m.Up()) }, func() { require.NoError(t, m.Down()) }
}

// TestWhatTakesTooLong is of a table that somebody else has locked: it is not looked at,
// the others are, and an interrupt ends the wait.
func TestWhatTakesTooLong(t *testing.T) {
	dsn := sampleDatabase(t)
	db := openPgx(t, dsn)
	lock, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = lock.Exec("LOCK TABLE user_groups IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Rollback()) }()

	c := Command{DSN: dsn, Format: "table", Width: 90, Timeout: time.Second, CountUpTo: 1_000_000, Now: time.Now}
	var stdout, stderr bytes.Buffer
	require.Equal(t, ExitFindings, c.Run(t.Context(), &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "Not looked at:\n  user_groups: counting took longer than 1s\n")
	require.Contains(t, stdout.String(), "error  user_groups  no-unique-key\n", "which the catalogue says")
	require.NotContains(t, stdout.String(), "duplicate-pairs")
	require.Contains(t, stdout.String(), "warning  order_products  soft-delete-full-key\n")

	ctx, cancel := context.WithCancel(t.Context())
	c.Timeout = time.Minute
	c.Progress = func(_, _ int, table string) {
		if table == "user_groups" {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	}
	stdout.Reset()
	began := time.Now()
	require.Equal(t, ExitInterrupted, c.Run(ctx, &stdout, &stderr))
	require.Less(t, time.Since(began), 30*time.Second)
	require.Empty(t, stdout.String())
	require.True(t, strings.HasSuffix(stderr.String(), "m2msafe: interrupted\n"), stderr.String())
}
