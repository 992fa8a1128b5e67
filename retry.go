package m2msafe

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/cenkalti/backoff/v5"
	"gorm.io/gorm"
)

// A transaction that lost against another one (a deadlock, a serialization
// failure, a lock that was waited for too long, a busy SQLite, Galera's COMMIT) has
// written nothing, and is run again if it is the call's own: the whole statement,
// hooks and all, on what was in memory before. The caller's transaction is the
// caller's to run again: ErrRetry.

// defaultRetries is how often that is tried by default.
const defaultRetries = 10

// attempt is a statement as it came to GORM, with what it may change.
type attempt struct {
	statement *gorm.DB
	memory    memory
	told      told
}

// attemptKey is where a statement keeps its attempt, nil if it is one already.
type attemptKey struct{ *gorm.Statement }

// remember keeps what it takes to run a statement again, if GORM is going to begin
// a transaction for it, or nothing but links is written.
func remember(db *gorm.DB, t *taken) {
	_, inside := db.Statement.ConnPool.(gorm.TxCommitter)
	if inside || db.DryRun || t.settings.retries == 0 || db.SkipDefaultTransaction && !t.onlyLinks(db) {
		return
	}
	if _, again := db.Statement.Settings.Load(attemptKey{db.Statement}); again {
		return
	}
	a := &attempt{statement: db.Session(&gorm.Session{Initialized: true})}
	a.memory.keepAll(db.Statement)
	db.Statement.Settings.Store(attemptKey{db.Statement}, a)
	db.Statement.Settings.Store(tryKey, &a.told)
}

// rememberCreate is the step of the create processor.
func rememberCreate(db *gorm.DB) {
	if t, ok := relationsOf(db, true); ok {
		remember(db, t)
	}
}

// retry runs a statement again that lost, behind everything else.
func retry(db *gorm.DB, creating bool) {
	value, _ := db.Statement.Settings.LoadAndDelete(attemptKey{db.Statement})
	a, ok := value.(*attempt)
	if !ok || a == nil {
		return
	}
	db.Statement.Settings.Delete(tryKey)
	defer func() {
		if db.Error == nil {
			a.told.stand()
		}
	}()
	if !retryable(db.Error) {
		return
	}
	processor := db.Callback().Update()
	if creating {
		processor = db.Callback().Create()
	}
	settings := &db.Plugins[pluginName].(*Plugin).settings
	failed := db.Error
	db.Error = settings.again(db.Statement.Context, func() error {
		if err := failed; err != nil { // by the first try
			failed = nil
			return err
		}
		a.memory.restore()
		a.told.forget()
		try := a.statement.Session(&gorm.Session{Initialized: true})
		try.Statement.Settings.Store(attemptKey{try.Statement}, (*attempt)(nil))
		try.Statement.Settings.Store(tryKey, &a.told)
		try = processor.Execute(try)
		db.RowsAffected = try.RowsAffected
		return try.Error
	})
	if retryable(db.Error) {
		a.memory.restore()
		if !errors.Is(db.Error, ErrRetry) {
			db.Error = fmt.Errorf("%w: %w", ErrRetry, db.Error)
		}
	}
}

// again calls try until it does not lose, with pauses in between that grow, and
// differ from one caller to the other.
func (s *settings) again(ctx context.Context, try func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = 2*time.Millisecond, 250*time.Millisecond, 2
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		last = try()
		if last != nil && !retryable(last) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(uint(s.retries)+1)) // #nosec G115 -- Retries refuses what is below zero
	if last != nil && !errors.Is(err, last) { // the context has ended
		return errors.Join(last, err)
	}
	return err
}

// retryable says whether a database asks for the transaction to be run again. It
// knows PostgreSQL's drivers by SQLSTATE: serialization_failure and
// deadlock_detected. Others are told by what their error values look like, as an
// import of every driver would be the alternative.
func retryable(err error) bool {
	if errors.Is(err, errEnded) {
		return true
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == "40001" || state.SQLState() == "40P01"
	}
	switch number, driver := codeOf(err); driver {
	case "MySQLError":
		// ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK; TiDB's write conflicts (8002, 8022,
		// 9007).
		return number == 1205 || number == 1213 || number == 8002 || number == 8022 || number == 9007
	case "sqlserver":
		return number == 1205 || number == 3960 // deadlock victim, update conflict of a snapshot
	case "sqlite":
		return number&0xff == 5 || number&0xff == 6 // SQLITE_BUSY, SQLITE_LOCKED
	}
	return false
}

// codeOf finds the number of a driver's error: MySQLError.Number of
// go-sql-driver, Error.Number of go-mssqldb, Error.Code of mattn's SQLite, Code() of
// the other two.
func codeOf(err error) (number int64, driver string) {
	for _, e := range flatten(err) {
		v := reflect.Indirect(reflect.ValueOf(e))
		if v.Kind() == reflect.Struct && v.Type().Name() == "MySQLError" {
			if n := v.FieldByName("Number"); n.CanUint() {
				return int64(n.Uint()), "MySQLError" // #nosec G115 -- it is a uint16
			}
		}
		if !v.IsValid() || v.Type().Name() != "Error" {
			continue
		}
		if v.Kind() == reflect.Struct {
			if code := v.FieldByName("Code"); code.CanInt() {
				return code.Int(), "sqlite"
			}
			if n := v.FieldByName("Number"); n.CanInt() {
				return n.Int(), "sqlserver"
			}
		}
		if code := reflect.ValueOf(e).MethodByName("Code"); code.IsValid() && code.Type().NumIn() == 0 && code.Type().NumOut() == 1 {
			switch n := code.Call(nil)[0]; {
			case n.CanInt():
				return n.Int(), "sqlite"
			case n.CanUint():
				return int64(n.Uint()), "sqlite" // #nosec G115 -- it is a uint32
			}
		}
	}
	return 0, ""
}

// flatten is an error and all that it wraps.
func flatten(err error) (all []error) {
	if err == nil {
		return nil
	}
	all = append(all, err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		all = append(all, flatten(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, flatten(inner)...)
		}
	}
	return all
}
