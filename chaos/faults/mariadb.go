package faults

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	driver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/compat/mariadb"
)

// startMariaDB starts a throwaway server whose COMMITs outlive its being killed: they
// are answered when they have been handed to the operating system.
func startMariaDB(ctx context.Context) (*server, error) {
	process, err := mariadb.Start(ctx, "--innodb-flush-log-at-trx-commit=2", "--innodb-lock-wait-timeout=5", "--port-open-timeout=5")
	if err != nil {
		return nil, fmt.Errorf("faults: %w; testdata/engines/install.sh mariadb installs it", err)
	}
	const database, user = "chaos", "chaos"
	password := rand.Text()
	config, err := driver.ParseDSN(process.DSN(""))
	if err != nil {
		return nil, errors.Join(err, process.Stop())
	}
	config.Logger = &driver.NopLogger{}
	open := func(config *driver.Config) *sql.DB {
		connector, _ := driver.NewConnector(config) // which only looks at TLS and keys
		return sql.OpenDB(connector)
	}
	first := open(config)
	defer first.Close()
	for _, statement := range []string{
		"CREATE DATABASE " + database,
		"CREATE USER " + user + "@'127.0.0.1' IDENTIFIED BY '" + password + "'",
		"GRANT ALL ON " + database + ".* TO " + user + "@'127.0.0.1'",
	} {
		if _, err := first.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("faults: %w", err), process.Stop())
		}
	}
	config = config.Clone()
	config.DBName = database
	s := &server{
		process: process,
		dialector: func(addr string) gorm.Dialector {
			app := config.Clone()
			app.Addr, app.User, app.Passwd = addr, user, password
			return mysql.New(mysql.Config{Conn: open(app)})
		},
		admin:     open(config),
		version:   "SELECT CONCAT('MariaDB ', VERSION())",
		sessions:  "SELECT id FROM information_schema.processlist WHERE user = '" + user + "' ORDER BY id",
		busy:      "SELECT id FROM information_schema.processlist WHERE user = '" + user + "' AND command <> 'Sleep' ORDER BY id",
		terminate: "KILL CONNECTION %s",
		cancel:    "KILL QUERY %s",
		open: `SELECT CONCAT('session ', t.trx_mysql_thread_id, ', in a transaction: ', COALESCE(t.trx_query, ''))
FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id AND p.user = '` + user + "'",
	}
	s.admin.SetMaxIdleConns(-1)
	return s, nil
}
