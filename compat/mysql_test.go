package compat

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/compat/internal/mariadb"
)

// What the tests of MariaDB share; TestMain stops it.
var single = sync.OnceValues(func() (*mariadb.Server, error) { return mariadb.Start(context.Background()) })

var singleUsed atomic.Bool

func TestMariaDB(t *testing.T) {
	singleUsed.Store(true)
	server, err := single()
	require.NoError(t, err)
	databases := opened{dsn: func(t testing.TB) string { return database(t, server) }}
	Exercise(t, Engine{Name: "mariadb", Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		return databases.open(t, dialector(databases.find(t, key)), config)
	}})
}

// dialector opens a DSN as users do. The suite's own statements join texts by ||.
func dialector(dsn string) gorm.Dialector {
	return mysql.New(mysql.Config{DSN: dsn + "&max_recursive_iterations=4294967295&sql_mode=" + "%27STRICT_TRANS_TABLES%2CNO_ENGINE_SUBSTITUTION%2CPIPES_AS_CONCAT%27", DefaultStringSize: 375, DefaultDatetimePrecision: &microseconds})
}

// microseconds are what the other engines keep of a time.
var microseconds = 6

var databaseNumber atomic.Int64

// database makes one for a test, and drops it at its end.
func database(t testing.TB, server *mariadb.Server) string {
	t.Helper()
	name := fmt.Sprintf("m2msafe_%d", databaseNumber.Add(1))
	run := func(statement string) {
		db, err := gorm.Open(mysql.Open(server.DSN("")), &gorm.Config{})
		require.NoError(t, err)
		require.NoError(t, db.Exec(statement).Error)
		pool, err := db.DB()
		require.NoError(t, err)
		require.NoError(t, pool.Close())
	}
	run("CREATE DATABASE " + name + " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin") // which compares as the other engines do
	t.Cleanup(func() { run("DROP DATABASE " + name) })
	return server.DSN(name)
}
