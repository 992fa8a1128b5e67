// Package audit_test runs the audit on MariaDB and SQLite, whose drivers the root module
// does not have.
package audit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/compat/mariadb"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

// server is one MariaDB server for all tests.
var server struct {
	sync.Once
	*mariadb.Server
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.Server != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

var number atomic.Int64

// dsn is that of a new MariaDB database.
func dsn(t testing.TB) string {
	t.Helper()
	server.Do(func() { server.Server, server.err = mariadb.Start(context.Background()) })
	if errors.Is(server.err, mariadb.ErrNoPrograms) {
		t.Skip(server.err)
	}
	require.NoError(t, server.err)
	name := fmt.Sprintf("audit_%d", number.Add(1))
	admin, err := sql.Open("mysql", server.DSN(""))
	require.NoError(t, err)
	defer admin.Close()
	audittest.Execute(t, admin, "CREATE DATABASE "+name)
	return server.DSN(name)
}

func openMariaDB(t testing.TB) *sql.DB { return open(t, "mysql", dsn(t)) }

func openSQLite(t testing.TB) *sql.DB {
	db := open(t, "sqlite3", filepath.Join(t.TempDir(), "test.db")+"?_foreign_keys=1")
	return db
}

func open(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
