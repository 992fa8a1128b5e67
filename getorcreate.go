package m2msafe

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// GetOrCreate finds the row that has the unique key of row, or inserts it: on a
// through model, or on any other.
//
//	created, err := m2msafe.GetOrCreate(ctx, db, &ArticlePublication{ArticleID: 1, PublicationID: 2})
//
// row is a pointer to a model. A unique key of its table counts if all of its
// fields are set; the stored row is loaded into row, and created says whether
// this call inserted it: of several at the same time exactly one did, or none is
// told so, if a connection broke at its COMMIT. On
// PostgreSQL that is one statement, stored or not, unless something else has to
// be done for a new row or around it: create hooks, associations, soft-delete
// columns, create callbacks of another plugin, a second unique key with values,
// a transaction of the caller's. Then, and on SQLite, a row that is not found is
// created by GORM.
//
// Without such a key, the call fails with [ErrNoUniqueKey]: the database would
// not keep two callers apart. With the options NaturalKey, which names the
// columns, and NoUniqueKey(Lock) the plugin's own callers take turns instead.
//
// It returns [ErrOption] for a row that is no pointer to a model with a name, for
// a db with conditions, Select, Omit or Table, and for refused
// options, [ErrTargetConflict] if two keys are two rows, [ErrDeletedTarget] as
// the option DeletedTargets says, [ErrNotInUse] on a db without the plugin,
// [ErrRetry] if the transaction is to be run again, and GORM's errors. It is
// safe for concurrent use, each call with a row of its own.
func GetOrCreate(ctx context.Context, db *gorm.DB, row any, opts ...Option) (created bool, err error) {
	target := reflect.ValueOf(row)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct || target.Elem().Type().Name() == "" {
		return false, fmt.Errorf("%w: GetOrCreate takes a pointer to a model, not %T", ErrOption, row)
	}
	tx := With(db, opts...).WithContext(ctx).Session(&gorm.Session{Initialized: true})
	if tx.Error != nil {
		return false, tx.Error
	}
	if err := tx.Statement.Parse(row); err != nil {
		return false, err
	}
	if narrowed(tx.Statement) {
		return false, fmt.Errorf("%w: GetOrCreate takes a db without conditions, Scopes, Limit, Select, Omit or Table", ErrOption)
	}
	resolve(tx)
	for _, option := range []string{"Through", "ReportTo", "OnLinked"} {
		if settingsOf(tx).given[option] {
			return false, fmt.Errorf("%w: %s is for links, not for GetOrCreate", ErrOption, option)
		}
	}
	var a attempt
	tx.Statement.ReflectValue = target.Elem()
	keepWithin(tx)
	a.memory.keepAll(tx.Statement)
	err = a.alone(tx, func() error {
		plugin := tx.Plugins[pluginName].(*Plugin)
		l := modelLinks(tx, tx.Statement.Schema, &taken{settings: &plugin.settings, plans: plugin.plans, creating: true})
		created, err = l.getOrCreateRow(target)
		return err
	})
	return created && err == nil, err
}

// getOrCreateRow is one try.
func (l *links) getOrCreateRow(target reflect.Value) (created bool, err error) {
	if l.settings.given["NoUniqueKey"] && l.settings.noUniqueKey == Lock {
		return l.getOrCreateLocked(target)
	}
	if err := l.plannedModel(); err != nil {
		return false, err
	}
	if l.naturalText(target) == "" {
		return false, l.fail(ErrNoUniqueKey, nil, "no unique key of the table has a value in all of its fields")
	}
	if row, ok := l.upsertOf(target); ok {
		created, done, err := l.getOrCreateAtOnce(target, row)
		if done || err != nil {
			return created, err
		}
	}
	return l.getOrCreate(target, true)
}

// narrowed says whether a statement asks for less than whole rows of the model's
// table. GORM has no way to ask for scopes that wait to be applied.
func narrowed(stmt *gorm.Statement) bool {
	_, where := stmt.Clauses["WHERE"]
	_, limit := stmt.Clauses["LIMIT"]
	scopes := reflect.ValueOf(stmt).Elem().FieldByName("scopes")
	return where || limit || stmt.TableExpr != nil || len(stmt.Selects)+len(stmt.Omits)+len(stmt.Joins) > 0 ||
		scopes.IsValid() && scopes.Len() > 0
}

// getOrCreate looks, and creates what is not stored through GORM.
func (l *links) getOrCreate(target reflect.Value, savepoint bool) (created bool, err error) {
	missing, err := l.resolve([]reflect.Value{target})
	if err != nil || len(missing) == 0 {
		return false, err
	}
	// A create with associations may lose half-way, which only a transaction around it
	// undoes.
	err = l.atomically(l.hasAssociations(target), savepoint, func() error {
		created, err = l.create(target)
		return err
	})
	if !violates(l.db, err, gorm.ErrDuplicatedKey) {
		return created && err == nil, err
	}
	l.current = true
	// Another of its unique keys may have met the same row.
	if missing, again := l.resolve([]reflect.Value{target}); again == nil && len(missing) == 0 {
		return false, nil
	}
	return false, err
}

// upsertOf is the one statement that finds or inserts the row, if nothing else
// has to be done for a new row: nothing that GORM's create would do beyond the
// insert, and no savepoint for what else the insert may meet.
func (l *links) upsertOf(target reflect.Value) (*dialect.Upsert, bool) {
	model, keys := l.rel.FieldSchema, l.completeKeys(target)
	_, able := l.plan.dialect.(dialect.Upserter)
	hooked := model.BeforeCreate || model.BeforeSave || model.AfterCreate || model.AfterSave
	if !able || inside(l.db) || l.db.DryRun || hooked && !l.db.Statement.SkipHooks || len(keys) != 1 ||
		len(l.plan.living) > 0 || l.hasAssociations(target) || extended(l.db.Callback().Create()) {
		return nil, false
	}
	n := keys[0]
	values, _ := l.naturalValues(n, target)
	u := &dialect.Upsert{Lookup: l.lookupOf(n), Arbiter: n.arbiter, Where: n.where}
	u.N = 1
	for i, v := range values {
		u.Values[i] = []any{v}
	}
	return u, true
}

// getOrCreateAtOnce runs it. It is not done if a concurrent insert was in the
// way, which the next statement sees.
func (l *links) getOrCreateAtOnce(target reflect.Value, u *dialect.Upsert) (created, done bool, err error) {
	fresh := reflect.New(target.Type().Elem()) // with auto times, which a stored row must not leave behind
	fresh.Elem().Set(target.Elem())
	tx := l.joinStatement(fresh.Interface())
	values := callbacks.ConvertToCreateValues(tx.Statement)
	if tx.Error != nil {
		return false, false, tx.Error
	}
	for i, column := range values.Columns {
		u.Row = append(u.Row, dialect.Extra{Column: l.column(column.Name), Value: values.Values[0][i]})
	}
	var row found
	keep := func(_ int, f found) error { row = f; return nil }
	read := func(rows *sql.Rows) error { return l.lookupRow(rows, 0, keep) }
	err = run(l.db, read, func(b clause.Builder) error { return l.plan.dialect.(dialect.Upserter).Upsert(b, u) })
	switch {
	case err != nil:
		return false, false, l.createdError(err)
	case !row.row.IsValid():
		return false, false, nil
	case !row.created:
		return false, true, l.adopt([]reflect.Value{target}, []found{row}, l.settings.keysOnly)
	}
	target.Elem().Set(fresh.Elem())
	for _, field := range l.rel.FieldSchema.FieldsWithDefaultDBValue {
		if slices.Contains(l.plan.columns, field) {
			ctx := l.db.Statement.Context
			field.ReflectValueOf(ctx, target).Set(field.ReflectValueOf(ctx, row.row))
		}
	}
	return true, true, nil
}

// createdError is createError of an insert that names its arbiter: if it is not
// about rows, the key may be gone.
func (l *links) createdError(err error) error {
	if err != nil && gormSentinel(l.db, err) == nil {
		l.forget()
	}
	return l.createError(err)
}

// create inserts the row unless its key is stored by then, and loads it if so.
func (l *links) create(target reflect.Value) (created bool, err error) {
	c := &creation{links: l, before: map[any][]bool{target.Interface(): nil}}
	rows := reflect.New(reflect.SliceOf(target.Type()))
	rows.Elem().Set(reflect.Append(rows.Elem(), target))
	tx := l.session(&gorm.Session{}).Set(creationKey, c)
	if !l.plan.link.Guarded && !l.races() {
		// Named, so that a key that is gone by now is an error, no duplicate.
		n := l.completeKeys(target)[0]
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
	return tx.RowsAffected > 0 && tx.Error == nil, l.createdError(tx.Error)
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
	n.named = true
	of, err := l.plans.productOf(l.db)
	if err != nil {
		return false, l.fail(nil, err, "the catalogue of the database could not be read")
	}
	l.plan = &plan{dialect: of.Dialect, table: table, target: table, naturals: []natural{n}}
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
