package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// TestMain gives the tests their PostgreSQL server, and fails them for any
// goroutine that outlives it.
func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if err := stopMariaDB(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	// GORM's cache of prepared statements has a goroutine that nothing ends.
	lru := goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1")
	if err := goleak.Find(lru); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func TestPostgres(t *testing.T) {
	databases := opened{dsn: pgtest.DSN}
	Exercise(t, Engine{Name: "postgres", Postgres: true, Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		return databases.open(t, postgres.Open(databases.find(t, key)), config)
	}})
}

// Another plugin's callback is a reason not to take the first entrance: the same
// suite, the same outcomes.
func TestPostgresByTheSecondEntrance(t *testing.T) {
	databases := opened{dsn: pgtest.DSN}
	Exercise(t, Engine{Name: "postgres", Postgres: true, Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		db := databases.open(t, postgres.Open(databases.find(t, key)), config)
		require.NoError(t, db.Callback().Update().Before("gorm:update").Register("compat:not_direct", func(*gorm.DB) {}))
		return db
	}})
}

func TestSQLite(t *testing.T) {
	databases := opened{dsn: func(t testing.TB) string {
		return "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_foreign_keys=on"
	}}
	Exercise(t, Engine{Name: "sqlite", Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		return databases.open(t, sqlite.Open(databases.find(t, key)), config)
	}})
}
