package soak

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/compat/mariadb"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// engine is a kind of server.
type engine struct {
	// start starts one, and gives what opens pools to it.
	start   func(ctx context.Context) (stop func() error, open func() *sql.DB, err error)
	dialect func(pool gorm.ConnPool) gorm.Dialector

	// Statements: what the server is; how many statements are prepared, and how many
	// bytes are in use. These two are asked in each session, and added up, or once.
	version, prepared, memory string
	eachSession               bool
}

var engines = map[string]engine{
	"postgres": {
		start: func(ctx context.Context) (func() error, func() *sql.DB, error) {
			cluster, err := pgcluster.Start(ctx)
			if err != nil {
				return nil, nil, err
			}
			config, err := pgx.ParseConfig(cluster.DSN())
			if err != nil {
				return nil, nil, errors.Join(err, cluster.Stop())
			}
			return cluster.Stop, func() *sql.DB { return stdlib.OpenDB(*config) }, nil
		},
		dialect:     func(pool gorm.ConnPool) gorm.Dialector { return postgres.New(postgres.Config{Conn: pool}) },
		version:     "SELECT split_part(version(), ' on ', 1)",
		prepared:    "SELECT count(*) FROM pg_prepared_statements",
		memory:      "SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts",
		eachSession: true,
	},
	"mariadb": {
		start: func(ctx context.Context) (func() error, func() *sql.DB, error) {
			server, err := mariadb.Start(ctx)
			if err != nil {
				return nil, nil, err
			}
			config, err := driver.ParseDSN(server.DSN(""))
			if err != nil {
				return nil, nil, errors.Join(err, server.Stop())
			}
			config.Logger = &driver.NopLogger{} // it tells of connections that a context ends
			open := func() *sql.DB {
				connector, _ := driver.NewConnector(config) // which only looks at TLS and keys
				return sql.OpenDB(connector)
			}
			pool := open()
			_, err = pool.ExecContext(ctx, "CREATE DATABASE soak")
			if err = errors.Join(err, pool.Close()); err != nil {
				return nil, nil, errors.Join(err, server.Stop())
			}
			config.DBName = "soak"
			return server.Stop, open, nil
		},
		dialect:  func(pool gorm.ConnPool) gorm.Dialector { return mysql.New(mysql.Config{Conn: pool}) },
		version:  "SELECT CONCAT('MariaDB ', VERSION())",
		prepared: "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'PREPARED_STMT_COUNT'",
		memory:   "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'MEMORY_USED'",
	},
}

// Engines are the names of the engines that a run can be on.
func Engines() []string { return []string{"postgres", "mariadb"} }

// ask asks a statement for a number, in each session of a pool or in one.
func (e engine) ask(ctx context.Context, pool *sql.DB, statement string) (sum float64, err error) {
	sessions := 1
	if e.eachSession {
		sessions = pool.Stats().MaxOpenConnections
	}
	for range sessions {
		session, err := pool.Conn(ctx)
		if err != nil {
			return 0, fmt.Errorf("soak: %w", err)
		}
		defer session.Close() // not before all have been asked
		var n float64
		if err := session.QueryRowContext(ctx, statement).Scan(&n); err != nil {
			return 0, fmt.Errorf("soak: %s: %w", statement, err)
		}
		sum += n
	}
	return sum, nil
}
