// Package testserver is the PostgreSQL server of a test binary: one throwaway cluster, a
// database of its own for each that asks.
package testserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	_ "github.com/jackc/pgx/v5/stdlib" // makes the databases

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

var (
	start = sync.OnceValues(func() (*pgcluster.Cluster, error) {
		started.Store(true)
		return pgcluster.Start(context.Background())
	})
	started atomic.Bool
	made    atomic.Int64
)

// Missing says why there is no server on this machine, nil if there is one.
func Missing() error {
	_, err := pgcluster.Programs()
	return err
}

// Database makes an empty database, and returns its DSN as keywords. It is safe for
// concurrent use.
func Database() (dsn string, err error) {
	cluster, err := start()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("test_%d", made.Add(1))
	if err := Exec(cluster.DSN(), "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return cluster.DSN() + " dbname=" + name, nil
}

// Exec runs statements, in a transaction if they are several.
func Exec(dsn, statements string) (err error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.Exec(statements)
	return err
}

// Tests are a package's tests, which end the server that they have started.
type Tests struct{ M interface{ Run() int } }

// Run runs the tests, and returns their exit code.
func (t Tests) Run() int {
	code := t.M.Run()
	if started.Load() {
		if cluster, err := start(); err == nil {
			if err := cluster.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = max(code, 1)
			}
		}
	}
	return code
}
