package faults

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// kind is a kind of call.
type kind struct {
	name    string
	weight  int
	whole   bool // it is one transaction by GORM's default, and not without
	repeats bool // the call may be made again after a failure
	alone   bool // it may be one statement, without a COMMIT
	callers bool // it is the caller's transaction: what is in memory is the caller's to undo
	creates int  // owners
	plan    func(c *call)
	run     func(ctx context.Context, db *gorm.DB, c *call) error
	// judge says what is wrong with what is stored, where that is not all of each unit
	// or nothing.
	judge func(s *snapshot, c *call) []string
}

// kinds are all of them.
var kinds = []*kind{
	{name: "Append of stored targets", weight: 4, repeats: true, run: appendTo("Labels"), plan: func(c *call) {
		c.targets = c.stored(1, 5)
		c.units = []unit{links(ownerLabels, ref{id: c.ownOwner()}, true, c.targets)}
	}},
	{name: "Append to an owner of all", weight: 3, repeats: true, run: appendTo("Labels"), plan: func(c *call) {
		c.targets = append(c.stored(1, 3), c.shared(0, 2)...)
		c.units = []unit{links(ownerLabels, ref{id: c.sharedOwner()}, false, c.targets)}
	}},
	{name: "Append from the other side", weight: 3, repeats: true, plan: func(c *call) {
		c.targets = c.stored(1, 1)
		for range 1 + c.rng.IntN(3) {
			c.units = append(c.units, links(ownerLabels, ref{id: c.sharedOwner()}, false, c.targets))
		}
	}, run: func(_ context.Context, db *gorm.DB, c *call) error {
		var list []*Owner
		for _, id := range c.owners {
			list = append(list, &Owner{ID: id, Tag: ownerTag(id)})
		}
		return db.Model(c.labels[0]).Association("Owners").Append(list)
	}},
	{name: "Append by names", weight: 4, repeats: true, run: appendTo("Labels"), plan: func(c *call) {
		c.targets = append(c.shared(1, 4), c.fresh("label", 0, 2)...)
		c.units = []unit{links(ownerLabels, ref{id: c.ownOwner()}, true, c.targets)}
	}},
	{name: "Append without natural keys", weight: 3, repeats: true, run: appendTo("Notes"), plan: func(c *call) {
		c.more = c.fresh("note", 1, 3)
		c.units = []unit{links(ownerNotes, ref{id: c.ownOwner()}, true, c.more)}
	}},
	{name: "Append of stored and new", weight: 4, repeats: true, run: appendTo("Labels"), plan: func(c *call) {
		c.targets = mixed(c)
		c.units = []unit{links(ownerLabels, ref{id: c.ownOwner()}, true, c.targets)}
	}},
	{name: "Append without a unique key", weight: 3, repeats: true, run: appendTo("Marks"), plan: func(c *call) {
		c.targets = append(c.stored(1, 2), c.shared(0, 2)...)
		if c.rng.IntN(2) == 0 {
			c.units = []unit{links(ownerMarks, ref{id: c.sharedOwner()}, false, c.targets)}
		} else {
			c.units = []unit{links(ownerMarks, ref{id: c.ownOwner()}, true, c.targets)}
		}
	}},
	{name: "Append to several owners", weight: 2, repeats: true, plan: func(c *call) {
		for range 2 + c.rng.IntN(2) {
			t := append(c.stored(1, 1), c.shared(1, 1)...)
			c.units = append(c.units, links(ownerLabels, ref{id: c.ownOwner()}, true, t))
			c.targets = append(c.targets, t...)
		}
	}, run: appendEach, judge: judgeEach},
	{name: "Create", weight: 4, whole: true, creates: 1, plan: func(c *call) {
		c.targets, c.more = mixed(c), c.fresh("note", 0, 2)
		c.units = []unit{slices.Concat(created(c, 0), links(ownerLabels, newOwner(c, 0), true, c.targets), links(ownerNotes, newOwner(c, 0), true, c.more))}
	}, run: func(_ context.Context, db *gorm.DB, c *call) error {
		c.creates[0].Labels, c.creates[0].Notes = c.labels, c.notes
		return db.Create(c.creates[0]).Error
	}},
	{name: "Create of several owners", weight: 2, whole: true, creates: 3, plan: func(c *call) {
		c.targets = append(c.shared(2, 4), c.fresh("label", 1, 1)...)
		var u unit
		for i := range 3 {
			u = slices.Concat(u, created(c, i), links(ownerLabels, newOwner(c, i), true, c.targets))
		}
		c.units = []unit{u}
	}, run: func(_ context.Context, db *gorm.DB, c *call) error {
		for _, o := range c.creates {
			o.Labels = c.labels
		}
		return db.Create(c.creates).Error
	}},
	{name: "Replace", weight: 3, plan: func(c *call) {
		c.before = c.stored(1, 3)
		c.targets = append(c.stored(1, 2), c.shared(0, 2)...)
		c.units = []unit{links(ownerLabels, ref{id: c.ownOwner()}, true, c.targets)}
	}, run: func(_ context.Context, db *gorm.DB, c *call) error {
		return db.Model(&Owner{ID: c.owners[0], Tag: ownerTag(c.owners[0])}).Association("Labels").Replace(c.labels)
	}, judge: judgeReplace},
	{name: "two Appends in a transaction", weight: 4, callers: true, run: transaction(appendTwice), plan: func(c *call) {
		c.targets, c.more = mixed(c), c.fresh("note", 1, 2)
		owner := ref{id: c.ownOwner()}
		c.units = []unit{slices.Concat(links(ownerLabels, owner, true, c.targets), links(ownerNotes, owner, true, c.more))}
		if c.rng.IntN(2) == 0 { // and something for others to wait for
			c.units[0] = append(c.units[0], links(ownerLabels, ref{id: c.sharedOwner()}, false, c.targets)...)
		}
	}},
	{name: "Appends in any order in a transaction", weight: 3, callers: true, run: transaction(appendOneByOne), plan: func(c *call) {
		c.targets = c.shared(2, 4) // two who have each one's first name wait for each other
		c.units = []unit{links(ownerLabels, ref{id: c.ownOwner()}, true, c.targets)}
	}},
	{name: "Transaction", weight: 4, repeats: true, plan: func(c *call) {
		c.targets, c.more = append(c.shared(1, 3), c.fresh("label", 0, 1)...), c.fresh("note", 0, 2)
		owner := ref{id: c.ownOwner()}
		c.units = []unit{slices.Concat(links(ownerLabels, owner, true, c.targets), links(ownerNotes, owner, true, c.more))}
	}, run: func(ctx context.Context, db *gorm.DB, c *call) error {
		return m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error { return passLast(tx, appendOneByOne(tx, c)) })
	}},
	{name: "LinkKeys", weight: 3, repeats: true, run: linkKeys, plan: func(c *call) {
		c.targets = c.stored(1, 5)
		c.units = []unit{links(ownerLabels, ref{id: c.sharedOwner()}, false, c.targets)}
	}},
	{name: "LinkPairs", weight: 3, plan: func(c *call) {
		list := c.stored(7, 10)
		owner := ref{id: c.ownOwner()}
		for chunk := range slices.Chunk(list, chunkSize) {
			c.units = append(c.units, links(ownerLabels, owner, true, chunk))
		}
		c.targets = list
	}, run: linkPairs, judge: judgePairs},
	{name: "GetOrCreate", weight: 4, repeats: true, alone: true, plan: func(c *call) {
		c.targets = append(c.shared(1, 1), c.fresh("label", 1, 1)...)[c.rng.IntN(2):][:1]
		c.units = []unit{{{table: labels, target: ref{name: c.targets[0].name}, own: c.targets[0].own}}}
	}, run: func(ctx context.Context, db *gorm.DB, c *call) error {
		made, err := m2msafe.GetOrCreate(ctx, db, c.labels[0])
		if made && err == nil {
			c.claims = append(c.claims, "labels "+c.targets[0].name)
		}
		return err
	}},
}

// mixed are stored labels by key and by name, and new ones of others' and its own.
func mixed(c *call) []target {
	return slices.Concat(c.stored(0, 2), c.shared(0, 2), c.fresh("label", 1, 2))
}

func newOwner(c *call, n int) ref { return ref{name: c.tag("new", n)} }

func created(c *call, n int) unit { return unit{{table: owners, target: newOwner(c, n), own: true}} }

// appendTo appends all elements to a relation of the first owner.
func appendTo(relation string) func(context.Context, *gorm.DB, *call) error {
	return func(_ context.Context, db *gorm.DB, c *call) error {
		a := db.Model(&Owner{ID: c.owners[0], Tag: ownerTag(c.owners[0])}).Association(relation)
		if relation == "Notes" {
			return a.Append(c.notes)
		}
		return a.Append(c.labels)
	}
}
