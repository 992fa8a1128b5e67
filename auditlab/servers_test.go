package auditlab

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/compat/mariadb"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	for _, stop := range []func() error{stopDjango, stopMariaDB} {
		if stop == nil {
			continue
		}
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// database is one that a test has for itself, and how frameworks reach it.
type database struct {
	kind      string // GORM's name of it
	pool      *sql.DB
	dialector func(pool *sql.DB) gorm.Dialector
	django    map[string]any    // what stands in its DATABASES
	known     []audit.JoinTable // what the models of its app say of the join tables
}

// engines make databases, by GORM's names.
var engines = map[string]func(t testing.TB) *database{
	"postgres": newPostgres,
	"mysql":    newMariaDB,
	"sqlite":   newSQLite,
}

func newPostgres(t testing.TB) *database {
	config, err := pgx.ParseConfig(pgtest.DSN(t))
	require.NoError(t, err)
	options := "-c search_path=" + config.RuntimeParams["search_path"]
	var super bool
	require.NoError(t, pgtest.Admin(t).QueryRow("SELECT current_setting('is_superuser')::bool").Scan(&super))
	if super { // both sides of a race find a deadlock at once, and not in a second
		config.RuntimeParams["deadlock_timeout"] = "20ms"
		options += " -c deadlock_timeout=20ms"
	}
	d := &database{
		kind:      "postgres",
		pool:      stdlib.OpenDB(*config),
		dialector: func(pool *sql.DB) gorm.Dialector { return postgres.New(postgres.Config{Conn: pool}) },
		django: map[string]any{
			"ENGINE": "django.db.backends.postgresql", "NAME": config.Database, "HOST": config.Host, "PORT": config.Port,
			"USER": config.User, "PASSWORD": config.Password,
			"OPTIONS": map[string]string{
				"options": options,
				// pgtest looks for sessions of this name that are left.
				"application_name": config.RuntimeParams["application_name"],
			},
		},
	}
	t.Cleanup(func() { require.NoError(t, d.pool.Close()) })
	return d
}

var (
	stopMariaDB func() error
	databases   atomic.Int64
)

// server is the one that all tests have their databases on.
var server = sync.OnceValues(func() (*mariadb.Server, error) {
	if out, err := install("mariadb"); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	s, err := mariadb.Start(context.Background(), "--innodb-flush-method=nosync", "--skip-innodb-doublewrite")
	if err == nil {
		stopMariaDB = s.Stop
	}
	return s, err
})

func newMariaDB(t testing.TB) *database {
	s, err := server()
	require.NoError(t, err)
	name := fmt.Sprintf("auditlab_%d", databases.Add(1))
	run := func(statement string) {
		pool, err := sql.Open("mysql", s.DSN(""))
		require.NoError(t, err)
		defer pool.Close()
		_, err = pool.Exec(statement)
		require.NoError(t, err)
	}
	run("CREATE DATABASE " + name + " CHARACTER SET utf8mb4")
	t.Cleanup(func() { run("DROP DATABASE " + name) })
	config, err := driver.ParseDSN(s.DSN(name))
	require.NoError(t, err)
	connector, err := driver.NewConnector(config)
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(config.Addr)
	require.NoError(t, err)
	d := &database{
		kind: "mysql",
		pool: sql.OpenDB(connector),
		// Strings without a size may be keys.
		dialector: func(pool *sql.DB) gorm.Dialector {
			return mysql.New(mysql.Config{Conn: pool, DefaultStringSize: 191})
		},
		django: map[string]any{
			"ENGINE": "django.db.backends.mysql", "NAME": name, "HOST": host, "PORT": port,
			"USER": config.User, "PASSWORD": config.Passwd, "OPTIONS": map[string]string{"charset": "utf8mb4"},
		},
	}
	t.Cleanup(func() { require.NoError(t, d.pool.Close()) })
	return d
}

func newSQLite(t testing.TB) *database {
	path := filepath.Join(t.TempDir(), "lab.db")
	pool, err := sql.Open("sqlite3", path+"?_foreign_keys=on&_busy_timeout=5000&_synchronous=off")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return &database{
		kind:      "sqlite",
		pool:      pool,
		dialector: func(pool *sql.DB) gorm.Dialector { return sqlite.New(sqlite.Config{Conn: pool}) },
		django:    map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": path},
	}
}

// gorm opens the database with GORM, on the pool.
func (d *database) gorm(t testing.TB) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(d.dialector(d.pool), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	return db
}

func (d *database) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := d.pool.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

func (d *database) count(t testing.TB, from string) (n int) {
	t.Helper()
	require.NoError(t, d.pool.QueryRowContext(t.Context(), "SELECT count(*) FROM "+from).Scan(&n), from)
	return n
}

// audit looks at the database.
func (d *database) audit(t testing.TB, o audit.Options) *audit.Report {
	t.Helper()
	report, err := audit.Run(t.Context(), d.pool, d.kind, o)
	require.NoError(t, err)
	require.Empty(t, report.Unseen)
	return report
}

// quote quotes a name as GORM does.
func (d *database) quote(name string) string {
	if d.kind == "mysql" {
		return "`" + name + "`"
	}
	return strconv.Quote(name)
}

// install runs the script that installs what tests need, and returns what it printed.
func install(what string) (string, error) {
	out, err := exec.Command("bash", filepath.Join("..", "testdata", "engines", "install.sh"), what).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
