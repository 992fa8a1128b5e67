package m2msafe

import (
	"fmt"
	"sync/atomic"

	"gorm.io/gorm"
)

// savepoints numbers them: a name must not be another's that is still there, as none is
// released, and the later one would be what is rolled back to.
var savepoints atomic.Uint64

// behindSavepoint runs f in a transaction that there is, behind a savepoint unless
// DisableNestedTransaction is set. It is GORM's nested Transaction, whose dialects for
// PostgreSQL and SQLite don't tell what became of SAVEPOINT and ROLLBACK TO SAVEPOINT: if
// such a statement is cancelled, the next one is the first to fail, by 25P02, and
// nobody hears why.
func behindSavepoint(db *gorm.DB, f func(tx *gorm.DB) error) (err error) {
	tx := db.Session(&gorm.Session{})
	if db.DisableNestedTransaction {
		return f(tx)
	}
	name := fmt.Sprintf("m2msafe_%d", savepoints.Add(1))
	if err := savepoint(db, name); err != nil {
		return err
	}
	panicked := true
	defer func() {
		if panicked || err != nil {
			err = rollBackTo(db, name, err)
		}
	}()
	err = f(tx)
	panicked = false
	return err
}

// savepoint sets one.
func savepoint(db *gorm.DB, name string) error {
	tx := pointer(db)
	if db.Name() == "sqlserver" {
		return tx.SavePoint(name).Error
	}
	return tx.Exec("SAVEPOINT " + name).Error
}

// rollBackTo rolls back to one behind an error, and returns that. If it can't, the
// transaction is of no use any more, and the error says why.
func rollBackTo(db *gorm.DB, name string, err error) error {
	tx := pointer(db)
	tx.Error = nil // else nothing is sent
	if db.Name() == "sqlserver" {
		tx = tx.RollbackTo(name)
	} else {
		tx = tx.Exec("ROLLBACK TO SAVEPOINT " + name)
	}
	// With its context, or by a deadlock of InnoDB's, the whole transaction is rolled back.
	if tx.Error == nil || db.Statement.Context.Err() != nil || retryable(err) || err == nil {
		return err
	}
	return fmt.Errorf("%w; the savepoint in front of it could not be rolled back to: %w", err, tx.Error)
}

// pointer is a session that prepares nothing: what sets savepoints can't be prepared
// everywhere, and has a name of its own each time.
func pointer(db *gorm.DB) *gorm.DB {
	tx := db.Session(&gorm.Session{NewDB: true, Initialized: true})
	if prepared, ok := tx.Statement.ConnPool.(*gorm.PreparedStmtTX); ok {
		tx.Statement.ConnPool = prepared.Tx
	}
	return tx
}
