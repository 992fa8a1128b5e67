package auditcmd

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"
)

// runs of the folder's migrations: those of goose, and those of golang-migrate, whose error
// is ErrNoChange where it has nothing to run.
var upOf = map[string]func(t *testing.T, db *sql.DB, dir string) error{
	"goose": func(t *testing.T, db *sql.DB, dir string) error {
		provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS(dir))
		require.NoError(t, err)
		_, err = provider.Up(t.Context())
		return err
	},
	"migrate": func(t *testing.T, db *sql.DB, dir string) error {
		driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
		require.NoError(t, err)
		m, err := migrate.NewWithDatabaseInstance("file://"+dir, "postgres", driver)
		require.NoError(t, err)
		return m.Up()
	},
}

// TestVersionsBelowTheFoldersAreRefused is of what the two runners do with such a file, and
// that the name which the refusal gives is one that they run.
func TestVersionsBelowTheFoldersAreRefused(t *testing.T) {
	for format, up := range upOf {
		t.Run(format, func(t *testing.T) {
			db := openPgx(t, postgres(t))
			dir := t.TempDir()
			add := func(name string) {
				t.Helper()
				name, text := filepath.Join(dir, name), "SELECT 1;\n"
				if format == "goose" {
					require.NoError(t, os.WriteFile(name+".sql", []byte("-- +goose Up\n"+text), 0o600))
					return
				}
				require.NoError(t, os.WriteFile(name+".up.sql", []byte(text), 0o600))
				require.NoError(t, os.WriteFile(name+".down.sql", []byte(text), 0o600))
			}
			findings := mending(t, db)
			add("0100_first")
			require.NoError(t, up(t, db, dir))
			_, err := newMigration(filepath.Join(dir, "1_fix.sql"), format, morning)
			require.ErrorContains(t, err, "take one above it, as 0101_fix.sql")
			_, err = newMigration(filepath.Join(dir, "0100_fix.sql"), format, morning)
			require.ErrorContains(t, err, "0101_fix.sql")

			add("1_below")
			err = up(t, db, dir)
			if format == "migrate" {
				require.ErrorIs(t, err, migrate.ErrNoChange)
			} else {
				require.ErrorContains(t, err, "missing (out-of-order) migration")
			}
			left, err := filepath.Glob(filepath.Join(dir, "1_below*"))
			require.NoError(t, err)
			for _, name := range left {
				require.NoError(t, os.Remove(name))
			}
			writeTo(t, filepath.Join(dir, "0101_fix.sql"), format, findings)
			require.NoError(t, up(t, db, dir))
			require.Equal(t, after, state(t, db))
		})
	}
}

func TestLastVersion(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"7_x.sql", "00012_y.go", "13_y_test.go", "99_notes.md", "x_98.sql", "99999999999999999999_z.sql"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	last, err := lastVersion(dir)
	require.NoError(t, err)
	require.Equal(t, version{12, 5, "00012_y.go"}, last)
	require.Equal(t, "00013_t.sql", last.next("t"))
	require.Equal(t, "20260301083000_m2msafe_audit.sql", freshName(dir, morning))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "20990101000000_ahead.sql"), nil, 0o600))
	require.Equal(t, "20990101000001_m2msafe_audit.sql", freshName(dir, morning))
}
