package m2msafe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
)

// The anchors in GORM's create and update processors, and the plugin's own
// callbacks beside them.
const (
	begin       = "gorm:begin_transaction"
	setup       = "gorm:setup_reflect_value"
	saveBefore  = "gorm:save_before_associations"
	insert      = "gorm:create"
	saveAfter   = "gorm:save_after_associations"
	afterCreate = "gorm:after_create"
	afterUpdate = "gorm:after_update"
	end         = "gorm:commit_or_rollback_transaction"

	directName    = "m2msafe:direct"
	rememberName  = "m2msafe:remember"
	checkName     = "m2msafe:check"
	noteName      = "m2msafe:note"
	settleName    = "m2msafe:settle"
	findMapName   = "m2msafe:find_map"
	settleMapName = "m2msafe:settle_map"
	takeName      = "m2msafe:take"
	linkName      = "m2msafe:link"
	openName      = "m2msafe:check_open"
	storedName    = "m2msafe:stored"
	finishName    = "m2msafe:finish"
	retryName     = "m2msafe:retry"
	veryEnd       = "*" // GORM's name for it, whoever registers later
)

// register puts the pipeline into db's processors. A statement that saves
// associations passes, in this order:
//
//	m2msafe:direct                 of an update that does nothing but link: all of it;
//	   or m2msafe:remember         else keep what it takes to run it again
//	gorm:begin_transaction
//	gorm:before_create or _update  the owner's hooks
//	m2msafe:check                  refuse what can't be linked, before a row is written
//	gorm:save_before_associations  belongs-to
//	m2msafe:note, gorm:create,
//	m2msafe:settle, or gorm:update the owner; settle is for targets: see there
//	m2msafe:take                   hide the many-to-many relations from GORM
//	gorm:save_after_associations   has-one, has-many
//	m2msafe:link                   show them again, and link
//	gorm:after_create or _update   the owner's hooks
//	m2msafe:check_open, COMMIT     on Galera: is the transaction still one
//
// An update that does nothing but link, but can't do so in m2msafe:direct, links
// in m2msafe:check, so that the owner's auto-update time moves only if a link did.
//
// Queries and deletes are remembered too, in a [Transaction], and those of Associations,
// Replace's among them, are run again if they lost.
//
// The anchors are Before: what GORM registers After a callback it appends to the
// very end, behind the COMMIT. There, m2msafe:finish puts back what the steps have
// changed. m2msafe:stored stands in front of what other plugins have there, whose errors are
// none of the transaction's; m2msafe:retry, which has one that lost run again, behind that.
func register(db *gorm.DB) error {
	// registrar is what GORM's unexported callback type offers.
	type registrar interface {
		Register(name string, fn func(*gorm.DB)) error
	}
	create, update, remove := db.Callback().Create(), db.Callback().Update(), db.Callback().Delete()
	query, row, raw := db.Callback().Query(), db.Callback().Row(), db.Callback().Raw()
	first := [...]string{begin, begin, begin}
	if db.SkipDefaultTransaction { // then GORM leaves that callback out
		first = [...]string{"gorm:before_create", setup, "gorm:before_delete"}
	}
	steps := []struct {
		at   registrar
		name string
		fn   func(*gorm.DB)
	}{
		{create.Before(first[0]), rememberName, rememberCreate},
		{create.Before(saveBefore), checkName, check(true)},
		{create.Before(insert), noteName, note},
		{create.Before(insert), findMapName, findMap},
		{create.Before(saveAfter), settleMapName, settleMap},
		{create.Before(saveAfter), settleName, settle},
		{create.Before(saveAfter), takeName, take(true)},
		{create.Before(afterCreate), linkName, link},
		{create.Before(end), openName, checkOpen},
		{create.After(end).Before(behind(create, end)), storedName, stored},
		{create.After(end), finishName, finish},
		{create.After(veryEnd), retryName, retryOf(create)},
		{update.Before(first[1]), directName, direct},
		{update.Before(saveBefore), checkName, check(false)},
		{update.Before(saveAfter), takeName, take(false)},
		{update.Before(afterUpdate), linkName, link},
		{update.Before(end), openName, checkOpen},
		{update.After(end).Before(behind(update, end)), storedName, stored},
		{update.After(end), finishName, finish},
		{update.After(veryEnd), retryName, retryOf(update)},
		{remove.Before(first[2]), rememberName, rememberDelete},
		{remove.After(end).Before(behind(remove, end)), storedName, stored},
		{remove.After(veryEnd), retryName, retryDelete(remove)},
		{query.Before("gorm:query"), rememberName, keepWithin},
		{query.After("gorm:after_query"), finishName, hear},
		{row.After("gorm:row"), finishName, hear},
		{raw.After("gorm:raw"), finishName, hear},
	}
	var errs []error
	for _, s := range steps {
		if err := s.at.Register(s.name, s.fn); err != nil {
			errs = append(errs, fmt.Errorf("m2msafe: callback %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// check refuses what can never be linked while nothing is written yet, and
// links at once where there is nothing else to do.
func check(creating bool) func(*gorm.DB) {
	return func(db *gorm.DB) {
		t, ok := takenBy(db) // by direct
		if !ok {
			t, ok = relationsOf(db, creating)
		}
		if !ok || t.early || db.DryRun {
			return
		}
		var misfit error
		fits := t.settings.through == nil
		for _, rel := range t.relations {
			l := newLinks(db, t, rel)
			if fail(db, l.check()) {
				return
			}
			if !fits && len(l.elements) > 0 && l.planned() == nil {
				err := l.throughFits()
				misfit, fits = l.failure(ErrOption, err, ""), err == nil
			}
		}
		// Of nested statements one or the other may have nothing to do with it.
		if _, nested := db.Statement.Settings.Load(visitedKey); !fits && !nested && misfit != nil && fail(db, misfit) {
			return
		}
		if columns := updateTimes(db.Statement); len(columns) > 0 && t.onlyLinks(db) {
			db.Statement.Settings.Store(takenKey{db.Statement}, t)
			t.early = true
			t.save(db)
			if !t.changed {
				db.Statement.Omits = append(slices.Clone(t.omits), columns...)
			}
		}
	}
}

// take hides the relations from GORM's own many-to-many branch.
func take(creating bool) func(*gorm.DB) {
	return func(db *gorm.DB) {
		t, ok := takenBy(db)
		if !ok {
			if t, ok = relationsOf(db, creating); !ok {
				return
			}
			db.Statement.Settings.Store(takenKey{db.Statement}, t)
		}
		if t.config != nil { // by direct: they are not chosen
			return
		}
		omits := slices.Clone(t.omits)
		for _, rel := range t.relations {
			omits = append(omits, rel.Name)
		}
		db.Statement.Omits = omits
	}
}

// link shows the relations again, whatever has happened in between, and links
// unless that is done.
func link(db *gorm.DB) {
	t, ok := takenBy(db)
	if !ok {
		return
	}
	db.Statement.Omits, db.Statement.Selects = t.omits, t.selects
	if db.Error == nil && !t.early {
		t.save(db)
	}
}

// save runs the pipeline for each relation.
func (t *taken) save(db *gorm.DB) {
	if _, nested := db.Statement.Settings.LoadOrStore(visitedKey, map[any]bool{}); !nested {
		defer db.Statement.Settings.Delete(visitedKey)
	}
	for _, rel := range t.relations {
		if fail(db, newLinks(db, t, rel).save()) {
			return
		}
	}
}

// errorKey is where a statement's Settings keep the plugin's error.
type errorKey struct{ *gorm.Statement }

// fail adds an error to db, if there is one.
func fail(db *gorm.DB, err error) bool {
	if err == nil {
		return false
	}
	db.Statement.Settings.Store(errorKey{db.Statement}, db.AddError(err))
	return true
}

// retryOf has a transaction of GORM's run again that lost. It stands last: what other
// plugins have behind COMMIT hears of each try once, but for what is After("*") later.
func retryOf(processor executor) func(*gorm.DB) {
	return func(db *gorm.DB) {
		retry(db, processor)
		_ = lostWithin(db, db.Error)
	}
}

// retryDelete is the same of a delete, which may be the app's own.
func retryDelete(processor executor) func(*gorm.DB) {
	return func(db *gorm.DB) {
		retry(db, processor)
		hear(db)
	}
}

// hear has a [Transaction] hear of a loss of the app's own statement, but for a lock that
// was waited for too long: that alone undoes the statement, or the savepoint, and an app
// may have asked for it (NOWAIT).
func hear(db *gorm.DB) {
	if db.Error != nil && !waited(db.Error) {
		_ = lostWithin(db, db.Error)
	}
}

// behind is the first callback that another plugin has behind GORM's last one, or none:
// GORM puts all there that it is not told to put in front of something. It keeps that
// where only reflection reads it.
func behind(processor any, last string) string {
	all := fieldOf(reflect.ValueOf(processor), "callbacks")
	if all.Kind() != reflect.Slice {
		return ""
	}
	seen := map[string]bool{}
	for i := range all.Len() {
		name, before := fieldOf(all.Index(i), "name"), fieldOf(all.Index(i), "before")
		if name.Kind() != reflect.String || before.Kind() != reflect.String {
			return ""
		}
		if seen[last] && !seen[name.String()] && before.String() == "" { // what replaces another stands where that did
			return name.String()
		}
		seen[name.String()] = true
	}
	return ""
}

// finish restores what the statement had. The plugin's error too, where a later
// one hides it: if the context has ended, database/sql has rolled back already,
// GORM's Rollback says so, and errors.Is would find that alone.
func finish(db *gorm.DB) {
	if t, ok := takenBy(db); ok {
		db.Statement.Settings.Delete(takenKey{db.Statement})
		if t.config != nil {
			db.Config = t.config
		}
	}
	value, _ := db.Statement.Settings.LoadAndDelete(errorKey{db.Statement})
	if err, ok := value.(error); ok && !errors.Is(db.Error, err) {
		db.Error = err
	}
}

// saveAssociations runs the association part of GORM's create processor, with
// the plugin's in it, on a statement whose own rows are stored already.
func saveAssociations(tx *gorm.DB) error {
	check(true)(tx)
	callbacks.SaveBeforeAssociations(true)(tx)
	take(true)(tx)
	callbacks.SaveAfterAssociations(true)(tx)
	link(tx)
	finish(tx)
	return tx.Error
}
