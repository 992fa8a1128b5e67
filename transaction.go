package m2msafe

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Transaction runs fn in a transaction, and runs it again if that lost against
// another one: for several calls that must stand together.
//
//	err := m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error {
//		if err := tx.Model(&user).Association("Groups").Append(&group); err != nil {
//			return err
//		}
//		return tx.Model(&user).Association("Rooms").Append(&room)
//	})
//
// opts are those of [With], which reach all that is done through tx; [Retries] is how
// many more times it is run, [TxOptions] how it begins. What tells it that fn has lost
// is fn's error, which has to have the database's in it (%w, not %v), or any call
// through tx that lost, whatever fn makes of that; but fn may pass over that a query or
// statement of its own has waited for a lock for too long (NOWAIT).
//
// Models that fn passes to GORM through tx are as they were before, each time that fn
// runs again, and if Transaction fails; but in the field of an owner that fn has not
// loaded or created itself an Append's targets stay, as they do if one fails without
// the plugin, unless a run stands that has not appended to it: that empties the field. A
// value that was appended to a slice of values (a Group to a []Group) has in the end what
// the last run has made of it, if that failed too: GORM works on a copy. What else fn changes it has to set anew: it may not count up, send
// mails, or write through anything but tx. Reports of [ReportTo] hold what stands.
//
// If fn panics, the transaction is rolled back and the panic goes on. A Transaction
// in a transaction joins that: it runs once, behind a savepoint unless
// DisableNestedTransaction is set, models are as they were before if it fails and was
// behind one, and what lost is the outer one's to run again.
//
// It returns fn's error, or that of COMMIT; [ErrRetry] with the database's error in it
// if it goes on losing; [ErrOption] for refused options and a nil fn, [ErrNotInUse],
// [ErrUnsupportedDatabase], and, joined to the last try's error, the context's. Behind an error of a connection
// that broke at COMMIT the transaction may be stored or not: then targets that were looked
// up by a natural key are put back, and other models stay as they are. It is safe for concurrent use, each call with models of its own; tx is not.
func Transaction(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error, opts ...Option) error {
	if fn == nil {
		return fmt.Errorf("%w: Transaction takes a function, not nil", ErrOption)
	}
	db = With(db, opts...).WithContext(ctx)
	if db.Error != nil {
		return db.Error
	}
	if inside(db) {
		return joined(db, fn)
	}
	plugin := *db.Plugins[pluginName].(*Plugin)
	a := new(attempt)
	plugin.settings.within = a
	setPlugin(db, &plugin)
	return a.run(db, func() error {
		a.lost = nil
		a.memory.forget()
		panicked := true
		defer func() {
			if panicked {
				a.memory.restore()
			}
		}()
		err := db.Transaction(func(tx *gorm.DB) error {
			err := fn(tx)
			if a.lost != nil && !retryable(err) {
				err = errors.Join(a.lost, err)
			}
			err = ended(tx, plugin.plans, err)
			a.ready = err == nil
			return err
		}, plugin.settings.txOptions)
		panicked = false
		if err == nil {
			a.memory.emptyStale()
		}
		return err
	})
}

// joined runs fn in the transaction that there is. If it fails, what is behind its
// savepoint is undone, and models are as they were before.
func joined(db *gorm.DB, fn func(tx *gorm.DB) error) error {
	plugin := *db.Plugins[pluginName].(*Plugin)
	a := &attempt{outer: plugin.settings.within}
	plugin.settings.within = a
	setPlugin(db, &plugin)
	undone := !db.DisableNestedTransaction
	defer func() {
		switch {
		case undone:
			a.memory.restore()
		case a.outer != nil:
			a.outer.told.join(&a.told)
		default:
			a.told.stand()
		}
	}()
	err := behindSavepoint(db, fn)
	undone = undone && err != nil
	return lostWithin(db, err)
}

// keepWithin keeps the models of a statement in a [Transaction], as they are before
// its first statement about them.
func keepWithin(db *gorm.DB) {
	plugin, ok := db.Plugins[pluginName].(*Plugin)
	if !ok || plugin.settings.within == nil || db.Statement.Schema == nil {
		return
	}
	stmt := db.Statement
	var rel *schema.Relationship
	if len(stmt.Selects) > 0 && calledBy("Updates", "gorm.io/gorm.(*Association)") {
		rel = stmt.Schema.Relationships.Relations[stmt.Selects[0]]
	}
	plugin.settings.within.each(func(a *attempt) {
		if rel != nil {
			eachModel(stmt.ReflectValue, func(owner reflect.Value) { a.memory.keepAppended(stmt, rel, owner) })
		}
		a.memory.keepAll(stmt)
	})
}

// keepMaps keeps maps that are created, which GORM puts their keys into.
func keepMaps(db *gorm.DB) {
	within := settingsOf(db).within
	if within == nil || db.Statement.Dest == nil {
		return
	}
	switch values := reflect.Indirect(reflect.ValueOf(db.Statement.Dest)).Interface().(type) {
	case map[string]any:
		within.each(func(a *attempt) { a.memory.keepMap(values) })
	case []map[string]any:
		for _, one := range values {
			within.each(func(a *attempt) { a.memory.keepMap(one) })
		}
	}
}

// lostWithin is lost in a transaction that is not the call's own; a [Transaction]
// hears of it.
func lostWithin(db *gorm.DB, err error) error {
	if !retryable(err) {
		return err
	}
	settingsOf(db).within.each(func(a *attempt) { a.lost = lost(err) })
	return lost(err)
}
