package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// retries is how often a caller's transaction is run again that has lost.
const retries = 5

// transaction is the caller's, and is run again as the plugin's documentation says:
// from its beginning, with elements as they were.
func transaction(steps func(tx *gorm.DB, c *call) error) func(context.Context, *gorm.DB, *call) error {
	return func(ctx context.Context, db *gorm.DB, c *call) (err error) {
		for range retries {
			err = db.Transaction(func(tx *gorm.DB) error {
				return passLast(tx, steps(tx, c))
			})
			if !errors.Is(err, m2msafe.ErrRetry) || ctx.Err() != nil {
				break
			}
			c.build()
			c.reruns++
		}
		return err
	}
}

// appendTwice appends labels and notes to the call's owner, and to another's, if there
// is one, the labels too.
func appendTwice(tx *gorm.DB, c *call) error {
	owner := &Owner{ID: c.owners[0], Tag: ownerTag(c.owners[0])}
	if err := tx.Model(owner).Association("Labels").Append(c.labels); err != nil {
		return err
	}
	owner = &Owner{ID: c.owners[0], Tag: ownerTag(c.owners[0])}
	if err := tx.Model(owner).Association("Notes").Append(c.notes); err != nil || len(c.owners) == 1 {
		return err
	}
	other := &Owner{ID: c.owners[1], Tag: ownerTag(c.owners[1])}
	return tx.Model(other).Association("Labels").Append(c.labels)
}

// appendOneByOne appends a label at a time to the call's owner, and then the notes.
func appendOneByOne(tx *gorm.DB, c *call) error {
	for _, l := range c.labels {
		if err := tx.Model(&Owner{ID: c.owners[0], Tag: ownerTag(c.owners[0])}).Association("Labels").Append(l); err != nil {
			return err
		}
	}
	return tx.Model(&Owner{ID: c.owners[0], Tag: ownerTag(c.owners[0])}).Association("Notes").Append(c.notes)
}

// appendEach appends to each of several owners its share of the elements.
func appendEach(_ context.Context, db *gorm.DB, c *call) error {
	var list []*Owner
	var values []any
	for i, id := range c.owners {
		list = append(list, &Owner{ID: id, Tag: ownerTag(id)})
		values = append(values, c.labels[2*i:2*i+2])
	}
	return db.Model(&list).Association("Labels").Append(values...)
}

// judgeEach knows that GORM makes a call of each owner, and stops at the first one
// that fails: what is stored is all of the first few owners'.
func judgeEach(s *snapshot, c *call) (wrong []string) {
	ended := false
	for i, u := range c.units {
		switch there, all := s.count(u, true); {
		case c.err() == nil:
			wrong = append(wrong, s.missing(u)...)
		case there == 0:
			ended = true
		case ended || there < all:
			wrong = append(wrong, fmt.Sprintf("%d of %d rows for owner %d", there, all, i))
		}
	}
	return wrong
}

// judgeReplace knows that Replace is an Append and then a delete, each a transaction.
func judgeReplace(s *snapshot, c *call) []string {
	var before, after unit
	for _, t := range c.before {
		before = append(before, fact{table: ownerLabels, owner: ref{id: c.owners[0]}, target: ref{id: t.id}})
	}
	for _, f := range c.units[0] {
		if f.table == ownerLabels {
			after = append(after, f)
		}
	}
	were, is := s.pairsOf(before), s.pairsOf(after)
	have := s.of(ownerLabels, c.owners[0])
	full := len(is) == len(after) // else a label is not stored at all
	switch {
	case full && slices.Equal(have, is):
		return nil
	case c.err() == nil:
		return []string{fmt.Sprintf("replaced %v by %v, and has %v", were, is, have)}
	case slices.Equal(have, were), full && slices.Equal(have, union(were, is)):
		return nil
	}
	return []string{fmt.Sprintf("half of a replacement of %v by %v: %v", were, is, have)}
}

func union(a, b []uint) []uint {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// chunkSize is LinkPairs'.
const chunkSize = 3

func linkPairs(ctx context.Context, db *gorm.DB, c *call) error {
	pairs := func(yield func(uint, uint) bool) {
		for _, t := range c.targets {
			if !yield(c.owners[0], t.id) {
				return
			}
		}
	}
	done, err := m2msafe.LinkPairs(ctx, db, &Owner{}, "Labels", pairs, m2msafe.ChunkSize(chunkSize))
	c.pairs = int(done.Pairs)
	return err
}

// judgePairs knows that each chunk is a transaction, and that of a call that has
// failed one more than it has said may be stored.
func judgePairs(s *snapshot, c *call) (wrong []string) {
	if c.err() == nil && c.pairs != len(c.targets) {
		wrong = append(wrong, fmt.Sprintf("it says %d pairs of %d", c.pairs, len(c.targets)))
	}
	for i, u := range c.units {
		there, all := s.count(u, true)
		switch {
		case i*chunkSize < c.pairs:
			wrong = append(wrong, s.missing(u)...)
		case i*chunkSize == c.pairs && (there == 0 || there == all):
		case there > 0:
			wrong = append(wrong, fmt.Sprintf("%d of the %d pairs of chunk %d, after %d pairs", there, all, i, c.pairs))
		}
	}
	return wrong
}

func linkKeys(ctx context.Context, db *gorm.DB, c *call) error {
	var keys []any
	for _, t := range c.targets {
		keys = append(keys, t.id)
	}
	made, err := m2msafe.LinkKeys(ctx, db, &Owner{}, "Labels", c.owners[0], keys...)
	if err != nil {
		return err
	}
	if len(made) != len(keys) {
		return fmt.Errorf("LinkKeys says %d outcomes for %d keys", len(made), len(keys))
	}
	for _, link := range made {
		if link.Outcome == m2msafe.Created {
			c.claims = append(c.claims, fmt.Sprint(ownerLabels, link.OwnerKey, link.TargetKey))
		}
	}
	return nil
}
