package audit

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
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
		if others := t.separates(x, pair, s); others != nil {
			k.several = fmt.Sprintf("%s keeps a pair from being stored twice with one %s, so it may be meant to be stored with several: then this is no fault. "+
				"Whether it is, and which rows would have to go, only you can say.", x.name, quoted(others))
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
				k.several = cmp.Or(k.several, t.nullSays(x, x.uses, pair))
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
				k.several = cmp.Or(k.several, t.nullSays(x, t.mentioned(x.where), pair))
			case t.heirs:
				fault(x, PartialUniqueKey)
			case x.deferrable:
				fault(x, DeferrableUniqueKey)
			case !x.nullsEqual && t.nullables(pair) != nil:
				fault(x, NullableUniqueKey)
			case x.where != "" || len(plain) > len(pair):
				if holds, err = a.valuesLiving(ctx, t, x, s); err != nil {
					return k, err
				}
				if holds {
					k.living = x
				}
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

// separates says by what else an index lets a pair be stored several times, as long as that
// differs: what no other key tells apart, and is no time at which rows are deleted; nil if
// it does not.
func (t *table) separates(x *index, pair []string, s *soft) []string {
	if !x.unique && !x.excludes && !x.overlaps || x.invalid || !contains(x.columns, pair) {
		return nil
	}
	others := minus(minus(t.minusDead(x, pair, s), pair), s.columns())
	if slices.Contains(x.columns, "") {
		others = append(others, minus(minus(x.uses, pair), append(s.columns(), others...))...)
	}
	if len(others) == 0 || slices.ContainsFunc(t.indexes, func(y *index) bool {
		return y != x && y.unique && y.where == "" && !slices.Contains(y.columns, "") && len(y.columns) < len(x.columns) && contains(x.columns, y.columns)
	}) {
		return nil
	}
	return others
}

// splits says by what else a unique key has one end with it, and not the other, so that a
// pair may come again as long as that differs; nil if it does not.
func (t *table) splits(x *index, a, b link, pair []string, s *soft) []string {
	others := slices.DeleteFunc(minus(minus(x.columns, pair), s.columns()), func(c string) bool { return c == "" || isID(t, *t.column(c)) })
	if !x.unique || x.invalid || len(others) == 0 || contains(x.columns, pair) || !contains(x.columns, a.columns) && !contains(x.columns, b.columns) {
		return nil
	}
	return others
}

// nullSays says that by a key NULL is a value of the pair's: "" if it does not.
func (t *table) nullSays(x *index, uses, pair []string) string {
	columns := slices.DeleteFunc(t.nullables(pair), func(c string) bool { return !slices.Contains(uses, c) })
	if len(columns) == 0 {
		return ""
	}
	return fmt.Sprintf("%s has a word for NULL in %s, so that may mean something: then this is no fault. Whether it does only you can say.", x.name, quoted(columns))
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

// coversLiving says whether a partial key holds for every living row.
func (a *audit) coversLiving(ctx context.Context, t *table, x *index, s *soft) (bool, error) {
	if s == nil || s.unclear || x.foreign || len(minus(t.mentioned(x.where), s.columns())) > 0 {
		return false, nil
	}
	return a.holdsLiving(ctx, x.where, s)
}

// valuesLiving says whether the generated columns of a key have values in living rows: by
// NULL it keeps nothing apart. A call on PostgreSQL is not looked at: it might be one of a
// function that somebody has put there for the auditor's rights.
func (a *audit) valuesLiving(ctx context.Context, t *table, x *index, s *soft) (bool, error) {
	for _, name := range x.columns {
		if !t.deadColumn(name, s) || x.nullsEqual || s.unclear {
			continue
		}
		expression := t.column(name).generated
		if _, is := a.engine.(postgres); is && calls.MatchString(expression) {
			continue
		}
		if holds, err := a.holdsLiving(ctx, "("+expression+") IS NOT NULL", s); err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

var calls = regexp.MustCompile(`[\w"]\(`)

// holdsLiving says whether a condition is true of a living row: the database evaluates it on
// one.
func (a *audit) holdsLiving(ctx context.Context, condition string, s *soft) (bool, error) {
	for variant := range 2 { // a flag that permits NULL may be that, or 0
		row := make([]string, len(s.by))
		for i, c := range s.by {
			alive := a.engine.alive(c)
			row[i] = alive[min(variant, len(alive)-1)] + " AS " + a.engine.quote(c.name)
		}
		var holds int64
		err := a.try(ctx, func() error {
			return a.numbers(ctx, "SELECT CASE WHEN ("+condition+") THEN 1 ELSE 0 END FROM (SELECT "+strings.Join(row, ", ")+") AS r", &holds)
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

// dependents are the tables with foreign keys that refer to a key of a table, or may.
func (d *database) dependents(t *table, x *index) []string {
	var names []string
	for _, other := range d.tables {
		for _, f := range other.foreign {
			if f.table == t && catalog.SameColumns(f.references, x.columns) {
				names = append(names, other.full())
			}
		}
	}
	for _, f := range t.strangers {
		if f.references == nil || catalog.SameColumns(f.references, x.columns) {
			names = append(names, f.name)
		}
	}
	return names
}
