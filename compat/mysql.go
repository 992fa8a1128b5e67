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

// MySQL is a server that speaks MySQL's protocol.
type MySQL struct {
	// DSN is that of one of the server's databases, "" for none, with a question
	// mark and parameters in it.
	DSN func(database string) string
	// Schema is what stands behind CREATE DATABASE and its name.
	Schema string
	// Pool connects to a database, if that takes more than its DSN.
	Pool func(t testing.TB, database string) gorm.ConnPool
}

// Engine gives each test a database of its own on the server.
func (m MySQL) Engine() Engine {
	databases := opened{dsn: func(t testing.TB) string { return newDatabase(t, m.DSN(""), m.Schema) }}
	return Engine{Dialect: "mysql", Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		t.Helper()
		database := databases.find(t, key)
		dialect := mysqlConfig
		dialect.DSN = m.DSN(database) + sqlMode
		if m.Pool != nil {
			dialect.Conn = m.Pool(t, database)
		}
		return databases.open(t, mysql.New(dialect), config)
	}}
}

// sqlMode is the server's own, and || joins texts, as it does in the suite's
// statements.
var sqlMode = "&sql_mode=" + url.QueryEscape("'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT'")

// mysqlConfig has strings without a size that may be keys, and keeps of a time what
// other engines do.
var mysqlConfig = func() mysql.Config {
	microseconds := 6
	return mysql.Config{DefaultStringSize: 375, DefaultDatetimePrecision: &microseconds}
}()

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
