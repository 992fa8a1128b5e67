package compat

import (
	"context"
	"crypto/rand"
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq" // the other driver
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/compat/internal/pgbouncer"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// onPostgres are PostgreSQL's versions, its drivers and their protocols.
func onPostgres() []Runnable {
	runnables := []Runnable{
		{"postgres", true, postgresBy(postgres.Open)},
		{"postgres-second-entrance", true, func(t *testing.T) Engine {
			// Another plugin's callback is a reason not to take the first entrance: the
			// same suite, the same outcomes.
			e := postgresBy(postgres.Open)(t)
			e.Vary = &Variant{After: func(t testing.TB, db *gorm.DB) {
				require.NoError(t, db.Callback().Update().Before("gorm:update").Register("compat:not_direct", func(*gorm.DB) {}))
			}}
			return e
		}},
		{"postgres-extended", false, untyped(postgresBy(inMode(pgx.QueryExecModeExec)))},
		{"postgres-described", false, postgresBy(inMode(pgx.QueryExecModeCacheDescribe))},
		{"postgres-simple", false, untyped(postgresBy(inMode(pgx.QueryExecModeSimpleProtocol)))},
		{"postgres-pq", false, postgresBy(func(dsn string) gorm.Dialector {
			return postgres.New(postgres.Config{DriverName: "postgres", DSN: dsn})
		})},
		{"postgres-pgbouncer", false, behindPgbouncer},
		{"postgres-plain", false, asKin},
	}
	for _, version := range []string{"16", "17", "18"} {
		cluster := server(func(ctx context.Context) (*pgcluster.Cluster, error) {
			bin, err := script(ctx, "postgres.sh", version)
			if err != nil {
				return nil, err
			}
			return pgcluster.StartIn(ctx, bin)
		})
		runnables = append(runnables, Runnable{"postgres-" + version, false, func(t *testing.T) Engine {
			dsn := cluster(t).DSN()
			admin := adminOf(t, dsn)
			return postgresEngine(func(t testing.TB) string { return pgtest.Schema(t, admin, dsn) }, postgres.Open)
		}})
	}
	return runnables
}

// postgresBy is the server that all tests share, by what makes a dialector of a DSN.
func postgresBy(dialector func(dsn string) gorm.Dialector) func(*testing.T) Engine {
	return func(*testing.T) Engine { return postgresEngine(pgtest.DSN, dialector) }
}

func postgresEngine(dsn func(testing.TB) string, dialector func(dsn string) gorm.Dialector) Engine {
	databases := opened{dsn: dsn}
	return Engine{Dialect: "postgres", Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		return databases.open(t, dialector(databases.find(t, key)), config)
	}}
}

// inMode has pgx send statements in a mode.
func inMode(mode pgx.QueryExecMode) func(dsn string) gorm.Dialector {
	return func(dsn string) gorm.Dialector {
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			panic(err) // it is a DSN of ours
		}
		config.DefaultQueryExecMode = mode
		return postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config)})
	}
}

// untyped says that pgx is in a mode in which it does not ask for types.
func untyped(start func(*testing.T) Engine) func(*testing.T) Engine {
	return func(t *testing.T) Engine {
		e := start(t)
		e.Untyped = "in this mode pgx does not ask the server for the types of parameters"
		return e
	}
}

// asKin has the server say that it is CockroachDB: it is then sent the statements of
// PostgreSQL's kin.
func asKin(*testing.T) Engine {
	e := postgresEngine(pgtest.DSN, func(dsn string) gorm.Dialector {
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			panic(err) // it is a DSN of ours
		}
		config.RuntimeParams["search_path"] += ",pg_catalog"
		config.RuntimeParams["deadlock_timeout"] = "10ms" // these find a deadlock at once
		return postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config)})
	})
	open := e.Open
	e.Open = func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		db := open(t, key, config)
		exec(t, db, `CREATE OR REPLACE FUNCTION version() RETURNS text LANGUAGE sql AS $$ SELECT 'CockroachDB, played by ' || pg_catalog.version() $$`)
		return db
	}
	const unlocked = "of PostgreSQL's kin the ends are not locked: one that is deleted between the look and the insert is the foreign key's error"
	e.Vary = &Variant{Breaks: map[string]string{
		"a target that is being deleted is waited for":                      unlocked,
		"a target that is deleted meanwhile is refused under Omit of Rel.*": unlocked,
		"an owner that is deleted meanwhile is refused":                     unlocked,
		"a plan of DDL that is rolled back is not kept":                     "PostgreSQL's kin have no xmin to tell that a key is a transaction's own",
		"history: a unique key with NULLS NOT DISTINCT":                     "PostgreSQL's kin have no NULLS NOT DISTINCT in common: their catalogue is not asked for it",
	}}
	return e
}

var pooler = server(func(ctx context.Context) (*pgbouncer.Pooler, error) {
	if _, err := script(ctx, "install.sh", "pgbouncer"); err != nil {
		return nil, err
	}
	return pgbouncer.Start(ctx, pooled.DSN())
})

// pooled is the server behind it.
var pooled *pgcluster.Cluster

var behind = server(func(ctx context.Context) (*pgcluster.Cluster, error) { return pgcluster.Start(ctx) })

// behindPgbouncer has a database a test, as a search_path does not pass it. Prepared
// statements don't either, before pgbouncer 1.21.
func behindPgbouncer(t *testing.T) Engine {
	pooled = behind(t)
	port := pooler(t).Port()
	admin := adminOf(t, pooled.DSN())
	e := postgresEngine(func(t testing.TB) string {
		database := "t_" + strings.ToLower(rand.Text())
		_, err := admin.Exec("CREATE DATABASE " + database)
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := admin.Exec("DROP DATABASE " + database + " WITH (FORCE)")
			require.NoError(t, err)
		})
		return database
	}, func(database string) gorm.Dialector {
		config, err := pgx.ParseConfig(pooled.DSN())
		if err != nil {
			panic(err) // it is a DSN of ours
		}
		config.Port, config.Database, config.DefaultQueryExecMode = port, database, pgx.QueryExecModeExec
		return postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config)})
	})
	e.Vary = &Variant{Breaks: map[string]string{
		"a lock that is waited for too long is a loss, and is waited for again": "behind pgbouncer in transaction mode lock_timeout does not stay with a session",
	}}
	e.Unprepared = "pgbouncer 1.18 in transaction mode has no prepared statements: PrepareStmt does not work behind it"
	return untyped(func(*testing.T) Engine { return e })(t)
}

// adminOf is a pool to a server, until the test ends.
func adminOf(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	admin, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	return admin
}
