package m2msafe

import (
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// creationKey is where the statement that creates targets keeps its creation.
const creationKey = "m2msafe:creation"

// creation is a create of targets that may meet rows that others have created
// meanwhile. GORM lays the rows that RETURNING gives on the elements without a
// key in their order, whichever they belong to (go-gorm/gorm#7029); settle puts
// that right before anything is done with the keys.
type creation struct {
	links  *links
	plain  bool           // there is no natural key to settle it by
	before map[any][]bool // of each target, which of the database's columns were zero
	alone  int            // how often a single one was inserted again: see again
}

// defaults are the columns that the database fills in and GORM reads back.
func (c *creation) defaults() []*schema.Field {
	return c.links.rel.FieldSchema.FieldsWithDefaultDBValue
}

// creationOf is the creation that a statement's rows belong to: statements
// nested in it inherit its Settings.
func creationOf(db *gorm.DB) (*creation, bool) {
	value, _ := db.Statement.Settings.Load(creationKey)
	c, ok := value.(*creation)
	if !ok || db.DryRun || db.Statement.Schema != c.links.rel.FieldSchema ||
		db.Statement.ReflectValue.Kind() != reflect.Slice || db.Statement.ReflectValue.Len() == 0 {
		return nil, false
	}
	_, own := c.before[db.Statement.ReflectValue.Index(0).Interface()]
	return c, own
}

// note remembers, before the insert, what the hooks have left to the database.
func note(db *gorm.DB) {
	c, ok := creationOf(db)
	if !ok || db.Error != nil {
		return
	}
	for i := range db.Statement.ReflectValue.Len() {
		target := db.Statement.ReflectValue.Index(i)
		zeros := make([]bool, len(c.defaults()))
		for j, field := range c.defaults() {
			_, zeros[j] = field.ValueOf(db.Statement.Context, target)
		}
		c.before[target.Interface()] = zeros
	}
	if !c.plain || c.links.nothing() == nil {
		return
	}
	// Keys that the hooks have made may be stored, and are right in any case.
	for i := range db.Statement.ReflectValue.Len() {
		if !c.links.known(db.Statement.ReflectValue.Index(i)) {
			return
		}
	}
	db.Statement.AddClause(clause.OnConflict{DoNothing: true})
}

// settle gives every target its own row's key, after the insert and before
// associations and AfterCreate hooks see it. Those that lost a race become what
// the winner has stored, and are taken out of the statement: they were not
// created.
func settle(db *gorm.DB) {
	c, ok := creationOf(db)
	if !ok || c.plain {
		return
	}
	l := c.links
	// The create may have a transaction of its own.
	outer := l.db.Statement.ConnPool
	l.db.Statement.ConnPool = db.Statement.ConnPool
	defer func() { l.db.Statement.ConnPool = outer }()
	if l.races() {
		_ = db.AddError(c.settleRace(db))
		return
	}
	if db.Error != nil || c.trusted(db) {
		return
	}
	targets := make([]reflect.Value, db.Statement.ReflectValue.Len())
	inserted := map[string]bool{}
	for i := range targets {
		targets[i] = db.Statement.ReflectValue.Index(i)
		inserted[l.rowKey(targets[i])] = true
		c.reset(db, targets[i])
	}
	rows, err := l.lookup(targets)
	if db.AddError(err) != nil {
		return
	}
	winners := reflect.MakeSlice(db.Statement.ReflectValue.Type(), 0, len(targets))
	var won, lost []reflect.Value
	var wonRows, lostRows []found
	for i, target := range targets {
		if !rows[i].row.IsValid() {
			err := l.failure(ErrTargetNotStored, nil, "it could not be created: another row has one of its unique values")
			err.Targets = [][]any{l.values(false, element{target: target})}
			_ = db.AddError(err)
			return
		}
		if key := l.rowKey(rows[i].row); inserted[key] {
			delete(inserted, key) // of equal targets one was created
			winners = reflect.Append(winners, target)
			won, wonRows = append(won, target), append(wonRows, rows[i])
		} else {
			lost, lostRows = append(lost, target), append(lostRows, rows[i])
		}
	}
	if db.AddError(l.adopt(won, wonRows, l.settings.keysOnly)) != nil || db.AddError(l.lost(lost, lostRows)) != nil {
		return
	}
	db.RowsAffected = int64(winners.Len())
	db.Statement.ReflectValue = winners
}

// reset takes back what an insert has laid on a target.
func (c *creation) reset(db *gorm.DB, target reflect.Value) {
	for j, field := range c.defaults() {
		if c.before[target.Interface()][j] {
			_ = db.AddError(field.Set(db.Statement.Context, target, reflect.Zero(field.FieldType).Interface()))
		}
	}
}

// lost loads the rows that others have created into targets, and lets those be
// saved as stored ones.
func (l *links) lost(targets []reflect.Value, rows []found) error {
	var dead []found
	for i := range targets {
		l.unvisit(targets[i])
		switch {
		case rows[i].dead && l.settings.deletedTargets != Revive:
			return l.deletedTarget(rows[i])
		case rows[i].dead:
			dead = append(dead, rows[i])
		}
	}
	if err := l.wake(dead); err != nil {
		return err
	}
	return l.adopt(targets, rows, l.settings.keysOnly || l.db.FullSaveAssociations)
}

// trusted says whether all rows were inserted and all that RETURNING gave is
// where it belongs: nothing was set before in the columns that it fills, and
// there are as many rows as targets.
func (c *creation) trusted(db *gorm.DB) bool {
	for i := range db.Statement.ReflectValue.Len() {
		for _, zero := range c.before[db.Statement.ReflectValue.Index(i).Interface()] {
			if !zero {
				return false
			}
		}
	}
	return db.RowsAffected == int64(db.Statement.ReflectValue.Len())
}

func (l *links) deletedTarget(f found) error {
	err := l.failure(ErrDeletedTarget, nil, fmt.Sprintf("by %s it is row %s; revive it, or let DeletedTargets do so", f.by, l.keyText(l.primary(f.row))))
	err.Targets = [][]any{l.primary(f.row)}
	return err
}

// wake revives dead targets.
func (l *links) wake(rows []found) error {
	ctx, model := l.db.Statement.Context, l.rel.FieldSchema
	updates := map[string]any{}
	for _, a := range l.plan.wake {
		updates[a.Column] = a.Value
	}
	chunk := l.plan.dialect.Parameters() / (2 * max(1, len(model.PrimaryFields)))
	for part := range slices.Chunk(rows, chunk) {
		keys := make([][]any, len(part))
		for i, f := range part {
			keys[i] = l.primary(f.row)
			for _, a := range l.plan.wake {
				if err := model.LookUpField(a.Column).Set(ctx, f.row, a.Value); err != nil {
					return err
				}
			}
		}
		column, values := schema.ToQueryValues(model.Table, model.PrimaryFieldDBNames, keys)
		err := l.session(&gorm.Session{SkipHooks: true}).Unscoped().
			Model(reflect.New(model.ModelType).Interface()).
			Where(clause.IN{Column: column, Values: values}).UpdateColumns(updates).Error
		if err != nil {
			return l.createError(err)
		}
	}
	return nil
}

// assigned splits assignments.
func assigned(assigns []dialect.Assign) (columns []string, values []any) {
	for _, a := range assigns {
		columns, values = append(columns, a.Column), append(values, a.Value)
	}
	return columns, values
}
