package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// keys are a join table's unique keys, by what they do for the pair.
type keys struct {
	full    *index // on the pair, of all rows
	living  *index // on the pair, of the living rows; nil without soft deletion
	faulty  *index // the one that comes nearest, where neither is there
	fault   Rule
	narrow  []*index // on a part of the pair: it keeps more apart than the pair
	invalid []*index // on the pair, from a CREATE INDEX CONCURRENTLY that failed
	// excluded is an exclusion constraint that keeps pairs apart as a unique key would.
	excluded *index
	// several says why a pair may be meant to be stored more than once; "" if nothing
	// speaks for it.
	several string
}

// sound says whether pairs can't be stored twice.
func (k *keys) sound() bool { return k.full != nil || k.living != nil || len(k.narrow) > 0 }

// faults by how near they are to a sound key.
var faults = []Rule{DeferrableUniqueKey, NullableUniqueKey, ExpressionUniqueKey, PartialUniqueKey}

// classify looks at the unique keys of a table for a pair.
func (a *audit) classify(ctx context.Context, t *table, pair []string, s *soft) (k keys, err error) {
	fault := func(x *index, r Rule) {
		if k.faulty == nil || slices.Index(faults, r) < slices.Index(faults, k.fault) {
			k.faulty, k.fault = x, r
		}
	}
	for _, x := range t.indexes {
		plain := slices.DeleteFunc(slices.Clone(x.columns), func(c string) bool { return c == "" })
		rest := minus(t.minusDead(x, pair, s), pair)
		if t.separates(x, plain, rest, pair, s) {
			k.several = fmt.Sprintf("%s keeps a pair from being stored twice with one %s, so it may be meant to be stored with several: then this is no fault. "+
				"Whether it is, and which rows would have to go, only you can say.", x.name, quoted(minus(rest, s.columns())))
		}
		if x.excludes && x.where == "" && !x.invalid && catalog.SameColumns(x.columns, pair) {
			k.excluded = x
		}
		if !x.unique {
			continue
		}
		expressions := len(plain) < len(x.columns)
		switch {
		case expressions && len(rest) == 0 && contains(append(slices.Clone(plain), x.uses...), pair) &&
			len(minus(minus(x.uses, pair), s.columns())) == 0:
			if x.where == "" && !x.invalid {
				fault(x, ExpressionUniqueKey)
			}
		case expressions || len(rest) > 0 && contains(plain, pair):
			// It keeps something else apart.
		case contains(plain, pair):
			holds := true
			if x.where != "" {
				if holds, err = a.coversLiving(ctx, t, x, s); err != nil {
					return k, err
				}
			}
			switch {
			case x.invalid:
				k.invalid = append(k.invalid, x)
			case !holds:
				fault(x, PartialUniqueKey)
				if others := minus(minus(t.mentioned(x.where), pair), s.columns()); len(others) > 0 {
					k.several = fmt.Sprintf("Rows that differ in %s may be meant to be there beside each other, as a history: then this is no fault. "+
						"Whether it is, and which rows would have to go, only you can say.", quoted(others))
				}
			case t.heirs:
				fault(x, PartialUniqueKey)
			case x.deferrable:
				fault(x, DeferrableUniqueKey)
			case !x.nullsEqual && t.nullables(pair) != nil:
				fault(x, NullableUniqueKey)
			case x.where != "" || len(plain) > len(pair):
				k.living = x
			case k.full == nil:
				k.full = x
			}
		case len(plain) > 0 && contains(pair, plain) && x.where == "" && !x.invalid:
			k.narrow = append(k.narrow, x)
		}
	}
	slices.SortStableFunc(k.narrow, func(a, b *index) int { return t.position(a.columns[0]) - t.position(b.columns[0]) })
	return k, nil
}

// separates says whether an index lets a pair be stored several times, as long as something
// else differs: what no other key tells apart, and is no time at which rows are deleted.
func (t *table) separates(x *index, plain, rest, pair []string, s *soft) bool {
	if !x.unique && !x.excludes && !x.overlaps || x.invalid || len(plain) < len(x.columns) || !contains(plain, pair) {
		return false
	}
	others := minus(rest, s.columns())
	return len(others) > 0 && !slices.ContainsFunc(t.indexes, func(y *index) bool {
		return y != x && y.unique && y.where == "" && !slices.Contains(y.columns, "") && len(y.columns) < len(x.columns) && contains(x.columns, y.columns)
	})
}

// partial says that the pair is a part of what links two rows, where an end's rows are told
// apart by a column that the join table has too, as a tenant's are; "" if it is all.
func (j *join) partial() string {
	for _, e := range j.ends {
		if e.to == nil || len(e.references) == 0 || e.to.keyed(e.references) {
			continue
		}
		for _, x := range e.to.indexes {
			more := minus(x.columns, e.references)
			if x.unique && x.where == "" && contains(x.columns, e.references) && len(minus(more, j.pair)) > 0 &&
				!slices.ContainsFunc(more, func(c string) bool { return j.t.column(c) == nil }) {
				return fmt.Sprintf("The key of %s is (%s), and this table has %s too, so a pair may be meant to be stored with several: then a unique key has to have that too. "+
					"Whether it is, and which rows would have to go, only you can say.", e.name(), quoted(x.columns), quoted(more))
			}
		}
	}
	return ""
}

// nullables are those of the columns that permit NULL. In SQLite's primary keys all do,
// which is nothing that anybody has asked for: rows tell whether it matters.
func (t *table) nullables(columns []string) []string {
	var found []string
	for _, name := range columns {
		if c := t.column(name); c != nil && c.nullable && !c.primary {
			found = append(found, name)
		}
	}
	return found
}

// permitsNull says whether NULL can stand in one of the columns at all.
func (t *table) permitsNull(columns []string) bool {
	return slices.ContainsFunc(columns, func(name string) bool { return t.column(name).nullable })
}

// coversLiving says whether a partial key holds for every living row: the database
// evaluates its predicate on one.
func (a *audit) coversLiving(ctx context.Context, t *table, x *index, s *soft) (bool, error) {
	if s == nil || s.unclear || x.foreign || len(minus(t.mentioned(x.where), s.columns())) > 0 {
		return false, nil
	}
	for variant := range 2 { // a flag that permits NULL may be that, or 0
		row := make([]string, len(s.by))
		for i, c := range s.by {
			alive := a.engine.alive(c)
			row[i] = alive[min(variant, len(alive)-1)] + " AS " + a.engine.quote(c.name)
		}
		var holds int64
		err := a.try(ctx, func() error {
			return a.numbers(ctx, "SELECT CASE WHEN ("+x.where+") THEN 1 ELSE 0 END FROM (SELECT "+strings.Join(row, ", ")+") AS r", &holds)
		})
		if err != nil && ctx.Err() != nil {
			return false, err
		}
		if err != nil || holds != 1 {
			return false, nil
		}
	}
	return true, nil
}

// dependents are the tables with foreign keys that refer to a key of a table.
func (d *database) dependents(t *table, x *index) []string {
	var names []string
	for _, other := range d.tables {
		for _, f := range other.foreign {
			if f.table == t && catalog.SameColumns(f.references, x.columns) {
				names = append(names, other.full())
			}
		}
	}
	return names
}
