// Package pgtest gives every test of this project a PostgreSQL schema of its own
// on a real server, and fails the test that leaves something behind there.
//
// The server is chosen once per test binary, at the first [DSN]:
//
//  1. M2MSAFE_TEST_POSTGRES holds the DSN (keywords or URL) of a server to use;
//  2. where a Docker engine answers, a container by dockertest, from the image
//     that M2MSAFE_TEST_POSTGRES_IMAGE names, else [DefaultImage], else one that
//     testdata/postgres/image.sh makes from this machine's PostgreSQL;
//     M2MSAFE_TEST_DOCKER=off skips this, =require allows nothing else;
//  3. a throwaway cluster of this machine's PostgreSQL programs (internal/pgcluster);
//  4. the same, after testdata/postgres/install.sh has installed them, as root.
//
// A server that happens to be running is never used unless the DSN names it.
//
// The server belongs to the package's TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of Admin
)

const (
	startLimit = 10 * time.Minute // a package manager or a registry may be at work
	sqlLimit   = 30 * time.Second
)

// shared is what the tests of one process have in common.
type shared struct {
	mu      sync.Mutex
	running bool // Run is on the stack: somebody will stop the server
	started bool
	err     error
	server  *server
	admin   *sql.DB
}

var common shared

// Run runs the tests and then stops whatever server they started, also when the
// process is interrupted. It starts nothing by itself. The result is for
// os.Exit; a server that does not stop cleanly fails the run.
//
// A panic in a test ends the process past every deferred call. The server goes
// then too: see internal/pgcluster for the cluster and watch for the container.
func Run(m *testing.M) (code int) {
	common.mu.Lock()
	common.running = true
	common.mu.Unlock()

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	finished := make(chan struct{})
	go func() {
		select {
		case <-interrupted:
			fmt.Fprintln(os.Stderr, "pgtest: interrupted, stopping the server")
			_ = common.stop()
			os.Exit(130)
		case <-finished:
		}
	}()
	defer func() {
		signal.Stop(interrupted)
		close(finished)
		if err := common.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}()
	return m.Run()
}

// DSN returns the keyword DSN or URL of a new schema, set as the search_path,
// with the schema's name as application_name. When the test ends it fails if
// sessions of that name are still in a transaction, still at work or hold
// advisory locks (they get two seconds to end), or if a prepared transaction
// is left; then the schema is dropped.
func DSN(t testing.TB) string {
	t.Helper()
	db := Admin(t)
	return Schema(t, db, common.server.dsn)
}

// Schema is DSN on another server, given its administrator's pool and DSN.
func Schema(t testing.TB, admin *sql.DB, server string) string {
	t.Helper()
	schema := "t_" + randomHex()
	ctx, cancel := context.WithTimeout(context.Background(), sqlLimit)
	defer cancel()
	if _, err := admin.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), sqlLimit)
		defer cancel()
		for _, problem := range cleanUp(ctx, admin, schema) {
			t.Errorf("pgtest: left behind in %s: %v", schema, problem)
		}
	})
	dsn, err := withSettings(server, map[string]string{
		"search_path":      schema,
		"application_name": schema,
	})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return dsn
}

// Admin returns a connection pool to the server that all tests share: for
// looking at pg_locks and the like, not for the schema under test. It must not
// be closed.
func Admin(t testing.TB) *sql.DB {
	t.Helper()
	if err := common.start(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return common.admin
}

// ServerKind says where the tests run: "dsn", "docker" or "cluster"; "" as long
// as no test has asked for a server.
func ServerKind() string {
	common.mu.Lock()
	defer common.mu.Unlock()
	if common.server == nil {
		return ""
	}
	return common.server.kind
}

// start starts the server at its first call; later calls return the same result.
func (s *shared) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return errors.New("nobody would stop the server: TestMain must call pgtest.Run")
	}
	if s.started {
		return s.err
	}
	s.started = true
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s.server, s.err = choose(ctx, sources(os.Getenv))
	if s.err != nil {
		return s.err
	}
	s.admin, s.err = open(ctx, s.server.dsn)
	return s.err
}

// stop closes the pool and stops the server; without one it does nothing.
func (s *shared) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	var errs []error
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
		s.admin = nil
	}
	if s.server != nil {
		errs = append(errs, s.server.stop())
		s.server = nil
	}
	return errors.Join(errs...)
}

// open connects to the server and sees that it answers.
func open(ctx context.Context, dsn string) (*sql.DB, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(8) // tests in parallel clean up in parallel
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func randomHex() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
