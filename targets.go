package m2msafe

import (
	"reflect"
	"slices"
	"strings"

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

// known says whether a target has its primary key too, where the relation refers
// to another one.
func (l *links) known(target reflect.Value) bool {
	return l.keyed(target) && !slices.ContainsFunc(l.rel.FieldSchema.PrimaryFields, func(f *schema.Field) bool {
		_, zero := f.ValueOf(l.db.Statement.Context, target)
		return zero
	})
}

// saveFirst says whether a target with a key goes through GORM's create whether
// it is stored or not: FullSaveAssociations wants it updated, or the plan can't
// see whether it is stored.
func (l *links) saveFirst() bool { return l.db.FullSaveAssociations || !l.plan.link.Target.Check }

// unsaved says whether there may be targets to save before the pairs are known.
func (l *links) unsaved() bool {
	return l.savesTargets() && (l.saveFirst() || len(l.missing) > 0 ||
		slices.ContainsFunc(l.elements, func(e element) bool { return !l.known(e.target) }))
}

// saveTargets gives every target its key: those that have none are looked up by
// their natural keys, and created if they are not stored. Targets with a key are
// left for the link statement to find, where it can.
func (l *links) saveTargets() error {
	var keyed, keyless []reflect.Value
	seen := map[any]bool{}
	for _, e := range l.elements {
		switch pointer := e.target.Interface(); {
		case seen[pointer]:
		case l.known(e.target), l.keyed(e.target) && len(l.plan.naturals) == 0:
			keyed = append(keyed, e.target)
		default:
			keyless = append(keyless, e.target)
			seen[pointer] = true
		}
	}
	missing, err := l.resolve(keyless)
	if err != nil || !l.savesTargets() {
		return err
	}
	if len(l.missing) > 0 { // all have keys, and these are not stored
		return l.createTargets(l.elementsAt(l.missing), l.upsert(), nil)
	}
	if err := l.createNew(missing); err != nil || !l.saveFirst() {
		return err
	}
	if l.db.FullSaveAssociations { // those that are stored already are updated
		keyed = append(slices.Clone(keyless), keyed...) // what is new to the field before what is in it
	}
	return l.createTargets(keyed, l.upsert(), nil)
}

// resolve looks targets up by their natural keys, and returns those that are
// not stored.
func (l *links) resolve(targets []reflect.Value) (missing []reflect.Value, err error) {
	if len(targets) == 0 || len(l.plan.naturals) == 0 || l.db.DryRun {
		return targets, nil
	}
	rows, err := l.lookup(targets)
	if err != nil {
		return nil, err
	}
	var known []reflect.Value
	var stored, dead []found
	for i, target := range targets {
		switch f := rows[i]; {
		case !f.row.IsValid():
			missing = append(missing, target)
			continue
		case f.dead && l.settings.deletedTargets != Revive:
			return nil, l.deletedTarget(f)
		case f.dead:
			dead = append(dead, f)
		}
		known, stored = append(known, target), append(stored, rows[i])
	}
	if len(missing) > 0 && !l.savesTargets() {
		return missing, nil // the call is going to fail on them: revive nothing
	}
	if err := l.wake(dead); err != nil {
		return nil, err
	}
	return missing, l.adopt(known, stored, l.settings.keysOnly || l.db.FullSaveAssociations)
}

// createNew creates targets that are not stored. Equal ones become one row. A
// concurrent writer may create the same ones: that is settled where they have a
// natural key. Others are inserted plainly where the database makes their keys,
// so that GORM lays what it reads back on the right ones.
func (l *links) createNew(targets []reflect.Value) error {
	first := map[string]reflect.Value{}
	var unique, plain, equal, to []reflect.Value
	for _, target := range targets {
		keys := l.naturalTexts(target)
		var leader reflect.Value
		for _, key := range keys {
			known, again := first[key]
			if again && leader.IsValid() && leader != known {
				err := l.failure(ErrTargetConflict, nil, "by its natural keys it is two others of the call")
				err.Targets = [][]any{l.primary(target)}
				return err
			}
			if again {
				leader = known
			}
		}
		switch {
		case len(keys) == 0:
			plain = append(plain, target)
		case leader.IsValid():
			equal, to = append(equal, target), append(to, leader)
		default:
			for _, key := range keys {
				first[key] = target
			}
			unique = append(unique, target)
		}
	}
	onConflict := l.nothing()
	if l.races() {
		onConflict = nil // settle tells who was faster
	}
	if err := l.createTargets(unique, onConflict, &creation{links: l, before: map[any][]bool{}}); err != nil {
		return err
	}
	if err := l.createTargets(plain, nil, &creation{links: l, before: map[any][]bool{}, plain: true}); err != nil {
		return err
	}
	leaders := make([]found, len(to))
	for i, leader := range to {
		leaders[i] = found{row: leader}
	}
	return l.adopt(equal, leaders, l.settings.keysOnly || l.db.FullSaveAssociations)
}

// naturalTexts are texts of a target's complete natural keys.
func (l *links) naturalTexts(target reflect.Value) []string {
	var texts []string
	for _, n := range l.plan.naturals {
		if values, ok := l.naturalValues(n, target); ok {
			text := n.name
			for _, v := range values {
				t, _, _ := dialect.Text(v, "")
				text += "\x00" + t
			}
			texts = append(texts, text)
		}
	}
	return texts
}

// naturalText is the first of them, or empty.
func (l *links) naturalText(target reflect.Value) string {
	if texts := l.naturalTexts(target); len(texts) > 0 {
		return texts[0]
	}
	return ""
}

// elementsAt are the targets of elements.
func (l *links) elementsAt(elements []int) []reflect.Value {
	targets := make([]reflect.Value, len(elements))
	for i, e := range elements {
		targets[i] = l.elements[e].target
	}
	return targets
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
// and associations. They go in the order of their keys, so that two writers that
// create the same rows don't wait for each other in a circle.
func (l *links) createTargets(targets []reflect.Value, onConflict *clause.OnConflict, settled *creation) error {
	order := make(map[reflect.Value]string, len(targets))
	targets = slices.DeleteFunc(slices.Clone(targets), func(t reflect.Value) bool {
		if _, again := order[t]; again || !l.visit(t) {
			return true
		}
		if order[t] = l.keyOf(t); order[t] == "" {
			order[t] = l.naturalText(t)
		}
		// Keys that differ by case may be equal to the database; their places in
		// the order must not differ by more than that.
		order[t] = strings.ToLower(order[t]) + "\x00" + order[t]
		return false
	})
	if len(targets) == 0 {
		return nil
	}
	slices.SortStableFunc(targets, func(a, b reflect.Value) int { return strings.Compare(order[a], order[b]) })
	// Elements with one key are one row: GORM's upsert would meet it twice.
	// What hangs on the others is saved with the stored ones'.
	last := ""
	targets = slices.DeleteFunc(targets, func(t reflect.Value) bool {
		again := order[t] != "\x00" && order[t] == last
		if last = order[t]; again {
			l.unvisit(t)
		}
		return again
	})
	tx, _ := l.targetSession(onConflict)
	if settled != nil {
		for _, t := range targets {
			settled.before[t.Interface()] = nil
		}
		tx.Statement.Settings.Store(creationKey, settled)
	}
	// More parameters than this no statement takes; an app that sets
	// CreateBatchSize knows better.
	size := l.plan.dialect.Parameters() / max(1, len(l.rel.FieldSchema.DBNames))
	one := settled != nil && settled.plain && l.countsUp()
	if one {
		size = 1
	}
	if rows := l.slice(targets); (tx.CreateBatchSize == 0 || one) && len(targets) > size {
		tx = tx.CreateInBatches(rows.Interface(), size)
	} else {
		tx = tx.Create(rows.Interface())
	}
	return l.createError(tx.Error)
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
