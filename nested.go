package m2msafe

import (
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// visitedKey is where a call keeps the targets that it has saved, through all
// nested statements: GORM copies Settings into them. GORM keeps a map of its
// own for its associations; between them every circle of associations passes
// one of the two twice, and ends.
const visitedKey = "m2msafe:visited"

// visit notes a target as saved in this call, and says whether it is new.
func (l *links) visit(target reflect.Value) bool {
	value, _ := l.db.Statement.Settings.Load(visitedKey)
	visited, _ := value.(map[any]bool)
	pointer := target.Interface()
	if visited[pointer] {
		return false
	}
	visited[pointer] = true
	return true
}

// unvisit takes that back.
func (l *links) unvisit(target reflect.Value) {
	value, _ := l.db.Statement.Settings.Load(visitedKey)
	visited, _ := value.(map[any]bool)
	delete(visited, target.Interface())
}

// targetSession is the statement on which GORM saves the targets of a relation:
// the session that its own saveAssociations makes (callbacks/associations.go).
// nested says whether the targets' own associations are to be saved.
func (l *links) targetSession(onConflict *clause.OnConflict) (tx *gorm.DB, nested bool) {
	tx = l.db.Session(&gorm.Session{NewDB: true, Initialized: true}) // a Statement of its own
	if onConflict != nil {
		tx = tx.Clauses(*onConflict)
	}
	tx = tx.Session(&gorm.Session{
		FullSaveAssociations:     l.db.FullSaveAssociations,
		SkipHooks:                l.db.Statement.SkipHooks,
		DisableNestedTransaction: true,
	}).Session(&gorm.Session{Initialized: true})
	l.db.Statement.Settings.Range(func(k, v any) bool {
		tx.Statement.Settings.Store(k, v)
		return true
	})
	if tx.FullSaveAssociations {
		tx = tx.Set("gorm:update_track_time", true)
	}
	var selects, omits []string
	for name, chosen := range l.choice.columns {
		if column, ok := strings.CutPrefix(name, l.rel.Name+"."); ok && column != "" {
			if chosen {
				selects = append(selects, column)
			} else {
				omits = append(omits, column)
			}
		}
	}
	nested = true
	if len(selects) > 0 {
		tx = tx.Select(selects)
	} else if l.choice.restricted && len(omits) == 0 {
		tx = tx.Omit(clause.Associations)
		nested = false
	}
	if len(omits) > 0 {
		tx = tx.Omit(omits...)
	}
	return tx, nested
}

// saveNested saves what hangs on targets that were stored already. Stock GORM
// does that when it inserts them a second time; here they are not inserted, so
// only the association part of a create is run.
func (l *links) saveNested() error {
	if !l.savesTargets() {
		return nil
	}
	tx, nested := l.targetSession(nil)
	if !nested {
		return nil
	}
	var targets []reflect.Value
	for _, e := range l.elements { // of equal ones each
		if l.hasAssociations(e.target) && l.visit(e.target) {
			targets = append(targets, e.target)
		}
	}
	if len(targets) == 0 {
		return nil
	}
	pointers := reflect.New(reflect.SliceOf(reflect.PointerTo(l.rel.FieldSchema.ModelType)))
	pointers.Elem().Set(l.slice(targets))
	stmt := tx.Statement
	stmt.Dest, stmt.Model, stmt.ReflectValue = pointers.Interface(), pointers.Interface(), pointers.Elem()
	if err := stmt.Parse(stmt.Model); err != nil {
		return err
	}
	return saveAssociations(tx)
}

// hasAssociations says whether a target holds anything in a field of a
// relation.
func (l *links) hasAssociations(target reflect.Value) bool {
	relations := &l.rel.FieldSchema.Relationships
	for _, of := range [][]*schema.Relationship{relations.BelongsTo, relations.HasOne, relations.HasMany, relations.Many2Many} {
		for _, rel := range of {
			if _, zero := rel.Field.ValueOf(l.db.Statement.Context, target); !zero {
				return true
			}
		}
	}
	return false
}

// nothing passes over targets that are stored, unless a deferrable key forbids
// that (55000).
func (l *links) nothing() *clause.OnConflict {
	if l.plan.target != nil && slices.ContainsFunc(l.plan.target.Keys, func(k catalog.Key) bool { return k.Deferrable }) {
		return nil
	}
	return &clause.OnConflict{DoNothing: true}
}

// upsert is what GORM's create of associations does on a conflict.
func (l *links) upsert() *clause.OnConflict {
	if !l.db.FullSaveAssociations {
		return l.nothing()
	}
	onConflict := &clause.OnConflict{UpdateAll: true}
	for _, name := range l.rel.FieldSchema.PrimaryFieldDBNames {
		onConflict.Columns = append(onConflict.Columns, clause.Column{Name: name})
	}
	return onConflict
}
