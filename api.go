package m2msafe

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// GetOrCreate finds the row that has the unique key of row, or inserts it: on a
// through model, or on any other.
//
//	created, err := m2msafe.GetOrCreate(ctx, db, &ArticlePublication{ArticleID: 1, PublicationID: 2})
//
// row is a pointer to a model. A unique key of its table counts if all of its
// fields are set; the stored row is loaded into row, and created says whether
// this call inserted it: of several at the same time exactly one did. A stored
// row costs one query. A new one is created by GORM, with its hooks, defaults
// and associations.
//
// Without such a key, the call fails with [ErrNoUniqueKey]: the database would
// not keep two callers apart. With the options NaturalKey, which names the
// columns, and NoUniqueKey(Lock) the plugin's own callers take turns instead.
//
// It returns [ErrOption] for a row that is no pointer to a model and for refused
// options, [ErrTargetConflict] if two keys are two rows, [ErrDeletedTarget] as
// the option DeletedTargets says, [ErrNotInUse] on a db without the plugin,
// [ErrRetry] if the transaction is to be run again, and GORM's errors. It is
// safe for concurrent use, each call with a row of its own.
func GetOrCreate(ctx context.Context, db *gorm.DB, row any, opts ...Option) (created bool, err error) {
	target := reflect.ValueOf(row)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return false, fmt.Errorf("%w: GetOrCreate takes a pointer to a model, not %T", ErrOption, row)
	}
	tx := With(db, opts...).WithContext(ctx).Session(&gorm.Session{Initialized: true})
	if tx.Error != nil {
		return false, tx.Error
	}
	if err := tx.Statement.Parse(row); err != nil {
		return false, err
	}
	plugin := tx.Plugins[pluginName].(*Plugin)
	l := modelLinks(tx, tx.Statement.Schema, &taken{settings: &plugin.settings, plans: plugin.plans, creating: true})
	for _, option := range []string{"Through", "ReportTo", "OnLinked"} {
		if plugin.settings.given[option] {
			return false, fmt.Errorf("%w: %s is for links, not for GetOrCreate", ErrOption, option)
		}
	}
	if plugin.settings.given["NoUniqueKey"] && plugin.settings.noUniqueKey == Lock {
		return l.getOrCreateLocked(target)
	}
	if err := l.plannedModel(); err != nil {
		return false, err
	}
	if l.naturalText(target) == "" {
		return false, l.fail(ErrNoUniqueKey, nil, "no unique key of the table has a value in all of its fields")
	}
	return l.getOrCreate(target, true)
}

func (l *links) getOrCreate(target reflect.Value, savepoint bool) (created bool, err error) {
	missing, err := l.resolve([]reflect.Value{target})
	if err != nil || len(missing) == 0 {
		return false, err
	}
	err = l.atomically(false, savepoint, func() error {
		created, err = l.create(target)
		return err
	})
	if err == nil || !errors.Is(err, gorm.ErrDuplicatedKey) && !errors.Is(gormSentinel(l.db, err), gorm.ErrDuplicatedKey) {
		return created && err == nil, err
	}
	// Another of its unique keys may have met the same row.
	if missing, again := l.resolve([]reflect.Value{target}); again == nil && len(missing) == 0 {
		return false, nil
	}
	return false, err
}

// create inserts the row unless its key is stored by then, and loads it if so.
func (l *links) create(target reflect.Value) (created bool, err error) {
	c := &creation{links: l, before: map[any][]bool{target.Interface(): nil}}
	rows := reflect.New(reflect.SliceOf(target.Type()))
	rows.Elem().Set(reflect.Append(rows.Elem(), target))
	tx := l.db.Session(&gorm.Session{NewDB: true}).Set(creationKey, c)
	if !l.plan.link.Guarded {
		// Named, so that a key that is gone by now is an error, no duplicate.
		n := l.plan.naturals[slices.IndexFunc(l.plan.naturals, func(n natural) bool { return l.hasNatural(n, target) })]
		onConflict := clause.OnConflict{DoNothing: true}
		for _, column := range n.arbiter {
			onConflict.Columns = append(onConflict.Columns, clause.Column{Name: column})
		}
		if n.where != "" {
			onConflict.TargetWhere.Exprs = []clause.Expression{clause.Expr{SQL: n.where, WithoutParentheses: true}}
		}
		tx = tx.Clauses(onConflict)
	}
	tx = tx.Create(rows.Interface())
	if tx.Error != nil && gormSentinel(l.db, tx.Error) == nil {
		l.forget()
	}
	return tx.RowsAffected > 0 && tx.Error == nil, l.createError(tx.Error)
}

// getOrCreateLocked does without a unique key, on the columns that NaturalKey
// names: a lock, a look, and an insert behind it.
func (l *links) getOrCreateLocked(target reflect.Value) (created bool, err error) {
	named := l.namedKey()
	if named == nil {
		return false, fmt.Errorf("%w: NoUniqueKey(Lock) needs NaturalKey to name the columns", ErrOption)
	}
	table, err := l.describe(l.rel.FieldSchema)
	if err != nil {
		return false, err
	}
	if table == nil {
		return false, l.fail(ErrNoJoinTable, nil, "create it with AutoMigrate or a migration")
	}
	n := natural{name: "NaturalKey"}
	for _, column := range named {
		field, stored := l.rel.FieldSchema.FieldsByDBName[column], table.Column(column)
		if field == nil || stored == nil {
			return false, l.fail(ErrOption, nil, "NaturalKey names "+column+", which the table does not have")
		}
		n.fields = append(n.fields, field)
		n.columns = append(n.columns, dialect.Column{Name: column, Type: stored.Type})
	}
	l.plan = &plan{dialect: dialectOf(l.db), table: table, target: table, naturals: []natural{n}}
	for _, field := range l.rel.FieldSchema.Fields {
		if field.DBName != "" && field.Readable && table.Column(field.DBName) != nil {
			l.plan.columns = append(l.plan.columns, field)
		}
	}
	if l.plan.living, l.plan.wake, err = l.softDelete(l.rel.FieldSchema); err != nil {
		return false, err
	}
	values, ok := l.naturalValues(n, target)
	if !ok {
		return false, l.fail(ErrOption, nil, "a field of NaturalKey has no value")
	}
	l.plan.link = dialect.Link{
		Table: l.rel.FieldSchema.Table, Quoted: l.db.Statement.Quote(clause.Table{Name: l.rel.FieldSchema.Table}),
		Refs: n.columns, Guarded: true,
	}
	call := &dialect.Call{Link: &l.plan.link, N: 1}
	for _, v := range values {
		call.Keys = append(call.Keys, []any{v})
	}
	err = l.atomically(true, true, func() error {
		if err := l.openTable(n.columns[0].Name); err != nil {
			return l.databaseError(err)
		}
		if err := l.guard(call); err != nil {
			return err
		}
		created, err = l.getOrCreate(target, false)
		return err
	})
	return created && err == nil, err
}

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
		}
		i++
	}
	if i != len(values) {
		return row, fmt.Errorf("%w: a key of a %s has %d columns, not %d", ErrOption, model.Name, i, len(values))
	}
	return row, nil
}
