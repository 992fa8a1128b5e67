package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// noPrimaryKey is told of a fix that puts another key in the place of a primary one.
const noPrimaryKey = " After the fix the table has no primary key; what tells rows by it, as replication may, needs another."

// softKey: a unique key that deleted links take too.
func (a *audit) softKey(j *join) []found {
	x := j.keys.full
	if j.soft == nil || x == nil {
		return nil
	}
	f := j.finding(SoftDeleteFullKey, Warning, j.pair)
	if j.facts.counted && !j.soft.unclear {
		f.Rows, f.Estimated = j.facts.dead, false
	}
	f.Title = "A deleted link keeps its pair from being linked again"
	f.Story = fmt.Sprintf("Rows are deleted by %s, and %s covers them too. Who links a pair again meets the deleted row: a plain insert fails, "+
		"and ON CONFLICT DO NOTHING, as stock GORM sends it, reports success and leaves no living link. ", quoted(j.soft.columns()), x.name)
	if a.options.Revives {
		f.Severity = Note
		f.Story += "m2msafe brings the deleted row back, so its own writers lose nothing; others do."
	} else {
		f.Story += "m2msafe brings the deleted row back; with it only other writers lose links."
	}
	if x.primary {
		f.Story += noPrimaryKey
	}
	if _, is := a.engine.(*mysql); !is {
		f.Story += fmt.Sprintf(" After the fix an ON CONFLICT (%s) has to repeat the new key's WHERE, and fails without it: change those of the app first.", quoted(j.pair))
	}
	if note := a.engine.soften(); note != "" {
		f.Story += " " + note
	}
	f.mend = func() change {
		if j.soft.unclear {
			return cannot(j.soft.unknown())
		}
		if names := a.database.dependents(j.t, x); names != nil {
			return cannot("The key is what a foreign key of " + quoted(names) + " refers to, so it has to stay.")
		}
		return a.permitNoNull(j).
			then(a.addUnique(j)).
			then(a.engine.drop(a.maker, j.t, x))
	}
	return []found{f}
}

// copied: unique keys that came from one of the ends, and keep more apart than pairs.
func (a *audit) copied(j *join) []found {
	severity := Warning
	if j.relation != "" {
		severity = Error
	}
	var all []found
	for _, x := range j.keys.narrow {
		f := j.finding(CopiedUniqueKey, severity, x.columns)
		f.Title = "A unique key on " + quoted(x.columns) + " alone lets each of them be linked once"
		f.Story = fmt.Sprintf("%s is on a part of the pair, so the second link of the same %s is refused, or, by ON CONFLICT DO NOTHING, silently not there. "+
			"ORMs make such a key when they copy a unique column from the model at that end. If that end is meant to have one link only, leave it.", x.name, quoted(x.columns))
		f.mend = func() change { return a.widen(j, x) }
		all = append(all, f)
	}
	for _, x := range j.t.indexes {
		if !x.unique || x.primary || x.invalid || x.where != "" || slices.Contains(x.columns, "") || len(minus(x.columns, j.pair)) == 0 {
			continue
		}
		if j.ownName(x.columns) {
			continue
		}
		for _, e := range j.ends {
			if e.to == nil || !e.to.keyed(x.columns) || !contains(minus(x.columns, j.pair), x.columns) {
				continue
			}
			f := j.finding(CopiedUniqueKey, severity, x.columns)
			f.Title = "The unique key on " + quoted(x.columns) + " was copied from " + e.name()
			f.Story = fmt.Sprintf("%s is unique in %s, where it tells rows apart. In the join table it allows one link for each, "+
				"and the second is refused, or, by ON CONFLICT DO NOTHING, silently not there.", quoted(x.columns), e.name())
			f.mend = func() change { return a.dropKey(j, x) }
			all = append(all, f)
			break
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

// widen puts a key on the pair in the place of one on a part of it.
func (a *audit) widen(j *join, x *index) change {
	if x.primary || a.database.dependents(j.t, x) != nil {
		return a.dropKey(j, x)
	}
	var c change
	if j.keys.full == nil && j.keys.living == nil && !j.widened {
		j.widened = true
		c = a.permitNoNull(j).then(a.addUnique(j))
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

// reverse: an end whose columns no index begins with.
func (a *audit) reverse(j *join) []found {
	var all []found
	for i, e := range j.ends {
		if j.t.led(e.columns) || j.keys.living != nil && j.keys.living.leads(e.columns) {
			continue
		}
		if j.keyToCome() && catalog.SameColumns(a.leading(j)[:len(e.columns)], e.columns) {
			continue // the key that is missing will
		}
		f := j.finding(NoReverseIndex, Note, e.columns)
		f.Title = "No index begins with " + quoted(e.columns)
		f.Story = fmt.Sprintf("Finding the links of one row of %s reads the whole table, and so does the database each time that such a row is deleted or its key changes. "+
			"From %s the links are found by an index.", e.name(), j.ends[1-i].name())
		f.mend = func() change {
			add := a.addIndex(j.t, e.columns)
			if add.fix == nil {
				return cannot("A fix above makes one that does.")
			}
			var c change
			for _, x := range j.t.indexes { // it costs each write, and helps no one
				if x.invalid && !x.unique && x.where == "" && begin(x.columns, e.columns) {
					c = c.then(a.engine.drop(a.maker, j.t, x))
				}
			}
			return c.then(add)
		}
		all = append(all, f)
	}
	return all
}
