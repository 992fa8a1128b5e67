package m2msafe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// links is what one statement is about to link through one relation, on its way
// through the pipeline: check, read, plan, resolve the targets, link, tell.
type links struct {
	*taken
	db   *gorm.DB
	rel  *schema.Relationship
	plan *plan

	elements []element       // as the owners hold them
	given    map[string]bool // columns that a target has a value for though it is zero
	pairs    []pair          // distinct, once all targets have their keys
	current  bool            // lookups see what is committed by now, and lock it: see dialect.Racer
	keys     [][]any         // a slice a column of plan.link.Refs, with a value a pair
	counted  bool            // how many pairs are new is asked for, whoever else wants to know
}

// element is one target in one owner's field.
type element struct{ owner, target reflect.Value }

// pair is a distinct link; its values stand in links.keys.
type pair struct {
	element
	at      int // the element's number
	outcome Outcome
}

func newLinks(db *gorm.DB, t *taken, rel *schema.Relationship) *links {
	return &links{taken: t, db: db, rel: rel}
}

// name is the relation in words: the model and its field.
func (l *links) name() string { return strings.TrimSuffix(l.rel.Schema.Name+"."+l.rel.Name, ".") }

// owners calls f for each owner of the statement, until it returns an error.
func (l *links) owners(f func(owner reflect.Value) error) error {
	switch v := l.db.Statement.ReflectValue; v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if owner := reflect.Indirect(v.Index(i)); owner.Kind() == reflect.Struct {
				if err := f(addressable(owner)); err != nil {
					return err
				}
			}
		}
	case reflect.Struct:
		return f(addressable(v))
	}
	return nil
}

// addressable is v, or a copy of it where GORM was given a value, no pointer.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	return copied
}

// read collects the elements of all owners, pointers in the targets' place.
func (l *links) read() error {
	return l.owners(func(owner reflect.Value) error {
		if _, zero := l.rel.Field.ValueOf(l.db.Statement.Context, owner); zero {
			return nil
		}
		field := reflect.Indirect(l.rel.Field.ReflectValueOf(l.db.Statement.Context, owner))
		for i := range field.Len() {
			target := field.Index(i)
			if target.Kind() != reflect.Pointer {
				target = target.Addr()
			} else if target.IsNil() {
				return l.fail(ErrInvalidTarget, nil, "element "+fmt.Sprint(i)+" of the field is a nil pointer; take it out")
			}
			l.elements = append(l.elements, element{owner, target})
		}
		return nil
	})
}

// check refuses nil targets, and owners that an update can't give a key.
func (l *links) check() error {
	if err := l.read(); err != nil || l.creating {
		return err
	}
	var last reflect.Value
	for _, e := range l.elements {
		if e.owner == last {
			continue
		}
		last = e.owner
		for _, ref := range l.rel.References {
			if !ref.OwnPrimaryKey {
				continue
			}
			if _, zero := ref.PrimaryKey.ValueOf(l.db.Statement.Context, e.owner); zero {
				return l.ownerNotSaved(ref)
			}
		}
	}
	return nil
}

func (l *links) ownerNotSaved(ref *schema.Reference) error {
	return l.fail(ErrOwnerNotSaved, nil, "save the "+l.rel.Schema.Name+" first: its "+ref.PrimaryKey.Name+" is zero")
}

// pair makes the distinct pairs of the elements, and their keys, in the
// catalogue's terms. Pairs are equal if what the database will read is.
func (l *links) pair() error {
	refs := l.plan.refs
	l.pairs = make([]pair, 0, len(l.elements))
	l.keys = make([][]any, len(refs))
	// What belongs to the one owner, or to the relation, is the same in all rows.
	several := l.severalOwners()
	own := func(ref reference) bool {
		return several && ref.OwnPrimaryKey || !ref.OwnPrimaryKey && ref.PrimaryKey != nil
	}
	for i, ref := range refs {
		if own(ref) {
			l.keys[i] = make([]any, 0, len(l.elements))
		}
	}
	seen := make(map[string]struct{}, len(l.elements))
	values := make([]any, len(refs))
	var text []byte
	for n, e := range l.elements {
		text = text[:0]
		for i, ref := range refs {
			value, key, err := l.reference(ref, e)
			if err != nil {
				return err
			}
			values[i] = value
			text = binary.AppendUvarint(text, uint64(len(key)))
			text = append(text, key...)
		}
		if _, ok := seen[string(text)]; ok {
			continue
		}
		seen[string(text)] = struct{}{}
		l.pairs = append(l.pairs, pair{element: e, at: n, outcome: Existing})
		for i, v := range values {
			if len(l.pairs) == 1 || own(refs[i]) {
				l.keys[i] = append(l.keys[i], v)
			}
		}
	}
	return nil
}

func (l *links) severalOwners() bool {
	first := l.elements[0].owner
	return slices.ContainsFunc(l.elements, func(e element) bool { return e.owner != first })
}

// reference is the value of one of the join row's columns for an element, and
// its text. It refuses zero and NULL.
func (l *links) reference(ref reference, e element) (value any, text string, err error) {
	if ref.PrimaryKey == nil {
		return ref.PrimaryValue, ref.PrimaryValue, nil
	}
	ctx := l.db.Statement.Context
	from := e.target
	if ref.OwnPrimaryKey {
		from = e.owner
	}
	value, zero := ref.PrimaryKey.ValueOf(ctx, from)
	if !zero && ref.convert {
		// The join model's field has a type of its own: go through it, as GORM
		// does.
		row := reflect.New(l.rel.JoinTable.ModelType)
		if err := ref.ForeignKey.Set(ctx, row, value); err != nil {
			return nil, "", l.fail(nil, withoutValue(l.db, value, err), "field "+ref.ForeignKey.Name+" of the join model can't hold the key")
		}
		value, _ = ref.ForeignKey.ValueOf(ctx, row)
	}
	var null bool
	if !zero {
		if text, null, err = dialect.Text(value, ""); err != nil {
			return nil, "", l.fail(nil, err, "the value of "+ref.PrimaryKey.Name+" can't be a key")
		}
	}
	switch {
	case !zero && !null, l.db.DryRun:
		return value, text, nil
	case ref.OwnPrimaryKey:
		return nil, "", l.ownerNotSaved(ref.Reference)
	default:
		return nil, "", l.zeroReference(ref.Reference, e)
	}
}

func (l *links) zeroReference(ref *schema.Reference, e element) error {
	err := l.failure(ErrZeroReference, nil, ref.PrimaryKey.Name+" of the "+l.rel.FieldSchema.Name+" has no value")
	err.Owner = l.values(true, e)
	err.Targets = [][]any{l.values(false, e)}
	return err
}

// values are the reference values of one end of an element, as in memory.
func (l *links) values(own bool, e element) []any {
	from := e.target
	if own {
		from = e.owner
	}
	var values []any
	for _, ref := range l.rel.References {
		if ref.OwnPrimaryKey == own && ref.PrimaryKey != nil {
			v, _ := ref.PrimaryKey.ValueOf(l.db.Statement.Context, from)
			values = append(values, v)
		}
	}
	return values
}

// failure makes a LinkError of this relation.
func (l *links) failure(err, cause error, advice string) *LinkError {
	e := &LinkError{Relation: l.name(), JoinTable: l.rel.JoinTable.Table, Err: err, Cause: cause, Advice: advice, show: l.keyText}
	if cause != nil {
		e.gormErr = gormSentinel(l.db, cause)
	}
	if errors.Is(err, ErrOwnerNotStored) || errors.Is(err, ErrTargetNotStored) {
		e.gormErr = gorm.ErrForeignKeyViolated
	}
	return e
}

func (l *links) fail(err, cause error, advice string) error {
	return l.failure(err, cause, advice)
}
