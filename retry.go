package m2msafe

import (
	"errors"
	"fmt"
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
	ready     bool     // nothing is left to do but COMMIT
	stored    bool     // without GORM's transaction around it: a part is stored for good
	committed bool     // COMMIT has succeeded
	lost      error    // what a call in a Transaction has said
	outer     *attempt // the Transaction that this one has joined
}

// each calls f for an attempt, and for those that it is a part of.
func (a *attempt) each(f func(*attempt)) {
	for ; a != nil; a = a.outer {
		f(a)
	}
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
	keepMaps(db)
	if t, ok := relationsOf(db, true); ok {
		remember(db, t)
	}
}

// rememberDelete is the step of the delete processor. Of deletes only those of links by
// Associations are the plugin's concern: they name their rows, and do no harm twice. A
// join model is known once an owner of its has come by, a table of GORM's own by having
// no name.
func rememberDelete(db *gorm.DB) {
	keepWithin(db)
	plugin, used := db.Plugins[pluginName].(*Plugin)
	model := db.Statement.Schema
	if _, again := attemptOf(db); again || !used || plugin.settings.off || db.DryRun || model == nil {
		return
	}
	if _, join := plugin.plans.joins.Load(model.ModelType); !join && model.ModelType.Name() != "" ||
		!calledBy("Delete", "gorm.io/gorm.(*Association)") {
		return
	}
	hooked := (model.BeforeDelete || model.AfterDelete) && !db.Statement.SkipHooks
	if hooked && db.SkipDefaultTransaction && !inside(db) { // it is no transaction
		return
	}
	a := new(attempt)
	if !inside(db) {
		a.statement = db.Session(&gorm.Session{Initialized: true})
		a.memory.keepAll(db.Statement) // RETURNING is scanned there, and is a condition the next time
	}
	db.Statement.Settings.Store(attemptKey{db.Statement}, a)
}

// stored is the step right behind COMMIT.
func stored(db *gorm.DB) {
	if a, ok := attemptOf(db); ok && a.statement != nil {
		a.committed = db.Error == nil
	}
}

// executor is a processor of GORM's, which has no name for it.
type executor interface{ Execute(db *gorm.DB) *gorm.DB }

// retry runs a statement again that lost, behind everything else.
func retry(db *gorm.DB, processor executor) {
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
		if a.committed { // what has failed came behind it
			a.told.stand()
			return struct{}{}, backoff.Permanent(last)
		}
		a.told.forget()
		if a.stored {
			return struct{}{}, backoff.Permanent(last)
		}
		if a.ready && !turnedDown(db, last) {
			a.memory.restoreNamed()
			return struct{}{}, backoff.Permanent(last)
		}
		if a.ready {
			abandoned(db)
		}
		a.ready = false
		a.memory.restore()
		if again = retryable(last); !again {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0))
	if a.committed {
		return last
	}
	if again && db.Statement.Context.Err() != nil && !errors.Is(last, db.Statement.Context.Err()) {
		if ended := db.Statement.Context.Err(); !errors.Is(err, ended) { // its cause
			err = fmt.Errorf("%w: %w", ended, err)
		}
		return errors.Join(lost(last), err) // it would have been tried again
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
