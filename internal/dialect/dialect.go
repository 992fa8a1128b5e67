// Package dialect writes the SQL that links rows, one file a database. It knows
// no driver: statements are written into a clause.Builder, which is GORM's
// Statement, so that quoting and parameters are GORM's.
package dialect

import (
	"errors"
	"slices"

	"gorm.io/gorm/clause"
)

// Column is a column of the join table.
type Column struct {
	Name string
	Type string // the type's SQL name for casts, where the dialect casts
	// Collation is how a unique key compares the column, if that has to be said.
	Collation string
}

// Side is one end of the relation: the table that some of the pair's columns
// refer to.
type Side struct {
	Table string
	Refs  []int    // which of Link.Refs belong to this side
	Keys  []string // the columns of Table that they refer to, in the same order
	Check bool     // look whether the row is stored
	Bound bool     // a foreign key keeps it stored as long as it is linked
	Lock  string   // and hold it until the transaction ends: the strength, if any
}

// Assign is a column with the value that an update gives it.
type Assign struct {
	Column string
	Value  any
}

// Link is a plan in terms of SQL: how one join table takes a link.
type Link struct {
	Table         string
	Quoted        string   // Table as it stands in a statement
	Refs          []Column // the columns that hold the pair, in the order in which rows are written
	Owner, Target Side
	Arbiter       []string // conflict target; none: nothing may be tolerated
	Where         string   // predicate of the arbiter, as the catalogue has it
	Live          []Assign // what a row has that is not soft-deleted
	Dead          bool     // a soft-deleted row takes the arbiter's key
	Guarded       bool     // take turns with the other writers first
	Sole          bool     // an insert can meet no other unique key than the arbiter
	OwnerLive     []Assign // what an owner has that is not soft-deleted
}

// Extra is a column beyond the pair in the rows of a call.
type Extra struct {
	Column
	Value any   // the same for all rows, if Rows is nil
	Rows  []any // or one value a row
}

// Call is what one statement is about.
type Call struct {
	*Link
	N      int      // number of rows
	Keys   [][]any  // a slice a column of Refs, with a value a row, or with one that all rows share
	Arrays []*Array // or, for a column whose Keys are nil, an array; of a Linker's calls only
	Extra  []Extra  // further columns to insert
	Revive []Assign // what to set in a dead row
	Touch  []Assign // what to set in the owner, if a row was written; all rows share it
	Quiet  bool     // nobody asks which rows were written: one row numbered 0, if any was
	Count  bool     // but how many, of a Linker's Write, which locks the ends first: as many as the database says it has inserted
	Blind  bool     // of such a Write: don't look what is linked already, the insert finds that out
	Lock   Lock     // of a Racer's Find: what it locks
}

// State is what a statement says of a row of its call. Rows that it says
// nothing of are linked already.
type State byte

// The states.
const (
	NoOwner  State = 'o' // the owner is not stored
	NoTarget State = 't' // the target is not stored
	Dead     State = 'd' // a soft-deleted row takes the key
	New      State = 'n' // there is no row for the pair; of a statement that writes: it has
)

// Dialect writes the statements of one database. Statements that give rows give
// (n, s): the number of a row of the call, from 1, and its State.
type Dialect interface {
	// Chunk is how many rows of so many columns fit one statement; 0 is all.
	Chunk(columns int) int
	// Parameters is how many a statement may have.
	Parameters() int
	// Find says how each row of the call stands.
	Find(b clause.Builder, c *Call) error
	// Write inserts the rows. A Returner gives those that it inserted; else it is
	// all of them, and there are no rows.
	Write(b clause.Builder, c *Call) error
	// Revive brings the rows' dead join rows back; the same of its rows.
	Revive(b clause.Builder, c *Call) error
	// Load reads columns of the rows, in their order.
	Load(b clause.Builder, c *Call, columns []string) error
	Finder
}

// Linker is a Dialect that finds and writes in one statement. If the call has
// rows that can't be inserted (NoOwner, NoTarget, Dead), Link writes nothing and
// gives those alone.
type Linker interface {
	Dialect
	Link(b clause.Builder, c *Call) error
}

// Returner is a Dialect whose Write and Revive give the rows that they wrote.
type Returner interface{ Returns() }

// ErrNoLock is returned by a Guard that has nothing to lock.
var ErrNoLock = errors.New("nothing to lock")

// Guard is a Dialect that can take turns where no unique key settles a race.
// Its statement, if it writes one, must be the transaction's before the rows
// are found; its rows have a column isolation.
type Guard interface {
	Guard(b clause.Builder, c *Call) error
	// Hold locks the call's owners, which may have to come before the guard.
	Hold(b clause.Builder, c *Call) error
}

// Lockless is a Dialect that can take no turns at all.
type Lockless interface{ Lockless() }

// Racer is a Dialect of several statements between which others may write. Its
// Write fails where somebody was faster, which leaves the transaction as it was;
// Find and Lookup under a Lock then see what is committed by now, and keep it so
// until the transaction ends.
type Racer interface {
	Dialect
	Races()
}

// Lock is what a Racer's query locks of the rows that it finds.
type Lock int

// The locks, the weakest first.
const (
	NoLock    Lock = iota
	Shared         // nobody may change it
	ForUpdate      // and this transaction is going to
)

// Opener is a Dialect whose transactions have to begin with a statement, before
// anything is read: table and column are any of the relation's.
type Opener interface {
	Open(b clause.Builder, table, column string)
}

// Of returns the Dialect for GORM's name of a database, nil if there is none.
func Of(name string) Dialect {
	switch name {
	case "postgres":
		return Postgres{}
	case "sqlite":
		return SQLite{}
	case "mysql":
		return MySQL{}
	case "sqlserver":
		return SQLServer{}
	default:
		return nil
	}
}

// Columns is how many values each row of a call has.
func (c *Call) Columns() int {
	n := len(c.Refs)
	for _, x := range c.Extra {
		if x.Rows != nil {
			n++
		}
	}
	return n
}

// Of returns the call under another plan.
func (c *Call) Of(l *Link) *Call {
	of := *c
	of.Link = l
	return &of
}

// shared says whether all rows have the same value in a column of Refs.
func (c *Call) shared(ref int) bool { return len(c.Keys[ref]) == 1 }

// sharedSide says whether all rows have the same row at one end.
func (c *Call) sharedSide(s Side) bool {
	return !slices.ContainsFunc(s.Refs, func(ref int) bool { return !c.shared(ref) })
}

// Key is a row's value in a column of Refs.
func (c *Call) Key(ref, row int) any {
	if c.shared(ref) {
		row = 0
	}
	return c.Keys[ref][row]
}

// Cut returns the rows of a call from from up to to.
func (c *Call) Cut(from, to int) *Call {
	if from == 0 && to == c.N {
		return c
	}
	cut := *c
	cut.N = to - from
	cut.Keys = slices.Clone(c.Keys)
	for i, k := range c.Keys {
		if !c.shared(i) {
			cut.Keys[i] = k[from:to]
		}
	}
	cut.Extra = slices.Clone(c.Extra)
	for i, x := range c.Extra {
		if x.Rows != nil {
			cut.Extra[i].Rows = x.Rows[from:to]
		}
	}
	return &cut
}

// Pick returns the rows of a call whose numbers, from 0, are given.
func (c *Call) Pick(rows []int) *Call {
	pick := func(vals []any) []any {
		out := make([]any, len(rows))
		for i, r := range rows {
			out[i] = vals[r]
		}
		return out
	}
	picked := *c
	picked.N = len(rows)
	picked.Keys = slices.Clone(c.Keys)
	for i, k := range c.Keys {
		if !c.shared(i) {
			picked.Keys[i] = pick(k)
		}
	}
	picked.Extra = slices.Clone(c.Extra)
	for i, x := range c.Extra {
		if x.Rows != nil {
			picked.Extra[i].Rows = pick(x.Rows)
		}
	}
	return &picked
}
