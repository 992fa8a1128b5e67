package m2msafe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
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

// attempt is a transaction of the plugin's own, or a statement of GORM's that is one,
// with what it may change besides the database.
type attempt struct {
	statement *gorm.DB // as it came to GORM; nil in the caller's transaction
	running   bool     // again
	memory    memory
	told      told
	ready     bool  // nothing is left to do but COMMIT
	stored    bool  // without GORM's transaction around it: a part is stored for good
	lost      error // what a call in a Transaction has said
}

// attemptKey is where a statement keeps its attempt.
type attemptKey struct{ *gorm.Statement }

func attemptOf(db *gorm.DB) (*attempt, bool) {
	a, ok := db.Statement.Settings.Load(attemptKey{db.Statement})
	if !ok {
		return nil, false
	}
	return a.(*attempt), true
}

// tryKey is where a statement's Settings, which nested ones inherit, keep the attempt
// that they are a part of.
const tryKey = "m2msafe:try"

// attempt is the one that the links are a part of, nil in the caller's transaction.
func (l *links) attempt() *attempt {
	if l.settings.within != nil {
		return l.settings.within
	}
	if a, ok := l.db.Statement.Settings.Load(tryKey); ok {
		return a.(*attempt)
	}
	return nil
}

// remember keeps what it takes to run a statement again, if GORM is going to begin
// a transaction for it, or nothing but links is written.
func remember(db *gorm.DB, t *taken) {
	if db.DryRun || db.SkipDefaultTransaction && !inside(db) && !t.onlyLinks(db) {
		return
	}
	if _, again := attemptOf(db); again {
		return
	}
	a := new(attempt)
	if !inside(db) {
		a.statement = db.Session(&gorm.Session{Initialized: true})
		a.memory.keepAll(db.Statement)
		db.Statement.Settings.Store(tryKey, a)
	}
	db.Statement.Settings.Store(attemptKey{db.Statement}, a)
}

// rememberCreate is the step of the create processor.
func rememberCreate(db *gorm.DB) {
	keepWithin(db)
	if t, ok := relationsOf(db, true); ok {
		remember(db, t)
	}
}

// retry runs a statement again that lost, behind everything else.
func retry(db *gorm.DB, creating bool) {
	a, ok := attemptOf(db)
	if !ok || a.running {
		return
	}
	db.Statement.Settings.Delete(attemptKey{db.Statement})
	if a.statement == nil {
		db.Error = lostWithin(db, db.Error)
		return
	}
	db.Statement.Settings.Delete(tryKey)
	if db.Error == nil {
		a.told.stand()
		return
	}
	processor := db.Callback().Update()
	if creating {
		processor = db.Callback().Create()
	}
	db.Error = a.run(db, func() error {
		if !a.running { // it has been tried once
			a.running = true
			return db.Error
		}
		try := a.statement.Session(&gorm.Session{Initialized: true})
		try.Statement.Settings.Store(attemptKey{try.Statement}, a)
		try.Statement.Settings.Store(tryKey, a)
		try = processor.Execute(try)
		db.RowsAffected = try.RowsAffected
		return try.Error
	})
}

// run runs try, a transaction, until it does not lose, with pauses in between that
// grow, and differ from one caller to the other. A try that has failed leaves memory
// as it was, unless it is not known to have: an answer to COMMIT that never came says
// nothing. Then the same call again finds targets by their natural keys, and by those
// alone: under its number there may be nothing, with the name another's by now, or,
// behind a crash, another's row. Rows that only a number tells keep theirs, so that the
// same call again finds them, or makes them under the same.
func (a *attempt) run(db *gorm.DB, try func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = 2*time.Millisecond, 250*time.Millisecond, 2
	tries := uint(settingsOf(db).retries) + 1 // #nosec G115 -- Retries refuses what is below zero
	var last error
	again := false
	_, err := backoff.Retry(db.Statement.Context, func() (struct{}, error) {
		again = false
		if last = try(); last == nil {
			a.told.stand()
			return struct{}{}, nil
		}
		a.told.forget()
		if a.stored {
			return struct{}{}, backoff.Permanent(last)
		}
		if a.ready && !turnedDown(db, last) {
			a.memory.restoreNamed()
			return struct{}{}, backoff.Permanent(last)
		}
		a.ready = false
		a.memory.restore()
		if again = retryable(last); !again {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(tries))
	if again && db.Statement.Context.Err() != nil && !errors.Is(last, db.Statement.Context.Err()) {
		return errors.Join(last, err) // it would have been tried again
	}
	return lost(last)
}

// alone runs try for a call that is no statement of GORM's: as run does, or once in
// the caller's transaction.
func (a *attempt) alone(db *gorm.DB, try func() error) error {
	if inside(db) {
		return lostWithin(db, try())
	}
	db.Statement.Settings.Store(attemptKey{db.Statement}, a)
	db.Statement.Settings.Store(tryKey, a)
	defer db.Statement.Settings.Delete(attemptKey{db.Statement})
	defer db.Statement.Settings.Delete(tryKey)
	return a.run(db, try)
}

// lost is the error of a transaction that lost: it says what to do.
func lost(err error) error {
	if !retryable(err) || errors.Is(err, ErrRetry) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRetry, err)
}

// turnedDown says whether the database has answered COMMIT with a refusal: the
// transaction lost, or a deferred constraint is violated. Any other error may have
// come after the COMMIT.
func turnedDown(db *gorm.DB, err error) bool {
	var state interface{ SQLState() string }
	return retryable(err) || gormSentinel(db, err) != nil || errors.As(err, &state) && strings.HasPrefix(state.SQLState(), "23")
}

// retryable says whether a database asks for the transaction to be run again. It
// knows PostgreSQL's drivers by SQLSTATE: serialization_failure,
// deadlock_detected and lock_not_available, which lock_timeout ends in. Others are told by what their error values look like, as an
// import of every driver would be the alternative.
func retryable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, errEnded) || errors.Is(err, ErrRetry) {
		return true
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		code := state.SQLState()
		return code == "40001" || code == "40P01" || code == "55P03"
	}
	switch number, driver := codeOf(err); driver {
	case "MySQLError":
		// ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK; ER_CHECKREAD, of MariaDB's
		// innodb_snapshot_isolation; TiDB's write conflicts (8002, 8005, 8022, 9007). A
		// statement that has met others' writes too often TiDB gives up under no number of
		// its own.
		if number == 1105 {
			return strings.Contains(err.Error(), "pessimistic lock retry limit reached")
		}
		return slices.Contains([]int64{1205, 1213, 1020, 8002, 8005, 8022, 9007}, number)
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
		// An app's errors may look alike.
		if from := v.Type().PkgPath(); strings.Contains(from, "mssql") && v.Kind() == reflect.Struct {
			if n := v.FieldByName("Number"); n.CanInt() {
				return n.Int(), "sqlserver"
			}
		} else if !strings.Contains(from, "sqlite") {
			continue
		}
		if v.Kind() == reflect.Struct {
			if code := v.FieldByName("Code"); code.CanInt() {
				return code.Int(), "sqlite"
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
