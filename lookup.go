package m2msafe

import (
	"database/sql"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// found is what the database has under the natural keys of a target.
type found struct {
	row   reflect.Value // a pointer to a model of its own, invalid if there is none
	dead  bool          // it is soft-deleted
	spare bool          // and takes no key
	by    string        // the key

	created bool // the statement that gave it has inserted it
}

// lookup finds targets by their natural keys: a query a key, for all targets
// that have it.
func (l *links) lookup(targets []reflect.Value) ([]found, error) {
	rows := make([]found, len(targets))
	for _, n := range l.plan.naturals {
		query := l.lookupOf(n)
		var asked []int
		for i, target := range targets {
			if values, ok := l.naturalValues(n, target); ok {
				asked = append(asked, i)
				l.attempt().each(func(a *attempt) { a.memory.name(target) })
				for j, v := range values {
					query.Values[j] = append(query.Values[j], v)
				}
			}
		}
		query.N = len(asked)
		best := make([]found, len(targets)) // of this key's rows: the living one, or a dead one
		err := l.lookupRows(query, func(row int, f found) error {
			known := &best[asked[row]]
			f.by, f.spare = n.name, f.dead && n.living
			if !(f.spare && l.settings.deletedTargets == Ignore) && (!known.row.IsValid() || known.dead && !f.dead) {
				*known = f
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for i, f := range best {
			if err := l.merge(&rows[i], f); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// lookupOf is the lookup by a key, without values.
func (l *links) lookupOf(n natural) *dialect.Lookup {
	columns := make([]string, len(l.plan.columns))
	for i, field := range l.plan.columns {
		columns[i] = field.DBName
	}
	query := &dialect.Lookup{
		Table: l.rel.FieldSchema.Table, Columns: columns,
		Keys: n.columns, Values: make([][]any, len(n.fields)), Live: l.plan.living,
	}
	if l.current {
		query.Lock = dialect.Shared
	}
	return query
}

// merge adds what a key has found to what is known of a target. Two different
// rows are a conflict, unless one is dead and takes nothing, and the other lives.
func (l *links) merge(known *found, f found) error {
	switch {
	case !f.row.IsValid(), known.row.IsValid() && l.sameRow(known.row, f.row), f.spare && known.row.IsValid() && !known.dead:
	case !known.row.IsValid(), known.spare && !f.dead:
		*known = f
	default:
		return l.conflict(*known, f)
	}
	return nil
}

// completeKeys are the natural keys of which a target has all values.
func (l *links) completeKeys(target reflect.Value) []natural {
	return slices.DeleteFunc(slices.Clone(l.plan.naturals), func(n natural) bool {
		_, ok := l.naturalValues(n, target)
		return !ok
	})
}

// naturalValues are a target's values of a key, if it has all of them. Zero is
// none, as in all of GORM, unless a map gives it, or it stands beside other
// values in a key that the app has named.
func (l *links) naturalValues(n natural, target reflect.Value) ([]any, bool) {
	values, some := make([]any, len(n.fields)), false
	for i, field := range n.fields {
		value, zero := field.ValueOf(l.db.Statement.Context, target)
		given := !zero || l.given[field.DBName]
		if !given && (!n.named || field.HasDefaultValue) {
			return nil, false
		}
		if _, null, err := dialect.Text(value, ""); err != nil || null {
			return nil, false
		}
		some = some || given
		values[i] = value
	}
	return values, some
}

// lookupRows runs a lookup in chunks and gives each row.
func (l *links) lookupRows(query *dialect.Lookup, each func(row int, f found) error) error {
	if query.N == 0 {
		return nil
	}
	chunk := l.plan.dialect.Chunk(len(query.Keys))
	if chunk == 0 {
		chunk = query.N
	}
	for from := 0; from < query.N; from += chunk {
		part := query.Cut(from, min(from+chunk, query.N))
		read := func(rows *sql.Rows) error { return l.lookupRow(rows, from, each) }
		if err := run(l.db, read, func(b clause.Builder) error { return l.plan.dialect.Lookup(b, part) }); err != nil {
			return l.createError(err)
		}
	}
	return nil
}

// lookupRow reads a row of a lookup: the number of the target, the state, and
// the model's columns, which GORM scans.
func (l *links) lookupRow(rows *sql.Rows, from int, each func(row int, f found) error) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	var row int
	var state string
	head := []any{&row, &state}
	for range columns[2:] {
		head = append(head, new(any))
	}
	if err := rows.Scan(head...); err != nil {
		return err
	}
	f := found{row: reflect.New(l.rel.FieldSchema.ModelType), dead: state == string(dialect.Dead), created: state == string(dialect.New)}
	if err := l.db.Session(&gorm.Session{NewDB: true}).ScanRows(rows, f.row.Interface()); err != nil {
		return err
	}
	return each(from+row-1, f)
}

// sameRow says whether two models are of one row.
func (l *links) sameRow(a, b reflect.Value) bool { return l.rowKey(a) == l.rowKey(b) }

// rowKey is a text of a target's primary key.
func (l *links) rowKey(target reflect.Value) string {
	var key strings.Builder
	for _, field := range l.rel.FieldSchema.PrimaryFields {
		value, _ := field.ValueOf(l.db.Statement.Context, target)
		text, _, _ := dialect.Text(value, "")
		key.WriteString(text)
		key.WriteByte(0)
	}
	return key.String()
}

// conflict is the error of a target that is two rows at once.
func (l *links) conflict(a, b found) error {
	err := l.failure(ErrTargetConflict, nil, "by "+a.by+" it is row "+l.keyText(l.primary(a.row))+", by "+b.by+" it is row "+l.keyText(l.primary(b.row)))
	err.Targets = [][]any{l.primary(a.row), l.primary(b.row)}
	return err
}

func (l *links) primary(target reflect.Value) []any {
	var values []any
	for _, field := range l.rel.FieldSchema.PrimaryFields {
		v, _ := field.ValueOf(l.db.Statement.Context, target)
		values = append(values, v)
	}
	return values
}

// adopt loads found rows into their targets: all columns, as GORM's FirstOrCreate
// does, or the keys alone.
func (l *links) adopt(targets []reflect.Value, rows []found, keysOnly bool) error {
	ctx := l.db.Statement.Context
	fields := l.plan.columns
	if keysOnly {
		fields = slices.Clone(l.rel.FieldSchema.PrimaryFields)
		for _, ref := range l.rel.References {
			if !ref.OwnPrimaryKey && ref.PrimaryKey != nil {
				fields = append(fields, ref.PrimaryKey)
			}
		}
	}
	loaded := reflect.New(reflect.SliceOf(reflect.PointerTo(l.rel.FieldSchema.ModelType)))
	for i, target := range targets {
		for _, field := range fields {
			if field.DBName != "" && field.Readable {
				field.ReflectValueOf(ctx, target).Set(field.ReflectValueOf(ctx, rows[i].row)) // #nosec G602 -- a row for each target
			}
		}
		loaded.Elem().Set(reflect.Append(loaded.Elem(), target))
	}
	if keysOnly || len(targets) == 0 {
		return nil
	}
	tx := l.db.Session(&gorm.Session{NewDB: true, Initialized: true})
	stmt := tx.Statement
	stmt.Dest, stmt.Model, stmt.ReflectValue, stmt.Schema = loaded.Interface(), loaded.Interface(), loaded.Elem(), l.rel.FieldSchema
	tx.RowsAffected = int64(len(targets))
	callbacks.AfterQuery(tx)
	return tx.Error
}
