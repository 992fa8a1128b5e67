package m2msafe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// rowState is a row that a dialect's statement returns.
type rowState struct {
	row   int
	state dialect.State
}

// states runs one of a dialect's statements.
func (l *links) states(call *dialect.Call, build func(clause.Builder, *dialect.Call) error) ([]rowState, error) {
	var all []rowState
	err := l.chunks(call, func(part *dialect.Call, from int) error {
		read := func(rows *sql.Rows) error {
			var row int
			var state string
			if err := rows.Scan(&row, &state); err != nil { // the context has just ended, say
				return err
			}
			all = append(all, rowState{from + row - 1, dialect.State(state[0])})
			return nil
		}
		return run(l.db, read, func(b clause.Builder) error { return build(b, part) })
	})
	return all, err
}

// chunks calls f for as many rows of a call at a time as fit one statement of
// the dialect, with the number of the first.
func (l *links) chunks(call *dialect.Call, f func(part *dialect.Call, from int) error) error {
	chunk := l.plan.dialect.Chunk(call.Columns())
	if chunk == 0 {
		chunk = call.N
	}
	for from := 0; from < call.N; from += chunk {
		if err := f(call.Cut(from, min(from+chunk, call.N)), from); err != nil {
			return l.databaseError(err)
		}
	}
	return nil
}

// databaseError wraps what the database said of a statement of the plugin's.
func (l *links) databaseError(err error) error {
	e := l.failure(nil, err, "")
	if retryable(err) {
		e.Err, e.Advice = ErrRetry, "run the transaction again"
	}
	if e.Err == nil && e.gormErr == nil && outdated(err) {
		l.forget()
	}
	if len(l.elements) > 0 && !l.severalOwners() {
		e.Owner = l.values(true, l.elements[0])
	}
	return e
}

// createError wraps an error of saving or looking up targets that says to try
// again; others come from GORM or the app's hooks, and go through as they are.
func (l *links) createError(err error) error {
	var known *LinkError
	if err == nil || errors.As(err, &known) || !retryable(err) {
		return err
	}
	return l.fail(ErrRetry, err, "run the transaction again")
}

// outdated says whether an error may be due to a plan that is older than the table:
// by SQLSTATE 42 (a name, a privilege or a key that is no more), 0A000 (a cached
// plan's result) and 55000 (a key that has become deferrable). Of databases that
// have no SQLSTATE it may be any error.
func outdated(err error) bool {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	code := state.SQLState()
	return strings.HasPrefix(code, "42") || code == "0A000" || code == "55000"
}

// inside says whether there is a transaction already.
func inside(db *gorm.DB) bool {
	_, inside := db.Statement.ConnPool.(gorm.TxCommitter)
	return inside
}

// atomically runs f in a transaction: the one there is, or else, if it is
// needed, one of its own. Where f may fail in the database, which would abort
// the transaction, the caller's is kept by a savepoint.
func (l *links) atomically(needed, savepoint bool, f func() error) error {
	_, gorms := l.db.InstanceGet("gorm:started_transaction")
	own := !inside(l.db)
	if l.db.DryRun || !own && (!savepoint || gorms) || own && !needed {
		return f()
	}
	a, ok := attemptOf(l.db)
	within := l.undone
	if own {
		within = func(db *gorm.DB, f func(tx *gorm.DB) error) error {
			return db.Session(&gorm.Session{NewDB: true}).Transaction(f)
		}
	}
	err := within(l.db, func(tx *gorm.DB) error {
		// As GORM's own BeginTransaction: everything below takes the
		// statement's connection.
		outer := l.db.Statement.ConnPool
		l.db.Statement.ConnPool = tx.Statement.ConnPool
		defer func() { l.db.Statement.ConnPool = outer }()
		err := ended(l.db, l.plans, f())
		if ok && own {
			a.ready = err == nil
		}
		return err
	})
	if ok && own && err == nil {
		a.stored = true
	}
	return err
}

// undone is behindSavepoint, with models as they were where that is rolled back to: the
// caller's transaction may go on, and give the numbers to others' rows.
func (l *links) undone(db *gorm.DB, f func(tx *gorm.DB) error) (err error) {
	var m memory
	m.keepAll(l.db.Statement)
	undone := !db.DisableNestedTransaction
	defer func() {
		if undone { // by a panic, too
			m.restore()
		}
	}()
	err = behindSavepoint(db, f)
	undone = undone && err != nil
	return err
}

// run builds a statement and runs it through GORM's row processor, with a
// function that reads a row, or its raw one where none are wanted: loggers,
// tracing and connection resolvers see it as any other, and nothing that caches
// queries does. Nothing is run if nothing was built.
func run(db *gorm.DB, read func(*sql.Rows) error, build func(clause.Builder) error) error {
	tx := db.Session(&gorm.Session{NewDB: true, Initialized: true})
	pin(tx.Statement)
	if err := build(tx.Statement); err != nil {
		return err
	}
	if tx.Statement.SQL.Len() == 0 {
		return nil
	}
	if read == nil {
		return tx.Callback().Raw().Execute(tx).Error
	}
	tx.Statement.Settings.Store("rows", true) // as gorm.DB.Rows does
	tx = tx.Callback().Row().Execute(tx)
	rows, _ := tx.Statement.Dest.(*sql.Rows)
	if tx.Error != nil || rows == nil {
		return tx.Error
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// exec is run for a statement without rows, with how many it has changed.
func exec(db *gorm.DB, build func(clause.Builder) error) (changed int64, err error) {
	tx := db.Session(&gorm.Session{NewDB: true, Initialized: true})
	pin(tx.Statement)
	if err := build(tx.Statement); err != nil {
		return 0, err
	}
	tx = tx.Callback().Raw().Execute(tx)
	return tx.RowsAffected, tx.Error
}

// ignore reads nothing of a row.
func ignore(*sql.Rows) error { return nil }

// querier runs the catalogue's statements on db's connection, DryRun or not:
// they only read.
func querier(db *gorm.DB) catalog.Query {
	return func(sqlText string, vars ...any) (*sql.Rows, error) {
		rows, err := db.Statement.ConnPool.QueryContext(db.Statement.Context, sqlText, vars...)
		if err != nil {
			return nil, fmt.Errorf("reading the catalogue: %w", err)
		}
		return rows, nil
	}
}

// calledBy says whether the statement at hand is run by a method of gorm.DB, and
// that by a caller, if one is given: for the two cases in which nothing in the
// statement tells one call from another.
func calledBy(method, caller string) bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		name, ofDB := strings.CutPrefix(frame.Function, "gorm.io/gorm.(*DB).")
		switch {
		case !more:
			return false
		case name == method:
			next, _ := frames.Next()
			return strings.HasPrefix(next.Function, caller)
		case ofDB && !strings.HasPrefix(name, "CreateInBatches"): // which Create may end in
			return false
		}
	}
}

// extended says whether another plugin has callbacks in a processor of GORM's
// that do more than watch: what does not pass through it would leave them out, or
// take their transaction from them. GORM keeps the names where only reflection
// reads them; if they can't be read the answer is yes.
func extended(processor any) bool {
	all := fieldOf(reflect.ValueOf(processor), "callbacks")
	if all.Kind() != reflect.Slice || all.Len() == 0 {
		return true
	}
	for i := range all.Len() {
		if name := fieldOf(all.Index(i), "name"); name.Kind() != reflect.String || !watches(name.String()) {
			return true
		}
	}
	return false
}

func fieldOf(v reflect.Value, name string) reflect.Value {
	if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}
