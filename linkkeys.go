package m2msafe

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// LinkKeys links an owner to targets by their keys alone, without loading
// either, and returns each pair with its outcome.
//
//	links, err := m2msafe.LinkKeys(ctx, db, &Article{}, "Publications", 1, 2, 3)
//
// model is a pointer to the owner's model and relation the name of its field.
// The keys are values of what the relation refers to, primary keys as a rule; a
// key of several columns is an []any in the order of the relation. It is an
// Append that creates nothing: it returns [ErrOwnerNotStored],
// [ErrTargetNotStored] and the other errors of one, [ErrOption] for a model,
// relation or key that does not fit, and [ErrNotInUse]. The owner's update hooks
// run as in an Append, on an owner that has nothing but its key. Options come with db: see
// [With]. It is safe for concurrent use.
func LinkKeys(ctx context.Context, db *gorm.DB, model any, relation string, owner any, targets ...any) ([]Link, error) {
	rel, err := relationOf(db, model, relation)
	if err != nil {
		return nil, err
	}
	from, err := withKey(ctx, rel, true, owner)
	if err != nil {
		return nil, err
	}
	to := reflect.New(reflect.SliceOf(reflect.PointerTo(rel.FieldSchema.ModelType))).Elem()
	for _, key := range targets {
		target, err := withKey(ctx, rel, false, key)
		if err != nil {
			return nil, err
		}
		to = reflect.Append(to, target)
	}
	report := Report{early: true}
	tx := With(db, ReportTo(&report)).WithContext(ctx)
	err = tx.Omit(relation + ".*").Model(from.Interface()).Association(relation).Append(to.Interface())
	if err != nil {
		return nil, err
	}
	if plugin, ok := db.Plugins[pluginName].(*Plugin); ok && plugin.settings.report != nil {
		plugin.settings.note(report.Links())
	}
	return report.Links(), nil
}

// relationOf is a model's relation by the name of its field.
func relationOf(db *gorm.DB, model any, relation string) (*schema.Relationship, error) {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return nil, fmt.Errorf("%w: not a pointer to a model: %w", ErrOption, err)
	}
	rel := stmt.Schema.Relationships.Relations[relation]
	if rel == nil || rel.Type != schema.Many2Many {
		return nil, fmt.Errorf("%w: %s has no many-to-many relation %q", ErrOption, stmt.Schema.Name, relation)
	}
	return rel, nil
}

// withKey makes a model that has nothing but the values that one end of a
// relation refers to.
func withKey(ctx context.Context, rel *schema.Relationship, own bool, key any) (reflect.Value, error) {
	row := reflect.New(endOf(rel, own).ModelType)
	return row, setKey(ctx, rel, own, row, key)
}

// endOf is the model at one end of a relation.
func endOf(rel *schema.Relationship, own bool) *schema.Schema {
	if own {
		return rel.Schema
	}
	return rel.FieldSchema
}

// setKey sets the values that one end of a relation refers to.
func setKey(ctx context.Context, rel *schema.Relationship, own bool, row reflect.Value, key any) error {
	model := endOf(rel, own)
	refers := func(ref *schema.Reference) bool { return ref.OwnPrimaryKey == own && ref.PrimaryKey != nil }
	values, several := key.([]any)
	given, columns := 1, 0
	if several {
		given = len(values)
	}
	for _, ref := range rel.References {
		if refers(ref) {
			columns++
		}
	}
	if given != columns {
		return fmt.Errorf("%w: a key of a %s has %d columns, not %d", ErrOption, model.Name, columns, given)
	}
	i := 0
	for _, ref := range rel.References {
		if !refers(ref) {
			continue
		}
		value := key
		if several {
			value = values[i]
		}
		i++
		if err := ref.PrimaryKey.Set(ctx, row, value); err != nil {
			return fmt.Errorf("%w: %v is no %s of a %s: %w", ErrOption, value, ref.PrimaryKey.Name, model.Name, err)
		}
		if !sameNumber(reflect.ValueOf(value), ref.PrimaryKey.ReflectValueOf(ctx, row)) {
			return fmt.Errorf("%w: %v is no %s of a %s: it does not fit", ErrOption, value, ref.PrimaryKey.Name, model.Name)
		}
	}
	return nil
}

// element makes a pair's ends, models that have nothing but their keys. Pairs of
// one owner share it.
func (b *bulk) element(keys [2]any, owners map[any]reflect.Value) (e element, err error) {
	ctx := b.db.Statement.Context
	given := reflect.ValueOf(keys[0])
	comparable := given.IsValid() && given.Comparable()
	if comparable {
		e.owner = owners[keys[0]]
	}
	if !e.owner.IsValid() {
		made, err := withKey(ctx, b.rel, true, keys[0])
		if err != nil {
			return e, err
		}
		e.owner = made.Elem()
		if comparable {
			owners[keys[0]] = e.owner
		}
	}
	e.target, err = withKey(ctx, b.rel, false, keys[1])
	return e, err
}

// kept is a key that the iterator may not change any more.
func kept(key any) any {
	if values, several := key.([]any); several {
		values = slices.Clone(values)
		for i, value := range values {
			values[i] = kept(value)
		}
		return values
	}
	switch v := reflect.ValueOf(key); {
	case v.Kind() == reflect.Slice && !v.IsNil(): // bytes, whatever their type
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		return own.Interface()
	case v.Kind() == reflect.Pointer && !v.IsNil():
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(v.Elem())
		return own.Interface()
	}
	return key
}

// sameNumber says whether a field that is an integer holds the number that it was
// given: GORM cuts off what does not fit, and reads texts as a programmer does
// ("010" is eight), so that another row's key would be left.
func sameNumber(given, held reflect.Value) bool {
	given, held = reflect.Indirect(given), reflect.Indirect(held)
	number, is := integer(held)
	if !is {
		return true
	}
	same, is := integer(given)
	switch {
	case is:
	case given.Kind() == reflect.String:
		same = given.String()
	case given.Kind() == reflect.Slice && given.Type().Elem().Kind() == reflect.Uint8:
		same = string(given.Bytes())
	case given.CanFloat():
		same = strconv.FormatFloat(given.Float(), 'f', -1, 64)
	default:
		return true
	}
	return same == number
}

// integer is an integer's text.
func integer(v reflect.Value) (string, bool) {
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), true
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), true
	}
	return "", false
}
