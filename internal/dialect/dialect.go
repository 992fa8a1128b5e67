// Package dialect writes the SQL that links rows, one file a database. It knows
// no driver: statements are written into a clause.Builder, which is GORM's
// Statement, so that quoting and parameters are GORM's.
package dialect

import (
	"slices"
	"strconv"

	"gorm.io/gorm/clause"
)

// Column is a column of the join table.
type Column struct {
	Name string
	Type string // the type's SQL name for casts, where the dialect casts
}

// Side is one end of the relation: the table that some of the pair's columns
// refer to.
type Side struct {
	Table string
	Refs  []int    // which of Link.Refs belong to this side
	Keys  []string // the columns of Table that they refer to, in the same order
	Check bool     // look whether the row is stored
	Lock  bool     // and hold it until the transaction ends
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
	Probe         bool     // look for stored rows before inserting
	Guard         bool     // take turns with the other writers first
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
	Keys   [][]any  // a slice a column of Refs, with a value a row
	Extra  []Extra  // further columns to insert
	Revive []Assign // what to set where a dead row is met; none: leave it dead
}

// State is what a statement says of a row of its call. Rows that it says
// nothing of are linked already.
type State byte

// The states.
const (
	NoOwner  State = 'o' // the owner is not stored
	NoTarget State = 't' // the target is not stored
	Dead     State = 'd' // a soft-deleted row takes the key
	New      State = 'n' // there is no row for the pair
)

// Dialect writes the statements of one database. Find, Write and Link return
// rows of (number of the row in the call, from 1; State). Where a call has rows
// that can't be linked (NoOwner, NoTarget, Dead without Revive) Link writes
// nothing and returns those alone.
type Dialect interface {
	// Chunk is how many rows of so many columns fit one statement; 0 is all.
	Chunk(columns int) int
	// Lock writes the statement that must come first in the transaction, if
	// there is one. Its rows, if any, have a column isolation.
	Lock(b clause.Builder, c *Call) error
	// Find says how each row of the call stands.
	Find(b clause.Builder, c *Call) error
	// Write inserts the rows, or revives them, whatever Find said.
	// A Linker returns those that it wrote; else it is all of them.
	Write(b clause.Builder, c *Call) error
	// Load reads columns of the rows, in their order.
	Load(b clause.Builder, c *Call, columns []string) error
}

// Linker is a Dialect that finds and writes in one statement.
type Linker interface {
	Dialect
	Link(b clause.Builder, c *Call) error
}

// Of returns the Dialect for GORM's name of a database, nil if there is none.
func Of(name string) Dialect {
	switch name {
	case "postgres":
		return Postgres{}
	case "sqlite":
		return SQLite{}
	default:
		return nil
	}
}

// writer adds what all dialects write alike to a clause.Builder.
type writer struct{ clause.Builder }

// sql writes text as it is; %-free on purpose: values go through bind.
func (w writer) sql(parts ...string) {
	for _, p := range parts {
		_, _ = w.WriteString(p)
	}
}

// name writes a column's name, quoted.
func (w writer) name(column string) { w.WriteQuoted(clause.Column{Name: column}) }

// names writes quoted names between commas, each behind a prefix.
func (w writer) names(prefix string, columns ...string) {
	for i, c := range columns {
		if i > 0 {
			w.sql(", ")
		}
		w.sql(prefix)
		w.name(c)
	}
}

// table writes a table's name, quoted; GORM splits a schema off at the dot.
func (w writer) table(name string) { w.WriteQuoted(clause.Table{Name: name}) }

// bind writes a parameter.
func (w writer) bind(value any) { w.AddVar(w.Builder, value) }

// list writes format(i) for i below n, with a separator between.
func (w writer) list(n int, separator string, item func(i int)) {
	for i := range n {
		if i > 0 {
			w.sql(separator)
		}
		item(i)
	}
}

// insertColumns writes the columns that a call inserts.
func (w writer) insertColumns(c *Call) {
	w.list(len(c.Refs), ", ", func(i int) { w.name(c.Refs[i].Name) })
	for _, x := range c.Extra {
		w.sql(", ")
		w.name(x.Name)
	}
}

// live writes the condition that the row behind prefix is not soft-deleted, or
// its opposite; distinct is the dialect's "differs, NULL included".
func (w writer) live(c *Call, prefix string, is bool, distinct string) {
	w.list(len(c.Live), map[bool]string{true: " AND ", false: " OR "}[is], func(i int) {
		w.sql(prefix)
		w.name(c.Live[i].Column)
		switch v := c.Live[i].Value; {
		case v == nil && is:
			w.sql(" IS NULL")
		case v == nil:
			w.sql(" IS NOT NULL")
		case is:
			w.sql(" = ")
			w.bind(v)
		default:
			w.sql(" ", distinct, " ")
			w.bind(v)
		}
	})
}

// load reads columns of the rows that m2m_asked names.
func (w writer) load(c *Call, columns []string) {
	w.sql(" SELECT ")
	w.names("j.", columns...)
	w.sql(" FROM m2m_asked AS r JOIN ")
	w.table(c.Table)
	w.sql(" AS j ON ")
	w.samePair(c)
	w.sql(" ORDER BY r.n")
}

// samePair is the condition that a join row j is the pair of a row r.
func (w writer) samePair(c *Call) {
	w.list(len(c.Refs), " AND ", func(i int) {
		w.sql("j.")
		w.name(c.Refs[i].Name)
		w.sql(" = r.k", strconv.Itoa(i+1))
	})
	// Dead rows of the pair may stand beside the living one.
	if len(c.Live) > 0 && !c.Dead {
		w.sql(" AND ")
		w.live(c, "j.", true, "")
	}
}

// stored writes the cases of a row r, of the call, whose pair is stored: linked
// ('e'), or dead.
func (w writer) stored(c *Call) {
	exists := func(live bool, state string) {
		w.sql(" WHEN EXISTS (SELECT 1 FROM ")
		w.table(c.Table)
		w.sql(" AS j WHERE ")
		w.samePair(c)
		if live && c.Dead {
			w.sql(" AND ")
			w.live(c, "j.", true, "")
		}
		w.sql(") THEN '", state, "'")
	}
	exists(true, "e")
	if c.Dead {
		exists(false, string(Dead))
	}
}

// onConflict writes what happens when a row meets the arbiter's key. Without an
// arbiter nothing is tolerated.
func (w writer) onConflict(c *Call, distinct string) {
	if len(c.Arbiter) == 0 {
		return
	}
	w.sql(" ON CONFLICT (")
	w.names("", c.Arbiter...)
	w.sql(")")
	if c.Where != "" {
		w.sql(" WHERE ", c.Where)
	}
	if len(c.Revive) == 0 {
		w.sql(" DO NOTHING")
		return
	}
	w.sql(" DO UPDATE SET ")
	w.list(len(c.Revive), ", ", func(i int) {
		w.name(c.Revive[i].Column)
		w.sql(" = ")
		w.bind(c.Revive[i].Value)
	})
	w.sql(" WHERE ")
	w.live(c, "m2m_join.", false, distinct)
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

// Cut returns the rows of a call from from up to to.
func (c *Call) Cut(from, to int) *Call {
	cut := *c
	cut.N = to - from
	cut.Keys = make([][]any, len(c.Keys))
	for i, k := range c.Keys {
		cut.Keys[i] = k[from:to]
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
	picked.Keys = make([][]any, len(c.Keys))
	for i, k := range c.Keys {
		picked.Keys[i] = pick(k)
	}
	picked.Extra = slices.Clone(c.Extra)
	for i, x := range c.Extra {
		if x.Rows != nil {
			picked.Extra[i].Rows = pick(x.Rows)
		}
	}
	return &picked
}
