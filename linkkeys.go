package m2msafe

import (
	"context"
	"fmt"
	"reflect"

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
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return nil, fmt.Errorf("%w: LinkKeys takes a pointer to a model: %w", ErrOption, err)
	}
	rel := stmt.Schema.Relationships.Relations[relation]
	if rel == nil || rel.Type != schema.Many2Many {
		return nil, fmt.Errorf("%w: %s has no many-to-many relation %q", ErrOption, stmt.Schema.Name, relation)
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
	var report Report
	tx := With(db, ReportTo(&report)).WithContext(ctx)
	err = tx.Omit(relation + ".*").Model(from.Interface()).Association(relation).Append(to.Interface())
	if err != nil {
		return nil, err
	}
	if plugin, ok := db.Plugins[pluginName].(*Plugin); ok && plugin.settings.report != nil {
		plugin.settings.report.add(report.Links())
	}
	return report.Links(), nil
}

// withKey makes a model that has nothing but the values that one end of a
// relation refers to.
func withKey(ctx context.Context, rel *schema.Relationship, own bool, key any) (reflect.Value, error) {
	model := rel.FieldSchema
	if own {
		model = rel.Schema
	}
	values, several := key.([]any)
	if !several {
		values = []any{key}
	}
	row, i := reflect.New(model.ModelType), 0
	for _, ref := range rel.References {
		if ref.OwnPrimaryKey != own || ref.PrimaryKey == nil {
			continue
		}
		if i < len(values) {
			if err := ref.PrimaryKey.Set(ctx, row, values[i]); err != nil {
				return row, fmt.Errorf("%w: %v is no %s of a %s: %w", ErrOption, values[i], ref.PrimaryKey.Name, model.Name, err)
			}
			if !sameNumber(reflect.ValueOf(values[i]), ref.PrimaryKey.ReflectValueOf(ctx, row)) {
				return row, fmt.Errorf("%w: %v is no %s of a %s: it does not fit", ErrOption, values[i], ref.PrimaryKey.Name, model.Name)
			}
		}
		i++
	}
	if i != len(values) {
		return row, fmt.Errorf("%w: a key of a %s has %d columns, not %d", ErrOption, model.Name, i, len(values))
	}
	return row, nil
}

// sameNumber says whether a field still holds the number that it was given, if
// both are integers: GORM cuts off what does not fit, and another row's key is
// left.
func sameNumber(given, held reflect.Value) bool {
	given, held = reflect.Indirect(given), reflect.Indirect(held)
	integer := func(v reflect.Value) bool { return v.IsValid() && (v.CanInt() || v.CanUint()) }
	return !integer(given) || !integer(held) || fmt.Sprint(given) == fmt.Sprint(held)
}
