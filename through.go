package m2msafe

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"gorm.io/gorm/clause"
)

// throughFits says why the option Through is not for this relation, if it is
// not: a struct is for the relation whose join model it is, a map for those whose
// join table has all of its columns.
func (l *links) throughFits() error {
	values, isMap := l.settings.through.(map[string]any)
	if !isMap {
		if reflect.Indirect(reflect.ValueOf(l.settings.through)).Type() != l.rel.JoinTable.ModelType {
			model := l.rel.JoinTable.ModelType.String()
			if l.rel.JoinTable.ModelType.Name() == "" {
				model = "of " + l.rel.JoinTable.Table // GORM's own, without a name
			}
			return fmt.Errorf("Through: %s is not the join model %s", reflect.Indirect(reflect.ValueOf(l.settings.through)).Type(), model)
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		column := name
		if field := l.rel.JoinTable.LookUpField(name); field != nil {
			column = field.DBName
		}
		if l.plan.table.Column(column) == nil {
			return fmt.Errorf("Through: the join table has no column %q", name)
		}
	}
	return nil
}

// through sets the values of the option Through in a join row, and returns
// those of a map by column, where zero counts and expressions and columns that
// the model doesn't know are allowed.
func (l *links) through(row reflect.Value) (map[string]any, error) {
	given := map[string]any{}
	if fits := l.settings.through != nil && l.throughFits() == nil; !fits {
		return given, nil
	}
	ctx, join := l.db.Statement.Context, l.rel.JoinTable
	refused := func(format string, args ...any) error {
		return l.fail(ErrOption, fmt.Errorf("Through: "+format, args...), "")
	}
	isPair := func(column string) bool { return slices.Contains(pairColumns(l.rel), column) }
	values, isMap := l.settings.through.(map[string]any)
	if !isMap {
		from := reflect.Indirect(reflect.ValueOf(l.settings.through))
		for _, field := range join.Fields {
			if _, zero := field.ValueOf(ctx, from); zero || field.DBName == "" {
				continue
			}
			if isPair(field.DBName) {
				return nil, refused("%s belongs to the pair", field.Name)
			}
			field.ReflectValueOf(ctx, row).Set(field.ReflectValueOf(ctx, from))
		}
		return given, nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value, column := values[name], name
		field := join.LookUpField(name)
		if field != nil {
			column = field.DBName
		}
		_, expression := value.(clause.Expression)
		switch {
		case isPair(column):
			return nil, refused("%s belongs to the pair", name)
		case expression && l.hooked():
			return nil, refused("%s: an expression can't be a value of a join model with create hooks", name)
		case expression || field == nil:
			given[column] = value
		default:
			if err := field.Set(ctx, row, value); err != nil {
				return nil, refused("%s: %w", name, withoutValue(l.db, value, err))
			}
			given[column], _ = field.ValueOf(ctx, row)
		}
	}
	return given, nil
}
