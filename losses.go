package m2msafe

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// lost is the error of a transaction that lost: it says what to do.
func lost(err error) error {
	if !retryable(err) || errors.Is(err, ErrRetry) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRetry, err)
}

// turnedDown says whether the database has answered COMMIT with a refusal: the
// transaction lost, a deferred constraint is violated or trigger fails, or an error was
// passed over that had aborted it. Behind others it may have been carried out: by
// PostgreSQL's classes of SQLSTATE those of the connection, of an operator who ends the
// session, of the system, and internal ones, and statement_completion_unknown; by SQLite's
// codes IOERR alone. Behind sql.ErrTxDone it was never sent.
func turnedDown(db *gorm.DB, err error) bool {
	var state interface{ SQLState() string }
	switch {
	case retryable(err), gormSentinel(db, err) != nil, translated(err):
		return true
	case errors.Is(err, sql.ErrTxDone): // the context had ended: rolled back, and COMMIT never sent
		return true
	case errors.As(err, &state):
		code := state.SQLState()
		return len(code) == 5 && code != "40003" && !slices.Contains([]string{"08", "57", "58", "XX"}, code[:2])
	}
	if code, driver := codeOf(err); driver == "sqlite" { // sqlite.org/rescode.html: SQLITE_IOERR alone may come late
		return code&0xff != 10
	}
	return strings.Contains(err.Error(), "commit unexpectedly resulted in rollback") || // pgx.ErrTxCommitRollback
		strings.Contains(err.Error(), "complete operation in a failed transaction") // pq.ErrInFailedTransaction
}

// translated says whether it is a sentinel of GORM's, which under TranslateError may be
// all that is left of the database's error.
func translated(err error) bool {
	return errors.Is(err, gorm.ErrDuplicatedKey) || errors.Is(err, gorm.ErrForeignKeyViolated) || errors.Is(err, gorm.ErrCheckConstraintViolated)
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

// waited says whether it is because a lock was waited for too long.
func waited(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == "55P03"
	}
	number, driver := codeOf(err)
	return driver == "sqlite" || driver == "MySQLError" && number == 1205
}

// codeOf finds the number of a driver's error: MySQLError.Number of
// go-sql-driver, Error.Number of go-mssqldb, Error.Code of mattn's SQLite, Code() of
// the other two, and ncruces' codes, which are errors themselves.
func codeOf(err error) (number int64, driver string) {
	for _, e := range flatten(err) {
		v := reflect.Indirect(reflect.ValueOf(e))
		if v.Kind() == reflect.Struct && v.Type().Name() == "MySQLError" {
			if n := v.FieldByName("Number"); n.CanUint() {
				return int64(n.Uint()), "MySQLError" // #nosec G115 -- it is a uint16
			}
		}
		if v.IsValid() && v.CanUint() && strings.HasSuffix(v.Type().Name(), "ErrorCode") && strings.Contains(v.Type().PkgPath(), "sqlite") {
			return int64(v.Uint()), "sqlite" // #nosec G115 -- it is a uint16 at most
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
