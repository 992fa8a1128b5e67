package compat

import (
	"database/sql"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
)

// MySQLFamily is a server that speaks MySQL's protocol. dsn tells the DSN of one
// of its databases, "" for none, with the parameters of the connection behind it
// that the server needs. schema is what stands behind CREATE DATABASE and its name.
func MySQLFamily(name, schema string, dsn func(database string) string) Engine {
	databases := opened{dsn: func(t testing.TB) string {
		t.Helper()
		return dsn(newDatabase(t, dsn(""), schema))
	}}
	return Engine{Name: name, Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		return databases.open(t, MySQLDialector(databases.find(t, key), nil), config)
	}}
}

// MySQLDialector is the driver as users have it, on a pool of theirs if there is
// one; strings without a size may be keys, and times are kept as other engines do.
// The suite's own statements join texts by ||.
func MySQLDialector(dsn string, pool gorm.ConnPool) gorm.Dialector {
	modes := url.QueryEscape("'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT'")
	microseconds := 6
	return mysql.New(mysql.Config{DSN: dsn + "&sql_mode=" + modes, Conn: pool, DefaultStringSize: 375, DefaultDatetimePrecision: &microseconds})
}

var databaseNumber atomic.Int64

// newDatabase makes one for a test, and drops it at its end.
func newDatabase(t testing.TB, dsn, schema string) string {
	t.Helper()
	name := fmt.Sprintf("m2msafe_%d", databaseNumber.Add(1))
	run := func(statement string) {
		t.Helper()
		pool, err := sql.Open("mysql", dsn)
		require.NoError(t, err)
		defer pool.Close()
		_, err = pool.Exec(statement)
		require.NoError(t, err)
	}
	run("CREATE DATABASE " + name + " " + schema)
	t.Cleanup(func() { run("DROP DATABASE " + name) })
	return name
}
