package m2msafe

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// A node of Galera ends a transaction that is in the way of another node's, and
// says so in the answer to the next statement. MariaDB 10.11.19 says it, a few times
// in a thousand, in answer to nothing: the closing of a prepared statement has none.
// What follows stands alone then, and COMMIT has nothing to do and succeeds. (Seen
// without GORM too: of 1,003 transactions of eight writers on two nodes that
// committed, each an INSERT, a SELECT and an INSERT of the same few rows, 3 were not
// stored.) So the transaction is asked for before it ends.

// errEnded is that it is no more. It may be run again.
var errEnded = errors.New("m2msafe: the database has ended the transaction before its COMMIT, and did not say so")

// stillOpen says whether a transaction that has written links is one still.
func stillOpen(db *gorm.DB, plans *plans) error {
	if !inside(db) || db.DryRun {
		return nil
	}
	p, err := plans.productOf(db)
	if err != nil || !p.galera {
		return err
	}
	open, err := catalog.InTransaction(querier(db))
	if err == nil && !open {
		err = errEnded
	}
	return err
}

// checkOpen is the callback in front of GORM's COMMIT, or ROLLBACK: an error of a
// statement that stood alone says nothing.
func checkOpen(db *gorm.DB) {
	if t, ok := takenBy(db); ok {
		if err := ended(db, t.plans, db.Error); err != nil {
			db.Error = err
			db.Statement.Settings.Store(errorKey{db.Statement}, err)
		}
	}
	if a, ok := attemptOf(db); ok && db.Error == nil {
		a.ready = true
	}
}

// ended is the error of a transaction that is about to end: what it was, unless it is
// no transaction any more.
func ended(db *gorm.DB, plans *plans, err error) error {
	if retryable(err) {
		return err
	}
	switch open := stillOpen(db, plans); {
	case errors.Is(open, errEnded) && err != nil:
		return fmt.Errorf("%w: %w; what came of that: %v", ErrRetry, open, err) //nolint:errorlint // it is not so
	case retryable(open):
		return fmt.Errorf("%w: %w", ErrRetry, open)
	case err == nil:
		return open
	}
	return err
}
