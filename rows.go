package m2msafe

import (
	"database/sql"
	"maps"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// hooked says whether join rows have to be made one by one, for their hooks.
func (l *links) hooked() bool { return l.plan.hooks && !l.db.Statement.SkipHooks }

// call puts the pairs into a dialect's terms. All join rows look alike but for
// the pair, so one of them, made as GORM would make it, gives the columns and
// values of all.
func (l *links) call() (*dialect.Call, error) {
	link := l.plan.link
	link.Owner.Check = link.Owner.Check && l.ownTable()
	if l.early && l.plan.lockOwner {
		link.Owner.Lock = "NO KEY UPDATE"
	}
	c := &dialect.Call{Link: &link, N: len(l.pairs), Keys: l.keys}
	c.Quiet = l.settings.report == nil && l.settings.onLinked == nil && !l.hooked() && !l.counted
	if l.current {
		c.Lock = dialect.Shared
	}
	if l.plan.link.Dead {
		c.Revive = l.revive()
	}
	if l.plan.bare && l.settings.through == nil {
		return c, nil
	}
	row := reflect.New(l.rel.JoinTable.ModelType)
	given, err := l.through(row)
	if err != nil {
		return nil, err
	}
	tx := l.joinStatement(row.Interface())
	values := callbacks.ConvertToCreateValues(tx.Statement)
	if tx.Error != nil {
		return nil, l.fail(nil, tx.Error, "the join row could not be made")
	}
	for i, column := range values.Columns {
		if _, ok := given[column.Name]; !ok {
			given[column.Name] = values.Values[0][i]
		}
	}
	for _, ref := range l.plan.refs {
		delete(given, ref.ForeignKey.DBName)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		c.Extra = append(c.Extra, dialect.Extra{Column: l.column(name), Value: given[name]})
	}
	// A key that counts itself up meets no other row, unless Through or a default gives
	// it a value.
	link.Sole = link.Sole && !slices.ContainsFunc(l.plan.table.Keys, func(k catalog.Key) bool {
		return k.Counted && slices.ContainsFunc(k.Columns, func(column string) bool { _, set := given[column]; return set })
	})
	return c, nil
}

// ownTable says whether the statement's owners are in their model's table.
// db.Table sends them elsewhere; then they can't be looked up in it.
func (l *links) ownTable() bool {
	stmt := l.db.Statement
	if stmt.TableExpr == nil {
		return stmt.Table == l.rel.Schema.Table
	}
	return len(stmt.TableExpr.Vars) == 0 && stmt.TableExpr.SQL == stmt.Quote(l.rel.Schema.Table)
}

// column is a column of the join table with its type.
func (l *links) column(name string) dialect.Column {
	column := dialect.Column{Name: name, Type: "text"}
	if c := l.plan.table.Column(name); c != nil {
		column.Type = c.Type
	}
	return column
}

// joinStatement is a create statement on join rows, for what GORM's parts of it
// do; it is never sent.
func (l *links) joinStatement(dest any) *gorm.DB {
	tx := l.db.Session(&gorm.Session{NewDB: true, Initialized: true})
	stmt := tx.Statement
	stmt.Dest, stmt.Model, stmt.ReflectValue = dest, dest, reflect.ValueOf(dest).Elem()
	stmt.Schema, stmt.Table = l.rel.JoinTable, l.rel.JoinTable.Table
	for _, c := range l.rel.JoinTable.CreateClauses {
		stmt.AddClause(c)
	}
	return tx
}

// revive is what brings a dead row back: the values of a living one, and the
// auto-update times.
func (l *links) revive() []dialect.Assign {
	assigns := slices.Clone(l.plan.revived)
	ctx, row := l.db.Statement.Context, reflect.New(l.rel.JoinTable.ModelType)
	for _, field := range l.rel.JoinTable.Fields {
		if field.AutoUpdateTime > 0 && field.Set(ctx, row, l.db.NowFunc()) == nil {
			now, _ := field.ValueOf(ctx, row)
			assigns = append(assigns, dialect.Assign{Column: field.DBName, Value: now})
		}
	}
	return assigns
}

// writeHooked makes the join rows that are to be inserted, in memory, has the
// join model's hooks see them, and writes them. AfterCreate and AfterSave see
// those that this call inserted, with the values that the database gave them.
func (l *links) writeHooked(call *dialect.Call, rows []int) error {
	if len(rows) == 0 {
		return nil
	}
	ctx, model := l.db.Statement.Context, l.rel.JoinTable.ModelType
	made := reflect.New(reflect.SliceOf(reflect.PointerTo(model)))
	var given map[string]any
	for _, i := range rows {
		row := reflect.New(model)
		var err error
		if given, err = l.through(row); err != nil {
			return err
		}
		for j, ref := range l.plan.refs {
			if err := ref.ForeignKey.Set(ctx, row, call.Key(j, i)); err != nil {
				return l.fail(nil, withoutValue(l.db, call.Key(j, i), err), "the join model can't hold the key")
			}
		}
		made.Elem().Set(reflect.Append(made.Elem(), row))
	}
	tx := l.joinStatement(made.Interface())
	callbacks.BeforeCreate(tx)
	if tx.Error != nil {
		return tx.Error
	}
	values := callbacks.ConvertToCreateValues(tx.Statement)
	if tx.Error != nil {
		return l.fail(nil, tx.Error, "the join rows could not be made")
	}
	for name, value := range given { // of columns that the model doesn't know
		if l.rel.JoinTable.FieldsByDBName[name] == nil {
			values.Columns = append(values.Columns, clause.Column{Name: name})
			for i := range values.Values {
				values.Values[i] = append(values.Values[i], value)
			}
		}
	}
	if err := l.writeValues(call, rows, values); err != nil {
		return err
	}

	created := reflect.New(made.Elem().Type())
	var indexes []int
	for i, row := range rows {
		if l.pairs[row].outcome == Created {
			indexes = append(indexes, row)
			created.Elem().Set(reflect.Append(created.Elem(), made.Elem().Index(i)))
		}
	}
	if len(indexes) == 0 || !(l.rel.JoinTable.AfterCreate || l.rel.JoinTable.AfterSave) {
		return nil
	}
	if err := l.load(call.Pick(indexes), created.Elem()); err != nil {
		return err
	}
	after := l.joinStatement(created.Interface())
	callbacks.AfterCreate(after)
	return after.Error
}

// writeValues writes rows whose columns have a value each. A column that some
// rows leave to the database (DEFAULT), give as an expression, or have in a form
// that only the driver knows to send, can't travel as text: then each row is a
// statement, in the same order.
func (l *links) writeValues(call *dialect.Call, rows []int, values clause.Values) error {
	plain := true
	for _, row := range values.Values {
		plain = plain && !slices.ContainsFunc(row, func(v any) bool { return isExpression(v) || !dialect.Plain(v) })
	}
	isPair := func(column string) bool { return slices.Contains(pairColumns(l.rel), column) }
	whole := *call
	if plain {
		whole.Extra = nil
		for i, column := range values.Columns {
			if isPair(column.Name) {
				continue
			}
			extra := dialect.Extra{Column: l.column(column.Name), Rows: make([]any, call.N)}
			for j, row := range rows {
				extra.Rows[row] = values.Values[j][i]
			}
			whole.Extra = append(whole.Extra, extra)
		}
		return l.write(&whole, rows, l.plan.dialect.Write, Created)
	}
	for j, row := range rows {
		whole.Extra = nil
		for i, column := range values.Columns {
			field := l.rel.JoinTable.FieldsByDBName[column.Name]
			value := values.Values[j][i]
			if isPair(column.Name) || isExpression(value) && reflect.DeepEqual(value, l.db.Dialector.DefaultValueOf(field)) {
				continue
			}
			whole.Extra = append(whole.Extra, dialect.Extra{Column: l.column(column.Name), Value: value})
		}
		if err := l.write(&whole, []int{row}, l.plan.dialect.Write, Created); err != nil {
			return err
		}
	}
	return nil
}

func isExpression(v any) bool {
	_, is := v.(clause.Expression)
	return is
}

// load reads the columns that the database fills in back into created rows.
func (l *links) load(call *dialect.Call, rows reflect.Value) error {
	join := l.rel.JoinTable
	fields := slices.DeleteFunc(slices.Clone(join.FieldsWithDefaultDBValue), func(f *schema.Field) bool { return !f.Readable })
	if len(fields) == 0 {
		return nil
	}
	columns := make([]string, len(fields))
	for i, field := range fields {
		columns[i] = field.DBName
	}
	ctx := l.db.Statement.Context
	return l.chunks(call, func(part *dialect.Call, from int) error {
		next := from
		read := func(row *sql.Rows) error {
			loaded := reflect.New(join.ModelType)
			if err := l.db.Session(&gorm.Session{NewDB: true, SkipHooks: true}).ScanRows(row, loaded.Interface()); err != nil {
				return err
			}
			for _, field := range fields {
				field.ReflectValueOf(ctx, rows.Index(next)).Set(field.ReflectValueOf(ctx, loaded))
			}
			next++
			return nil
		}
		return run(l.db, read, func(b clause.Builder) error { return l.plan.dialect.Load(b, part, columns) })
	})
}
