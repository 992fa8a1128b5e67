package m2msafe

import (
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// savesTargets says whether the call's targets may be created; Omit("Rel.*")
// means link only.
func (l *links) savesTargets() bool {
	chosen, named := l.choice.columns[l.rel.Name+".*"]
	return chosen || !named
}

// keyed says whether the relation can refer to a target as it stands.
func (l *links) keyed(target reflect.Value) bool {
	for _, ref := range l.rel.References {
		if !ref.OwnPrimaryKey && ref.PrimaryKey != nil {
			if _, zero := ref.PrimaryKey.ValueOf(l.db.Statement.Context, target); zero {
				return false
			}
		}
	}
	return true
}

// saveFirst says whether a target goes through GORM's create whether it is
// stored or not: it has no key yet, FullSaveAssociations wants it updated, or
// the plan can't see whether it is stored.
func (l *links) saveFirst(target reflect.Value) bool {
	return l.db.FullSaveAssociations || !l.plan.link.Target.Check || !l.keyed(target)
}

// unsaved says whether there are such targets.
func (l *links) unsaved() bool {
	return l.savesTargets() && slices.ContainsFunc(l.elements, func(e element) bool { return l.saveFirst(e.target) })
}

// saveTargets has GORM save the targets that must be saved before their pairs
// are known. All others are left for the link statement to find.
func (l *links) saveTargets() error {
	if !l.savesTargets() {
		return nil
	}
	var targets []reflect.Value
	for _, e := range l.elements {
		if err := l.creatable(e); err != nil {
			return err
		}
		if l.saveFirst(e.target) {
			targets = append(targets, e.target)
		}
	}
	return l.createTargets(targets)
}

// creatable refuses a target that would have no reference value after its
// create either: nothing fills it in.
func (l *links) creatable(e element) error {
	target := l.rel.FieldSchema
	if l.db.DryRun || !l.db.Statement.SkipHooks && (target.BeforeCreate || target.BeforeSave) {
		return nil
	}
	for _, ref := range l.rel.References {
		if ref.OwnPrimaryKey || ref.PrimaryKey == nil {
			continue
		}
		field := ref.PrimaryKey
		if _, zero := field.ValueOf(l.db.Statement.Context, e.target); zero && !field.HasDefaultValue &&
			field.AutoCreateTime == 0 && field.AutoUpdateTime == 0 && !l.filled(field) {
			return l.zeroReference(ref, e)
		}
	}
	return nil
}

// filled says whether a belongs-to of the target may give the field its value.
func (l *links) filled(field *schema.Field) bool {
	return slices.ContainsFunc(l.rel.FieldSchema.Relationships.BelongsTo, func(r *schema.Relationship) bool {
		return slices.ContainsFunc(r.References, func(ref *schema.Reference) bool { return ref.ForeignKey == field })
	})
}

// targetsOf are the targets of pairs.
func (l *links) targetsOf(pairs []int) []reflect.Value {
	targets := make([]reflect.Value, len(pairs))
	for i, p := range pairs {
		targets[i] = l.pairs[p].target
	}
	return targets
}

// createTargets hands targets to GORM's own create, with their hooks, defaults
// and associations. Those with a key go first and in its order, so that two
// writers that create the same rows don't wait for each other in a circle.
func (l *links) createTargets(targets []reflect.Value) error {
	order := make(map[reflect.Value]string, len(targets))
	targets = slices.DeleteFunc(slices.Clone(targets), func(t reflect.Value) bool {
		if _, again := order[t]; again || !l.visit(t) {
			return true
		}
		order[t] = l.keyOf(t)
		return false
	})
	if len(targets) == 0 {
		return nil
	}
	slices.SortStableFunc(targets, func(a, b reflect.Value) int {
		if (order[a] == "") != (order[b] == "") {
			return strings.Compare(order[b], order[a])
		}
		return strings.Compare(order[a], order[b])
	})
	// Elements with one key are one row: GORM's upsert would meet it twice.
	targets = slices.CompactFunc(targets, func(a, b reflect.Value) bool { return order[a] != "" && order[a] == order[b] })
	tx, _ := l.targetSession()
	return tx.Create(l.slice(targets).Interface()).Error
}

// keyOf is a text of a target's reference values, empty if it has none.
func (l *links) keyOf(target reflect.Value) string {
	if !l.keyed(target) {
		return ""
	}
	var key strings.Builder
	for _, v := range l.values(false, element{target: target}) {
		text, _, _ := dialect.Text(v, "")
		key.WriteString(text)
		key.WriteByte(0)
	}
	return key.String()
}

// slice makes a []*Target, as GORM's create takes it.
func (l *links) slice(targets []reflect.Value) reflect.Value {
	pointers := reflect.New(reflect.SliceOf(reflect.PointerTo(l.rel.FieldSchema.ModelType))).Elem()
	return reflect.Append(pointers, targets...)
}

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

// targetSession is the statement on which GORM saves the targets of a relation:
// the session that its own saveAssociations makes (callbacks/associations.go).
// nested says whether the targets' own associations are to be saved.
func (l *links) targetSession() (tx *gorm.DB, nested bool) {
	onConflict := clause.OnConflict{DoNothing: true}
	if l.db.FullSaveAssociations {
		onConflict = clause.OnConflict{UpdateAll: true}
		for _, name := range l.rel.FieldSchema.PrimaryFieldDBNames {
			onConflict.Columns = append(onConflict.Columns, clause.Column{Name: name})
		}
	}
	tx = l.db.Session(&gorm.Session{NewDB: true}).Clauses(onConflict).Session(&gorm.Session{
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
	tx, nested := l.targetSession()
	if !nested {
		return nil
	}
	var targets []reflect.Value
	for _, p := range l.pairs {
		if l.hasAssociations(p.target) && l.visit(p.target) {
			targets = append(targets, p.target)
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
