package audit

import (
	"fmt"
	"slices"
)

// join is a join table that is being looked at.
type join struct {
	t          *table
	ends       [2]link
	pair       []string // the columns of both ends, each once
	soft       *soft
	relation   string
	convention string
	rows       int64 // -1 if not known
	estimated  bool
	keys       keys
	facts      facts
	widened    bool // a fix has made a key on the pair
	sure       bool // it is for pairs, and not for events that have two ends
}

// joins are the join tables to look at: those known, those named, or else all that are
// recognized, by name.
func (a *audit) joins() []*join {
	a.nouns = nounsOf(a.database)
	n := a.nouns
	var all []*join
	for _, given := range a.options.Joins {
		if j := a.given(given); j != nil {
			all = append(all, j)
		}
	}
	a.known = slices.Clone(all)
	for _, name := range a.options.Tables {
		t := a.database.find(name)
		if t == nil {
			a.unseen(name, "there is no such table, or no privilege on it")
			continue
		}
		ends, fit := n.pair(t)
		if fit > unfit {
			ends, fit = likely(t, n.links(t))
		}
		if fit > unfit {
			a.unseen(t.full(), "its two ends could not be made out")
			continue
		}
		all = append(all, a.make(t, ends, "named").withTenant())
	}
	if a.options.Joins == nil && len(a.options.Tables) == 0 {
		for _, t := range a.database.tables {
			if !t.scope {
				continue
			}
			if ends, ok := n.recognize(t); ok {
				all = append(all, a.make(t, ends, convention(t, ends)).withTenant())
			}
		}
	}
	return all
}

// likely are the ends of a table that its user says is a join table: its links and what
// is left, or the two columns of its unique key.
func likely(t *table, links []link) (ends [2]link, fit int) {
	var columns []string
	for _, x := range t.indexes {
		if x.unique && len(x.columns) == 2 && !slices.Contains(x.columns, "") {
			columns = x.columns
			break
		}
	}
	if columns == nil {
		soft := softDeletion(t)
		for _, c := range t.columns {
			if !isID(t, c) && !soft.has(c.name) && stem(c.name) != nil {
				columns = append(columns, c.name)
			}
		}
		if len(t.columns) == 2 && !isID(t, t.columns[0]) && !isID(t, t.columns[1]) {
			columns = []string{t.columns[0].name, t.columns[1].name}
		}
	}
	if len(columns) != 2 {
		return ends, unfit + 1
	}
	for i, c := range columns {
		ends[i] = link{columns: []string{c}}
		for _, l := range links {
			if slices.Equal(l.columns, ends[i].columns) {
				ends[i] = l
			}
		}
	}
	return ends, unfit
}

// given is a join table from models, nil if it is not in the database.
func (a *audit) given(given JoinTable) *join {
	t := a.database.find(given.Name)
	if t == nil {
		a.unseen(given.Name, "there is no such join table, or no privilege on it: run the migration")
		return nil
	}
	for _, name := range slices.Concat(given.Ends[0].Columns, given.Ends[1].Columns, given.SoftDelete) {
		if t.column(name) == nil {
			a.unseen(given.Name, fmt.Sprintf("it has no column %s: run the migration", name))
			return nil
		}
	}
	var ends [2]link
	for i, e := range given.Ends {
		to := a.database.find(e.Table)
		ends[i] = link{columns: e.Columns, to: to, references: e.References, foreign: t.reference(e.Columns, to)}
	}
	convention := given.Convention
	if convention == "" {
		convention = "models"
	}
	j := a.make(t, ends, convention)
	j.relation, j.sure = given.Relation, true
	if given.SoftDelete != nil {
		if by := softBy(t, given.SoftDelete); by != nil { // another app may know of a deletion of which this does not
			j.soft = by
		}
	}
	return j
}

func (a *audit) make(t *table, ends [2]link, convention string) *join {
	return &join{t: t, ends: ends, pair: pairOf(ends[0].columns, ends[1].columns), soft: softDeletion(t),
		convention: convention, rows: t.rows, estimated: true, sure: convention == "models" || convention == "named" || isForPairs(t, ends)}
}

// withTenant has the tenant's columns be of the pair, where the table's own key says so. What
// models say of a pair is what an app goes by.
func (j *join) withTenant() *join {
	j.pair = append(j.pair, j.t.tenant(j.ends[0], j.ends[1], j.pair, j.soft)...)
	return j
}

// tenant are the columns that a unique key has beside a pair's, if they are references which
// both ends have too: then they are the same in all rows of a pair.
func (t *table) tenant(a, b link, pair []string, s *soft) []string {
	for _, x := range t.indexes {
		rest := minus(t.minusDead(x, pair, s), pair)
		if a.to == nil || b.to == nil || !x.unique || len(rest) == 0 || slices.Contains(x.columns, "") || !contains(x.columns, pair) {
			continue
		}
		if !slices.ContainsFunc(rest, func(c string) bool {
			return !t.refers(c) || t.column(c).nullable || a.to.column(c) == nil || b.to.column(c) == nil
		}) {
			return rest
		}
	}
	return nil
}

// public is the join table as the report has it.
func (j *join) public() JoinTable {
	p := JoinTable{Name: j.t.full(), Convention: j.convention, Rows: j.rows, Estimated: j.estimated, Relation: j.relation}
	p.SoftDelete = j.soft.columns()
	for i, e := range j.ends {
		p.Ends[i] = End{Columns: e.columns, References: e.references, Declared: e.foreign != nil}
		if e.to != nil {
			p.Ends[i].Table = e.to.full()
		} else if e.foreign != nil {
			p.Ends[i].Table = e.foreign.refers
		}
	}
	return p
}
