package m2msafe

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"gorm.io/gorm"
)

// Option sets how links are written. The same options are given to [New], as
// defaults of the app, and to [With], for the calls made through one *gorm.DB;
// what With sets wins. An option that is nil, given twice, in conflict with
// another or out of its place is refused with [ErrOption]: by db.Use, or by the
// call made through With.
type Option func(*settings) error

// Policy says what happens where the safe way of linking is not open.
type Policy uint8

// The policies. Which of them an option takes, and which is its default, its
// documentation says.
const (
	Lock   Policy = iota + 1 // serialize the plugin's writers by a lock
	Revive                   // bring the stored row back
	Refuse                   // return an error, write nothing
	Ignore                   // do as if it were not there
)

// settings is what the options of New and With add up to.
type settings struct {
	noUniqueKey     Policy
	deletedLinks    Policy
	deletedTargets  Policy
	unknownDatabase Policy
	naturalKeys     map[reflect.Type][]string
	keysOnly        bool
	off             bool
	through         any
	report          *Report
	onLinked        func(tx *gorm.DB, event Event) error
	retries         int
	chunk           int
	onProgress      func(Progress) error
	txOptions       *sql.TxOptions
	within          *attempt // the Transaction that the calls stand in

	perCall bool            // the options were given to With
	given   map[string]bool // names of the options of this New or With
}

// apply adds opts to s.
func (s settings) apply(perCall bool, opts []Option) (settings, error) {
	s.perCall, s.given = perCall, make(map[string]bool, len(opts))
	var errs []error
	for i, opt := range opts {
		if opt == nil {
			errs = append(errs, fmt.Errorf("%w: option %d is nil", ErrOption, i+1))
			continue
		}
		if err := opt(&s); err != nil {
			errs = append(errs, err)
		}
	}
	if s.given["Off"] && len(s.given) > 1 {
		errs = append(errs, fmt.Errorf("%w: Off conflicts with the other options of the same call", ErrOption))
	}
	return s, errors.Join(errs...)
}

// once notes that the option called name is given, and refuses the second time.
func (s *settings) once(name string) error {
	if s.given[name] {
		return fmt.Errorf("%w: %s is given twice", ErrOption, name)
	}
	s.given[name] = true
	return nil
}

// onceWith is once for the options that belong to single calls.
func (s *settings) onceWith(name string) error {
	if !s.perCall {
		return fmt.Errorf("%w: %s belongs to single calls: give it to With, not to New", ErrOption, name)
	}
	return s.once(name)
}

// NoUniqueKey says what happens on a join table without a usable unique key on
// the pair.
//
// [Lock], the default: the plugin's writers take turns (on PostgreSQL by
// advisory locks that end with the transaction) and insert only what is
// missing. It is logged once a relation, as a warning through GORM's logger,
// with the DDL that mends the table.
//
// [Refuse]: the call fails with [ErrNoUniqueKey] and writes nothing.
func NoUniqueKey(p Policy) Option {
	return func(s *settings) error {
		if p != Lock && p != Refuse {
			return fmt.Errorf("%w: NoUniqueKey takes Lock or Refuse", ErrOption)
		}
		s.noUniqueKey = p
		return s.once("NoUniqueKey")
	}
}

// DeletedLinks says what happens to a link whose soft-deleted row still takes
// the pair's unique key.
//
// [Revive], the default: the row comes back to life, keeps its other columns,
// and its auto-update time moves.
//
// [Refuse]: the call fails with [ErrDeletedLink] and writes nothing.
//
// Where the unique key covers living rows only (a partial index, or one that
// includes the soft-delete column) a dead row takes nothing: it stays as
// history and a new row is inserted, under either policy.
func DeletedLinks(p Policy) Option {
	return func(s *settings) error {
		if p != Revive && p != Refuse {
			return fmt.Errorf("%w: DeletedLinks takes Revive or Refuse", ErrOption)
		}
		s.deletedLinks = p
		return s.once("DeletedLinks")
	}
}

// DeletedTargets says what happens when a target without a key is known by its
// natural key to be a row that is soft-deleted.
//
// [Refuse], the default: the call fails with [ErrDeletedTarget].
//
// [Revive]: the row comes back to life and is linked.
//
// [Ignore]: where the unique key covers living rows only, a new row is created;
// elsewhere it is as Refuse.
func DeletedTargets(p Policy) Option {
	return func(s *settings) error {
		if p != Revive && p != Refuse && p != Ignore {
			return fmt.Errorf("%w: DeletedTargets takes Refuse, Revive or Ignore", ErrOption)
		}
		s.deletedTargets = p
		return s.once("DeletedTargets")
	}
}

// NaturalKey names the natural key of a target's model, by its fields or
// columns, where the unique keys that the database enforces leave a choice. The
// tag `m2msafe:"naturalKey"` on the model's fields does the same. It must be one
// of these unique keys, or the calls fail with [ErrNoUniqueKey]. It may be given
// once a model. In a named key of several columns zero is a value too (false,
// say), unless all of them are zero or the column has a default.
func NaturalKey(model any, fields ...string) Option {
	return func(s *settings) error {
		t := reflect.TypeOf(model)
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t == nil || t.Kind() != reflect.Struct || len(fields) == 0 {
			return fmt.Errorf("%w: NaturalKey takes a model and its fields", ErrOption)
		}
		keys := maps.Clone(s.naturalKeys)
		if keys == nil {
			keys = map[reflect.Type][]string{}
		}
		keys[t] = fields
		s.naturalKeys = keys
		return s.once("NaturalKey of " + t.String())
	}
}

// KeysOnly leaves the fields of a target that is found by its natural key as
// they are, but for its keys. By default the stored row is loaded, as GORM's
// FirstOrCreate does.
func KeysOnly() Option {
	return func(s *settings) error {
		s.keysOnly = true
		return s.once("KeysOnly")
	}
}

// Through gives values for the extra columns of the join rows that the call
// inserts; stored rows keep theirs. For [With] only.
//
// values is a map[string]any of column or field names, or a struct or pointer
// to a struct of the relation's join model, of which the non-zero fields count.
// Of the relations that a call saves it reaches those whose join model it is, or
// whose join tables have all of its columns; if it fits none, or names one of
// the columns that hold the pair, it is refused with [ErrOption] before a link
// is written. Where the join
// model has create hooks, a map may not hold gorm.Expr values, and its zero
// values leave a column to its default.
func Through(values any) Option {
	return func(s *settings) error {
		t := reflect.TypeOf(values)
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		_, isMap := values.(map[string]any)
		v := reflect.ValueOf(values)
		if t == nil || (!isMap && t.Kind() != reflect.Struct) || (v.Kind() == reflect.Pointer && v.IsNil()) {
			return fmt.Errorf("%w: Through takes a map[string]any or a join model, not %T", ErrOption, values)
		}
		s.through = values
		return s.onceWith("Through")
	}
}

// ReportTo has each pair that the calls ask for noted in r, with its outcome.
// For [With] only.
func ReportTo(r *Report) Option {
	return func(s *settings) error {
		if r == nil {
			return fmt.Errorf("%w: ReportTo takes a *Report, not nil", ErrOption)
		}
		s.report = r
		return s.onceWith("ReportTo")
	}
}

// OnLinked has f called for each relation of which a call made new links, with
// those links only ([Created] and [Revived]), inside the transaction of the
// call: tx is for statements that stand or fall with the links. If f returns an
// error the call returns it, and rolls the links back, or leaves that to the
// caller whose transaction it is. f may be called by several goroutines at
// once where the *gorm.DB is shared.
func OnLinked(f func(tx *gorm.DB, event Event) error) Option {
	return func(s *settings) error {
		if f == nil {
			return fmt.Errorf("%w: OnLinked takes a function, not nil", ErrOption)
		}
		s.onLinked = f
		return s.once("OnLinked")
	}
}

// Retries is how many more times a call, or a [Transaction], is tried that lost
// against another transaction ([ErrRetry]), if it is one of its own: 10 by default, with
// pauses from 2 to 250 ms that grow; 0 leaves it to the caller. Hooks run again at
// each try.
func Retries(n int) Option {
	return func(s *settings) error {
		if n < 0 {
			return fmt.Errorf("%w: Retries takes a number from 0 up, not %d", ErrOption, n)
		}
		s.retries = n
		return s.once("Retries")
	}
}

// TxOptions is how [Transaction] begins: the isolation level, and whether it only
// reads. The database's own level is the default. For [With] and Transaction only;
// other calls don't look at it.
func TxOptions(opts sql.TxOptions) Option {
	return func(s *settings) error {
		s.txOptions = &opts
		return s.onceWith("TxOptions")
	}
}

// ChunkSize is how many pairs [LinkPairs] writes at a time: from 1 up, 100,000 by
// default. For [With] and LinkPairs only; other calls don't look at it.
func ChunkSize(pairs int) Option {
	return func(s *settings) error {
		if pairs < 1 {
			return fmt.Errorf("%w: ChunkSize takes a number from 1 up, not %d", ErrOption, pairs)
		}
		s.chunk = pairs
		return s.onceWith("ChunkSize")
	}
}

// OnProgress has [LinkPairs] call f after each chunk, once that stands, or in a
// transaction of the caller's will stand with it. If f returns an error the call
// ends with it; what is linked stays. For [With] and LinkPairs only; other calls
// don't look at it.
func OnProgress(f func(done Progress) error) Option {
	return func(s *settings) error {
		if f == nil {
			return fmt.Errorf("%w: OnProgress takes a function, not nil", ErrOption)
		}
		s.onProgress = f
		return s.onceWith("OnProgress")
	}
}

// Off leaves many-to-many writes to stock GORM.
func Off() Option {
	return func(s *settings) error {
		s.off = true
		return s.once("Off")
	}
}
