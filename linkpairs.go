package m2msafe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Progress is how far a call of [LinkPairs] has come: counts of pairs.
type Progress struct {
	Pairs   int64 // that are linked, which are the first ones of the iterator
	Created int64 // of these, the ones that this call inserted
	Revived int64 // of these, the ones that it brought back from soft deletion
}

// defaultChunk is how many pairs are a chunk. With more of them PostgreSQL takes
// hardly less for a pair (docs/design.md has the figures), and memory grows.
const defaultChunk = 100_000

// LinkPairs links any number of owners and targets by their keys alone, in
// chunks, and loads none of them:
//
//	done, err := m2msafe.LinkPairs(ctx, db, &User{}, "Groups", maps.All(groupOf))
//
// model is a pointer to the owner's model and relation the name of its field.
// pairs gives the key of an owner and the key of a target, as [LinkKeys] takes
// them; a pair may come twice. An iterator that meets an error of its own ends,
// and keeps it for the caller. Memory does not grow with the number of pairs,
// unless [ReportTo] asks for each.
//
// Each chunk is a transaction of its own, or stands in the caller's. LinkPairs
// returns how far it came, with an error too: the chunks before the error are
// linked, and nothing of the one that failed, or all of it, if the answer to it was lost. As a pair that is linked is left
// alone, the call can be made again from the start, or without the first
// Progress.Pairs pairs. In a DryRun it comes nowhere. [ChunkSize] and [OnProgress] are its options; the others
// mean what they mean to an Append.
//
// It creates neither owners nor targets, runs none of their hooks, and leaves the
// owners' update times alone; the join model's create hooks run. It returns
// [ErrOwnerNotStored], [ErrTargetNotStored] and the other errors of an Append,
// [ErrOption] for a model, relation or key that does not fit and for a db with
// conditions, Scopes, Limit, Select, Omit or Table and for [Off], [ErrNotInUse], and the error of OnProgress.
// It is safe for concurrent use; but two transactions that make several chunks
// each may deadlock ([ErrRetry]), as the chunks of one have no order.
func LinkPairs[O, T any](ctx context.Context, db *gorm.DB, model any, relation string, pairs iter.Seq2[O, T], opts ...Option) (Progress, error) {
	if pairs == nil {
		return Progress{}, fmt.Errorf("%w: LinkPairs takes an iterator, not nil", ErrOption)
	}
	b, err := newBulk(With(db, opts...).WithContext(ctx), model, relation)
	if err != nil {
		return Progress{}, err
	}
	for owner, target := range pairs {
		if err := b.add(owner, target); err != nil {
			return b.done, err
		}
	}
	err = b.flush()
	return b.done, err
}

// add takes a pair, and links the chunk if that is full.
func (b *bulk) add(owner, target any) error {
	ctx := b.db.Statement.Context
	if err := setKey(b.db, b.rel, true, b.scratch.owner, owner); err != nil {
		return err
	}
	if err := setKey(b.db, b.rel, false, b.scratch.target, target); err != nil {
		return err
	}
	for i, array := range b.arrays {
		ref, from := b.plan.refs[i], b.scratch.target
		if ref.OwnPrimaryKey {
			from = b.scratch.owner
		}
		if array == nil || ref.number && appendNumber(array, ref.PrimaryKey.ReflectValueOf(ctx, from)) {
			continue
		}
		value, _, err := b.reference(ref, b.scratch)
		if err == nil {
			err = array.Append(value)
		}
		if err != nil {
			return err
		}
	}
	b.asked = append(b.asked, [2]any{kept(owner), kept(target)})
	if len(b.asked) < b.settings.chunk {
		return nil
	}
	return b.flush()
}

// flush links the pairs of the chunk.
func (b *bulk) flush() error {
	if len(b.asked) == 0 {
		return nil
	}
	more, err := b.chunk()
	if err != nil {
		return err
	}
	if !b.db.DryRun {
		b.done.Pairs += int64(len(b.asked))
	}
	b.done.Created += more.Created
	b.done.Revived += more.Revived
	b.start()
	if b.settings.onProgress != nil {
		return b.settings.onProgress(b.done)
	}
	return nil
}

// chunk links by one insert. Where that is not enough, or the database refuses
// it, it does as an Append to all of the owners, which finds out what is not
// stored.
func (b *bulk) chunk() (Progress, error) {
	if b.arrays != nil {
		created, err := b.insert()
		var known *LinkError
		if err == nil || !errors.As(err, &known) || !b.mayPass(known) {
			return Progress{Created: created}, err
		}
		if err := b.planned(); err != nil { // it may be another by now
			return Progress{}, err
		}
	}
	elements := make([]element, len(b.asked))
	owners := map[any]reflect.Value{}
	for i, keys := range b.asked {
		var err error
		if elements[i], err = b.element(keys, owners); err != nil {
			return Progress{}, err
		}
	}
	var l *links
	try := func() error {
		l = newLinks(b.db, &taken{settings: b.settings, plans: b.plans}, b.rel)
		l.plan, l.counted, l.elements = b.plan, true, elements
		return l.linkStored()
	}
	if err := new(attempt).alone(b.db, try); err != nil {
		return Progress{}, err
	}
	var p Progress
	for _, pair := range l.pairs {
		switch pair.outcome {
		case Created:
			p.Created++
		case Revived:
			p.Revived++
		}
	}
	return p, nil
}

// linkStored links elements of which both ends must be stored.
func (l *links) linkStored() error {
	if err := l.guarded(); err != nil {
		return err
	}
	return l.atomically(l.several(), false, func() error {
		if err := l.open(); err != nil {
			return l.databaseError(err)
		}
		if err := l.pair(); err != nil {
			return err
		}
		missing, err := l.link()
		if err == nil && len(missing) > 0 {
			err = l.notStored(ErrTargetNotStored, missing, "create it first")
		}
		if err != nil {
			return err
		}
		return l.tell()
	})
}

// insert is one statement for the chunk, and a transaction by itself.
func (b *bulk) insert() (created int64, err error) {
	call, err := b.call()
	if err != nil {
		return 0, err
	}
	call.N, call.Arrays, call.Count = len(b.asked), b.arrays, true
	// Where the table has nothing but the pair an insert that meets its key leaves
	// nothing behind: no value of a sequence is used up, no CHECK or trigger has seen
	// the row. Then it may find out what is linked.
	call.Blind = len(b.plan.table.Columns) == len(b.plan.refs) && !b.plan.table.Triggers
	call.Keys = make([][]any, len(b.plan.refs))
	for i, ref := range b.plan.refs {
		if b.arrays[i] == nil {
			call.Keys[i] = []any{ref.PrimaryValue}
		}
	}
	created, err = exec(b.db, func(w clause.Builder) error { return b.plan.dialect.Write(w, call) })
	if err != nil {
		return 0, b.databaseError(err)
	}
	return created, nil
}
