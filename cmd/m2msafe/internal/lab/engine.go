package lab

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/ncruces/go-sqlite3/gormlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// The engines' names, which are those of GORM's dialects.
const (
	Auto     = "auto"
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// connectLimit bounds the first connection to a server that is given by its
// DSN: a wrong address should not cost minutes.
const connectLimit = 15 * time.Second

// Engine is a database to measure on.
type Engine struct {
	Name  string // Postgres or SQLite
	Title string // for people: "PostgreSQL 15.14, a throwaway cluster"
	Note  string // why it is this engine, if that was not asked for
	// DeadlockTimeout is PostgreSQL's setting where the lab has changed it.
	DeadlockTimeout string

	fresh func(ctx context.Context) (gorm.Dialector, *sql.DB, error)
	close []func(ctx context.Context) error // run last to first
}

// quickDeadlocks is the deadlock_timeout of a quick run on a cluster of the
// lab's own. It is how long each deadlock takes; whether there is one it does
// not change.
const quickDeadlocks = "200ms"

// OpenEngine opens the engine called name. Auto is PostgreSQL if one can be had
// and SQLite otherwise; a DSN that is given has to work.
func OpenEngine(ctx context.Context, name, dsn string, quick bool) (*Engine, error) {
	switch {
	case name == SQLite && dsn != "":
		return nil, errors.New("a DSN is of a PostgreSQL server: leave --dsn out, or --engine sqlite")
	case name == SQLite:
		return openSQLite(ctx)
	case dsn != "":
		return openPostgres(ctx, dsn, "the server of the DSN", "", nil)
	}
	cluster, err := pgcluster.Start(ctx)
	switch {
	case err == nil:
		deadlocks := ""
		if quick {
			deadlocks = quickDeadlocks
		}
		stop := func(context.Context) error { return cluster.Stop() }
		return openPostgres(ctx, cluster.DSN(), "a throwaway cluster", deadlocks, stop)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case name == Postgres:
		return nil, fmt.Errorf("no PostgreSQL to measure on: %w\n(--dsn takes a server that runs already; --engine sqlite needs none)", err)
	}
	engine, liteErr := openSQLite(ctx)
	if liteErr != nil {
		return nil, errors.Join(err, liteErr)
	}
	engine.Note = "No PostgreSQL could be had, so this is SQLite, which lets one writer in at a time: races and deadlocks are rarer than in production.\n" +
		"The reason: " + strings.TrimSpace(err.Error())
	return engine, nil
}

// openPostgres prepares a schema of the lab's own on a server. deadlocks is the
// deadlock_timeout to set, which takes a superuser, "" for the server's. stop
// ends the server with the engine.
func openPostgres(ctx context.Context, dsn, whose, deadlocks string, stop func(context.Context) error) (_ *Engine, err error) {
	e := &Engine{Name: Postgres, DeadlockTimeout: deadlocks}
	if stop != nil {
		e.close = append(e.close, stop)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close(ctx))
		}
	}()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// Not with pgx's words: they have the DSN, and the password where a mistake keeps
		// pgx from finding it.
		return nil, errors.New("the DSN can't be read: it takes postgres://user:password@host:5432/database, with what is not plain as %40, or host=… port=… user=… password=… dbname=…")
	}
	admin := stdlib.OpenDB(*config)
	e.close = append(e.close, func(context.Context) error { return admin.Close() })
	connecting, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	var version string
	if err := admin.QueryRowContext(connecting, "SHOW server_version").Scan(&version); err != nil {
		return nil, fmt.Errorf("can't reach %s: %w", whose, err)
	}
	number, _, _ := strings.Cut(version, " ")
	e.Title = "PostgreSQL " + number + ", " + whose

	schema := "m2msafe_lab_" + strings.ToLower(rand.Text()[:8])
	drop := func(ctx context.Context) error {
		_, err := admin.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
		return err
	}
	create := func(ctx context.Context) error {
		_, err := admin.ExecContext(ctx, "CREATE SCHEMA "+schema)
		return err
	}
	if err := create(connecting); err != nil {
		return nil, fmt.Errorf("can't create a schema on %s: %w", whose, err)
	}
	e.close = append(e.close, drop)

	inside := config.Copy()
	inside.RuntimeParams["search_path"] = schema
	if deadlocks != "" {
		inside.RuntimeParams["deadlock_timeout"] = deadlocks
	}
	e.fresh = func(ctx context.Context) (gorm.Dialector, *sql.DB, error) {
		if err := errors.Join(drop(ctx), create(ctx)); err != nil {
			return nil, nil, err
		}
		pool := stdlib.OpenDB(*inside)
		return postgres.New(postgres.Config{Conn: pool}), pool, nil
	}
	return e, nil
}

// openSQLite prepares a temporary folder with a database file for each trial.
func openSQLite(ctx context.Context) (*Engine, error) {
	dir, err := os.MkdirTemp("", "m2msafe-lab-")
	if err != nil {
		return nil, err
	}
	e := &Engine{Name: SQLite}
	e.close = append(e.close, func(context.Context) error { return os.RemoveAll(dir) })
	trials := 0
	e.fresh = func(context.Context) (gorm.Dialector, *sql.DB, error) {
		trials++
		// The settings that are advised for several writers: a log, patience,
		// and transactions that take the write lock when they begin. Files are
		// thrown away, so nothing is synced.
		file := &url.URL{
			Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, fmt.Sprintf("%d.db", trials))}).EscapedPath(),
			RawQuery: "_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)" +
				"&_pragma=foreign_keys(on)&_txlock=immediate",
		}
		return gormlite.Open(file.String()), nil, nil
	}
	db, closeDB, err := e.Open(ctx, 1)
	if err == nil {
		var version string
		err = errors.Join(db.Raw("SELECT sqlite_version()").Scan(&version).Error, closeDB())
		e.Title = "SQLite " + version + ", embedded"
	}
	if err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	return e, nil
}

// Open returns an empty database of the engine with a connection for each
// writer. The one that Open returned before must be closed by then.
func (e *Engine) Open(ctx context.Context, writers int) (*gorm.DB, func() error, error) {
	dialector, pool, err := e.fresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err == nil {
		pool, err = db.DB()
	}
	if err != nil {
		if pool != nil {
			err = errors.Join(err, pool.Close())
		}
		return nil, nil, err
	}
	// As many connections as writers: a way that needed two at once would
	// starve here, as it would in an app at its limit.
	pool.SetMaxOpenConns(writers)
	pool.SetMaxIdleConns(writers)
	return db.WithContext(ctx), pool.Close, nil
}

// Close removes all that the engine has made, even if ctx is done.
func (e *Engine) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectLimit)
	defer cancel()
	var errs []error
	for i := len(e.close) - 1; i >= 0; i-- {
		errs = append(errs, e.close[i](ctx))
	}
	e.close = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}
