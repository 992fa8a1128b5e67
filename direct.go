package m2msafe

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// direct is the first entrance to the pipeline: an update that does nothing but
// link rows that are stored, as an Append of them, is one statement, in front of
// GORM's BEGIN and instead of it. What it can't settle goes on through the other
// entrance, with nothing written.
func direct(db *gorm.DB) {
	keepWithin(db)
	t, ok := relationsOf(db, false)
	if !ok {
		return
	}
	if len(t.relations) > 1 || t.indirect(db) {
		remember(db, t)
		return
	}
	l := newLinks(db, t, t.relations[0])
	linked, err := l.direct()
	if linked || len(t.missing) > 0 {
		db.Statement.Settings.Store(takenKey{db.Statement}, t)
	}
	switch {
	case fail(db, err):
		return
	case !linked:
		remember(db, t)
		return
	}
	t.early = true
	// Chosen is a column that no update sets, and nothing that GORM would have to
	// puzzle over again.
	db.Statement.Omits = append(slices.Clone(t.omits), l.plan.touchColumns()...)
	if keys := db.Statement.Schema.PrimaryFieldDBNames; len(keys) > 0 {
		db.Statement.Selects = keys[:1:1]
	} else {
		db.Statement.Omits = append(db.Statement.Omits, l.rel.Name)
	}
	db.RowsAffected = 0
	if t.changed && len(l.touch()) > 0 {
		db.RowsAffected = 1
	}
	// The rest of the update has nothing to send, and needs no transaction.
	config := *db.Config // shared with other sessions
	config.SkipDefaultTransaction = true
	t.config, db.Config = db.Config, &config
}

// indirect says whether the call is more than links, before anything is known of
// the relation.
func (t *taken) indirect(db *gorm.DB) bool {
	stmt, owner := db.Statement, db.Statement.Schema
	hooked := owner.BeforeSave || owner.BeforeUpdate || owner.AfterSave || owner.AfterUpdate
	switch {
	case db.DryRun, db.FullSaveAssociations, !t.onlyLinks(db):
	case stmt.ReflectValue.Kind() != reflect.Struct, !stmt.ReflectValue.CanAddr(), stmt.Dest != stmt.Model:
	case conditioned(stmt):
	case hooked && !stmt.SkipHooks, extended(db.Callback().Update()):
	case t.settings.onLinked != nil: // which wants a transaction
	default:
		return false
	}
	return true
}

// conditioned says whether the update has clauses, which are not the link's. A
// connection resolver's are nothing but marks.
func conditioned(stmt *gorm.Statement) bool {
	for name := range stmt.Clauses {
		if !isMark(name) {
			return true
		}
	}
	return stmt.TableExpr != nil || len(stmt.Joins) > 0 || stmt.SQL.Len() > 0
}

// direct links, if one statement can.
func (l *links) direct() (linked bool, err error) {
	owner := l.db.Statement.ReflectValue
	var unread *LinkError
	if err = l.planned(); inside(l.db) && errors.As(err, &unread) && unread.Err == nil {
		return false, err // the catalogue could not be read, and nothing can in that transaction
	}
	if err != nil || l.plan.indirect != "" || l.hooked() ||
		l.settings.through != nil && l.throughFits() != nil {
		return false, nil //nolint:nilerr // the other entrance meets it again
	}
	call, ok := l.directCall(owner)
	if !ok {
		return false, nil
	}
	now := l.db.NowFunc()
	l.touched(call, now)
	states, err := l.states(call, l.plan.dialect.(dialect.Linker).Link)
	if err != nil {
		var known *LinkError
		if !inside(l.db) && errors.As(err, &known) && l.mayPass(known) {
			return false, nil
		}
		return false, err
	}
	for _, s := range states {
		if s.state == dialect.NoTarget {
			l.missing = append(l.missing, l.elementOf(s.row))
		}
	}
	for _, s := range states {
		if s.state != dialect.New {
			return false, nil // and nothing is written
		}
		l.made(s.row, Created)
	}
	if l.changed {
		for _, f := range l.touch() {
			if err := f.Set(l.db.Statement.Context, owner, updateTime(f, now)); err != nil {
				return true, err
			}
		}
	}
	return true, l.tell()
}

// mayPass says whether an error of a statement that was a transaction of its own
// is worth the way through the other entrance: a row that went away meanwhile, a
// plan that was out of date and is forgotten; a transaction that lost. Any other
// would be met again. It has to be PostgreSQL's own: behind a connection that broke
// the links may be stored, and the other entrance would call them existing.
func (l *links) mayPass(err *LinkError) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) &&
		(errors.Is(err, gorm.ErrForeignKeyViolated) || errors.Is(err, ErrRetry) && l.settings.retries > 0 || outdated(err))
}

// touched sets what the statement updates: the owner's auto-update times.
func (l *links) touched(call *dialect.Call, now time.Time) {
	touch := l.touch()
	if len(touch) == 0 {
		return
	}
	link := *call.Link
	link.Owner.Lock = "NO KEY UPDATE"
	for _, f := range touch {
		call.Touch = append(call.Touch, dialect.Assign{Column: f.DBName, Value: updateTime(f, now)})
	}
	if l.db.Statement.Unscoped {
		link.OwnerLive = nil
	}
	call.Link = &link
}

// directCall makes the call of the owner's elements, if all of them have keys:
// straight from the elements into arrays, unless a report asks for each.
func (l *links) directCall(owner reflect.Value) (*dialect.Call, bool) {
	ctx := l.db.Statement.Context
	field := reflect.Indirect(l.rel.Field.ReflectValueOf(ctx, owner))
	n, refs := field.Len(), l.plan.refs
	keys, arrays := make([][]any, len(refs)), make([]*dialect.Array, len(refs))
	for i, ref := range refs {
		if n > 1 && !ref.OwnPrimaryKey && ref.PrimaryKey != nil {
			arrays[i] = dialect.NewArray(l.plan.link.Refs[i], n)
		}
	}
	for row := range n {
		target := field.Index(row)
		if target.Kind() == reflect.Pointer && target.IsNil() || !l.hasPrimary(target) {
			return nil, false
		}
		for i, ref := range refs {
			if arrays[i] == nil && row > 0 {
				continue
			}
			if arrays[i] != nil && ref.number && appendNumber(arrays[i], ref.PrimaryKey.ReflectValueOf(ctx, target)) {
				continue
			}
			value, _, err := l.reference(ref, element{owner: owner, target: target})
			switch {
			case err != nil, arrays[i] != nil && arrays[i].Append(value) != nil:
				return nil, false // the other entrance says what it is
			case arrays[i] == nil:
				keys[i] = []any{value}
			}
		}
	}
	if l.settings.report != nil {
		if l.read() != nil || l.pair() != nil {
			return nil, false
		}
		call, err := l.call()
		return call, err == nil
	}
	l.elements = []element{{owner: owner}} // for errors
	call, err := l.call()
	if err != nil {
		return nil, false
	}
	call.N, call.Keys, call.Arrays = n, keys, arrays
	return call, true
}

// elementOf is the number of the element that a row of directCall's stands for: its
// rows are elements, or for a report pairs, of which equal elements are one.
func (l *links) elementOf(row int) int {
	if len(l.pairs) > 0 {
		return l.pairs[row].at
	}
	return row
}

// hasPrimary says whether a target has its primary key, where the relation refers
// to another one.
func (l *links) hasPrimary(target reflect.Value) bool {
	for _, f := range l.plan.apart {
		if _, zero := f.ValueOf(l.db.Statement.Context, target); zero {
			return false
		}
	}
	return true
}

// appendNumber adds a number that is not zero.
func appendNumber(to *dialect.Array, v reflect.Value) bool {
	switch {
	case v.CanUint() && v.Uint() != 0:
		to.AppendUint(v.Uint())
	case v.CanInt() && v.Int() != 0:
		to.AppendInt(v.Int())
	default:
		return false
	}
	return true
}

// planDirect decides what of the first entrance depends on the relation alone.
func (l *links) planDirect(p *plan) {
	owner := l.rel.Schema
	for _, f := range l.rel.FieldSchema.PrimaryFields {
		if !slices.ContainsFunc(p.refs, func(r reference) bool { return r.PrimaryKey == f && !r.OwnPrimaryKey }) {
			p.apart = append(p.apart, f)
		}
	}
	for _, name := range owner.DBNames {
		if f := owner.FieldsByDBName[name]; f.AutoUpdateTime > 0 && f.Updatable {
			p.touch = append(p.touch, f)
		}
	}
	var err error
	p.link.OwnerLive, _, err = l.softDelete(owner)
	_, linker := p.dialect.(dialect.Linker)
	primary := len(p.link.Owner.Keys) == len(owner.PrimaryFieldDBNames)
	for _, key := range p.link.Owner.Keys {
		primary = primary && slices.Contains(owner.PrimaryFieldDBNames, key)
	}
	switch {
	case !linker:
		p.indirect = "the database links by several statements"
	case p.link.Guarded:
		p.indirect = "the join table has no usable unique key"
	case !p.link.Target.Check:
		p.indirect = "the targets can't be looked up"
	case len(p.touch) == 0:
	case !p.lockOwner:
		p.indirect = "the owner's row can't be locked"
	case !primary:
		p.indirect = "the relation refers to the owner by another key than its primary key"
	case err != nil, updatesOtherwise(owner):
		p.indirect = "an update of the owner has clauses of its own"
	}
}

// updatesOtherwise says whether a field's type adds to each update of its model,
// beyond soft deletion, as optimistic locking does.
func updatesOtherwise(model *schema.Schema) bool {
	return slices.ContainsFunc(model.Fields, func(f *schema.Field) bool {
		value := reflect.New(f.IndirectFieldType).Interface()
		_, updates := value.(schema.UpdateClausesInterface)
		_, deletes := value.(schema.DeleteClausesInterface)
		return updates && !deletes
	})
}

// watchers are name spaces of callbacks that only watch: GORM's own plugins
// (dbresolver is "gorm:db_resolver"; the one for Prometheus has none),
// opentelemetry and Datadog's tracing.
var watchers = []string{"gorm:", "m2msafe:", "otel:", "dd-trace-go:"}

func watches(name string) bool {
	return slices.ContainsFunc(watchers, func(space string) bool { return strings.HasPrefix(name, space) })
}
