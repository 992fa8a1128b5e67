package linear

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/compat/mariadb"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// clients is how many call at once, each with a connection of its own.
const clients = 6

// TestMain ends the servers.
func TestMain(m *testing.M) {
	_ = mysqldriver.SetLogger(new(mysqldriver.NopLogger)) // it tells of connections that a deadline ends
	code := pgtest.Run(m)
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// database gives a test one of its own, as what connects to it: a dialector for each
// client, since it keeps its pool.
type database struct {
	name string
	make func(t *testing.T) (connect func() gorm.Dialector)
}

var databases = []database{
	{"postgres", func(t *testing.T) func() gorm.Dialector {
		dsn := pgtest.DSN(t)
		return func() gorm.Dialector { return postgres.Open(dsn) }
	}},
	{"mariadb", onMariaDB},
}

// started is the MariaDB server, if a test has asked for it.
var started *mariadb.Server

var startMariaDB = sync.OnceValue(func() (err error) {
	script := filepath.Join("..", "..", "testdata", "engines", "install.sh")
	if out, err := exec.Command("bash", script, "mariadb").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	started, err = mariadb.Start(context.Background())
	return err
})

var databaseNumber atomic.Int64

func onMariaDB(t *testing.T) func() gorm.Dialector {
	require.NoError(t, startMariaDB())
	name := fmt.Sprintf("linear_%d", databaseNumber.Add(1))
	run := func(statement string) {
		pool, err := sql.Open("mysql", started.DSN(""))
		require.NoError(t, err)
		defer pool.Close()
		_, err = pool.Exec(statement)
		require.NoError(t, err)
	}
	run("CREATE DATABASE " + name)
	t.Cleanup(func() { run("DROP DATABASE " + name) })
	return func() gorm.Dialector { return mysql.Open(started.DSN(name)) }
}

// connect makes the tables in a new database and gives n clients of it.
func connect(t *testing.T, database database, join JoinTable, plugin bool, n int) []*gorm.DB {
	t.Helper()
	dialector := database.make(t)
	dbs := make([]*gorm.DB, n)
	for i := range dbs {
		db, err := gorm.Open(dialector(), &gorm.Config{Logger: logger.Discard})
		require.NoError(t, err)
		pool, err := db.DB()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, pool.Close()) })
		pool.SetMaxOpenConns(1)
		require.NoError(t, join.SetUp(db))
		if i == 0 {
			require.NoError(t, join.Create(db))
		}
		if plugin {
			require.NoError(t, db.Use(m2msafe.New()))
		}
		dbs[i] = db
	}
	return dbs
}
