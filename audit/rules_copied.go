package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// copied: unique keys that came from one of the ends, and keep more apart than pairs.
func (a *audit) copied(j *join) []found {
	severity := Warning
	if j.modelled() {
		severity = Error
	}
	var all []found
	for _, x := range j.keys.narrow {
		if !j.modelled() && !j.looksCopied(x) {
			continue // one row has one link: Hibernate's OneToMany has such tables
		}
		f := j.finding(CopiedUniqueKey, severity, x.columns)
		f.Title = "A unique key on " + quoted(x.columns) + " alone lets each of them be linked once"
		f.Story = fmt.Sprintf("%s is on a part of the pair, so the second link of the same %s is refused, or, by ON CONFLICT DO NOTHING, silently not there. "+
			"ORMs make such a key when they copy a unique column from the model at that end. If that end is meant to have one link only, leave it.", x.name, quoted(x.columns))
		f.mend = func() change { return a.widen(j, x) }
		all = append(all, f)
	}
	for _, c := range j.copies() {
		if slices.Contains(j.facts.own, c.key) || !j.facts.counted && !j.modelled() {
			continue
		}
		f := j.finding(CopiedUniqueKey, severity, c.key.columns)
		f.Title = "The unique key on " + quoted(c.key.columns) + " was copied from " + c.end.name()
		f.Story = fmt.Sprintf("%s is unique in %s, where it tells rows apart. In the join table it allows one link for each, "+
			"and the second is refused, or, by ON CONFLICT DO NOTHING, silently not there.", quoted(c.key.columns), c.end.name())
		f.mend = func() change {
			if !j.modelled() {
				return cannot("Whether it was, or says that each is linked once, only you can say, or the models of the app (m2msafe.Audit): then drop " + c.key.name + ".")
			}
			return a.dropKey(j, c.key)
		}
		all = append(all, f)
	}
	return all
}

// modelled says that a relation of an app's models is known to go by the table.
func (j *join) modelled() bool { return j.relation != "" || j.convention == "models" }

// looksCopied says whether a unique key on a part of the pair is one as GORM makes it when it
// copies a column that is unique, but not the primary key, and calls it after the join table.
func (j *join) looksCopied(x *index) bool {
	for _, e := range j.ends {
		if e.to == nil || !slices.Equal(e.columns, x.columns) {
			continue
		}
		key := e.to.primaryKey()
		return (key == nil || !catalog.SameColumns(key.columns, e.references)) && slices.ContainsFunc([]string{"uni_", "idx_"}, func(prefix string) bool {
			return x.name == prefix+j.t.name+"_"+strings.Join(x.columns, "_")
		})
	}
	return false
}

// aCopy is a unique key on a column that may have been copied from an end.
type aCopy struct {
	key *index
	end link
}

func (j *join) copies() []aCopy {
	var all []aCopy
	for _, x := range j.t.indexes {
		if !x.unique || x.primary || x.invalid || x.where != "" || slices.Contains(x.columns, "") || len(minus(x.columns, j.pair)) < len(x.columns) || j.ownName(x.columns) {
			continue
		}
		for _, e := range j.ends {
			if e.to != nil && len(e.references) == len(e.columns) && e.to.keyed(x.columns) {
				all = append(all, aCopy{x, e})
				break
			}
		}
	}
	return all
}

// ownName says whether a unique column tells the join table's own rows apart: it is called
// as such columns are, or like one that both ends have too.
func (j *join) ownName(columns []string) bool {
	if len(columns) == 1 && slices.Contains([]string{"id", "uuid", "guid", "ulid", "uid", "public_id", "external_id"}, strings.Join(words(columns[0]), "_")) {
		return true
	}
	a, b := j.ends[0].to, j.ends[1].to
	return a != nil && b != nil && a != b && a.keyed(columns) && b.keyed(columns)
}

// askCopies asks whether what looks like a copy of an end's column is one: then the values
// are the end's.
func (a *audit) askCopies(ctx context.Context, j *join) error {
	w := a.engine
	for _, c := range j.copies() {
		if !c.end.to.readable {
			continue
		}
		same := match(w, j.t, c.end, "e", "j") + " AND " + match(w, j.t, link{columns: c.key.columns, to: c.end.to, references: c.key.columns}, "e", "j")
		var all, own int64
		if err := a.numbers(ctx, "SELECT count(*), coalesce(sum(CASE WHEN EXISTS (SELECT 1 FROM "+w.table(c.end.to)+" AS e WHERE "+same+") THEN 0 ELSE 1 END), 0) FROM "+
			w.table(j.t)+" AS j WHERE NOT ("+orNull(w, "j", c.key.columns)+")", &all, &own); err != nil {
			return err
		}
		if own > 0 || all == 0 && !j.modelled() {
			j.facts.own = append(j.facts.own, c.key)
		}
	}
	return nil
}

// widen puts a key on the pair in the place of one on a part of it.
func (a *audit) widen(j *join, x *index) change {
	if x.primary || a.database.dependents(j.t, x) != nil {
		return a.dropKey(j, x)
	}
	var c change
	if j.keys.full == nil && j.keys.living == nil && !j.widened {
		j.widened = true
		c = a.refuseNull(j).then(a.addUnique(j))
	}
	if !slices.ContainsFunc(j.t.indexes, func(other *index) bool { return other != x && other.where == "" && other.leads(x.columns) }) {
		c = c.then(a.addIndex(j.t, x.columns))
	}
	return c.then(a.dropKey(j, x))
}

// dropKey takes a unique key away, if nothing refers to it and it is not what tells the
// table's rows apart.
func (a *audit) dropKey(j *join, x *index) change {
	if x.primary {
		return cannot("It is the primary key, which nobody makes by chance: what takes its place has to be written by hand.")
	}
	if names := a.database.dependents(j.t, x); names != nil {
		return cannot("A foreign key of " + quoted(names) + " refers to it, so it has to stay until that is gone.")
	}
	return a.engine.drop(a.maker, j.t, x)
}
