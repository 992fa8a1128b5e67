package audit

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// How well a pair of links fits what a join table is. Below unfit it is one.
const (
	keyedPair = iota // a unique key is the pair
	barePair         // there is nothing else in the table
	namedPair        // it has a name for the pair, and little else
	unfit
)

// recognize finds the pair that is a table's purpose.
func (n *nouns) recognize(t *table) (ends [2]link, ok bool) {
	if strings.HasPrefix(t.name, removedPrefix) || len(t.columns) < 2 || !isPrisma(t) && (isCopy(words(t.name)) || n.copied(t)) {
		return ends, false
	}
	ends, fit := n.pair(t)
	return ends, fit < unfit
}

// pair is the best pair of a table's links.
func (n *nouns) pair(t *table) (ends [2]link, best int) {
	all := n.links(t)
	best = unfit + 1
	for i, a := range all {
		for _, b := range all[i+1:] {
			if contains(a.columns, b.columns) || contains(b.columns, a.columns) {
				continue
			}
			if f := fit(t, a, b, all); f < best {
				ends, best = [2]link{a, b}, f
			}
		}
	}
	return ends, best
}

func fit(t *table, a, b link, links []link) int {
	pair := pairOf(a.columns, b.columns)
	soft := softDeletion(t)
	first, second := namesOf(a), namesOf(b)
	declared := a.foreign != nil && b.foreign != nil
	full := named(t, first, second, declared) || isPrisma(t)
	pair = append(pair, t.tenant(a, b, pair, soft)...)
	if t.nullables(pair) != nil && slices.ContainsFunc(links, func(l link) bool {
		return !contains(pair, l.columns) && t.nullables(l.columns) != nil
	}) {
		return unfit // one of several references has a value
	}
	for _, x := range t.indexes {
		if x.unique && x.where == "" && !slices.Contains(x.columns, "") && catalog.SameColumns(t.minusDead(x, pair, soft), pair) {
			return keyedPair
		}
		if x.unique && x.where != "" && soft != nil && catalog.SameColumns(x.columns, pair) && len(minus(t.mentioned(x.where), soft.columns())) == 0 {
			return keyedPair
		}
	}
	if !full && slices.ContainsFunc(t.indexes, func(x *index) bool {
		return x.unique && x.where == "" && len(x.columns) > 0 && (contains(a.columns, x.columns) || contains(b.columns, x.columns))
	}) {
		return unfit // a row of that end has one row here, as a person is one employee
	}
	if slices.ContainsFunc(t.indexes, func(x *index) bool {
		others := t.splits(x, a, b, pair, soft)
		return others != nil && (!full || slices.ContainsFunc(others, t.refers))
	}) {
		return unfit
	}
	for _, x := range t.indexes { // a pair with something else is what the table is for
		if slices.ContainsFunc(t.separates(x, pair, soft), func(c string) bool { return !isTime(strings.Join(words(c), "_")) || t.refers(c) }) {
			return unfit
		}
	}
	for _, l := range links { // without a key nothing says of which two of three it has pairs
		if !contains(pair, l.columns) && slices.ContainsFunc(l.columns, func(c string) bool { return t.refers(c) && !isTime(strings.Join(words(c), "_")) }) {
			return unfit
		}
	}
	id, times, others := 0, 0, 0
	for _, c := range t.columns {
		name := strings.Join(words(c.name), "_")
		switch {
		case slices.Contains(pair, c.name), soft.has(c.name):
		case isID(t, c):
			id++
		case isTime(name), strings.HasSuffix(name, "_by"), strings.HasSuffix(name, "_by_id"):
			times++
		case repeats(c.name):
			return unfit
		default:
			others++
		}
	}
	vocabulary := hasLinkNoun(t)
	half := begins(t, first) || begins(t, second) || ends(t, first) || ends(t, second)
	switch {
	case id+times+others == 0:
		return barePair
	case full && declared && len(links) == 2, others <= 2 && (full || vocabulary && len(links) == 2), others+times == 0 && half:
		return namedPair
	}
	return unfit
}

// hasLinkNoun says whether a table is called after what a link is.
func hasLinkNoun(t *table) bool {
	all := words(t.name)
	return len(all) > 0 && slices.ContainsFunc(linkNouns, func(n string) bool { return sameNoun(n, all[len(all)-1]) })
}

// isForPairs says whether a table's name or a unique key tells that it is for pairs.
func isForPairs(t *table, ends [2]link) bool {
	a, b := ends[0], ends[1]
	pair := pairOf(a.columns, b.columns)
	if slices.ContainsFunc(t.indexes, func(x *index) bool { return x.unique && contains(append(slices.Clone(x.columns), x.uses...), pair) }) {
		return true
	}
	if slices.ContainsFunc(t.columns, func(c column) bool {
		return slices.Contains([]string{"action", "event", "activity", "verb", "operation", "quantity"}, strings.ToLower(c.name))
	}) {
		return false
	}
	return isPrisma(t) || hasLinkNoun(t) || named(t, namesOf(a), namesOf(b), a.foreign != nil && b.foreign != nil)
}

// isCopy says whether a table is called after what is kept of another.
func isCopy(name []string) bool {
	copies := []string{"backup", "backups", "bak", "bkp", "old", "copy", "tmp", "temp", "archive", "archived", "archives", "history", "log", "logs", "audit", "orig", "original",
		"prev", "previous", "staging", "snapshot", "snapshots", "legacy", "shadow"}
	for len(name) > 1 && strings.Trim(name[len(name)-1], "0123456789") == "" {
		if len(name[len(name)-1]) >= len("240131") {
			return true // by its date
		}
		name = name[:len(name)-1]
	}
	return len(name) > 1 && (slices.Contains(copies, name[0]) || slices.Contains(copies, name[len(name)-1]))
}

// copied says whether there is another table that is called like one but for a word in front,
// as user_groups is beside pending_user_groups, and has its references.
func (n *nouns) copied(t *table) bool {
	all := words(t.name)
	return len(all) > 2 && slices.ContainsFunc(n.exact[strings.Join(all[1:], " ")], func(o *table) bool {
		return o.schema == t.schema && len(o.columns) > 0 && !slices.ContainsFunc(t.columns, func(c column) bool { return o.column(c.name) == nil && stem(c.name) != nil })
	})
}

// isID says whether a column is a surrogate key.
func isID(t *table, c column) bool {
	if key := t.primaryKey(); key != nil {
		return len(key.columns) == 1 && key.columns[0] == c.name
	}
	return c.name == "id" || c.name == "ID"
}

// isTime says whether a column is one that ORMs keep for themselves.
func isTime(name string) bool {
	switch name {
	case "created_at", "updated_at", "created_on", "updated_on", "created", "updated", "modified", "modified_at", "inserted_at",
		"created_date", "updated_date", "date_created", "date_updated", "version", "tenant_id":
		return true
	}
	return false
}

// pairOf are the columns of two ends, each once.
func pairOf(a, b []string) []string { return append(slices.Clone(a), minus(b, a)...) }

// namesOf are the first that an end may have in a join table's: what its column is
// called after, and the table's.
func namesOf(l link) [][]string {
	var all [][]string
	if len(l.columns) == 1 && stem(l.columns[0]) != nil {
		all = append(all, stem(l.columns[0]))
	}
	if l.to != nil {
		name := words(l.to.name)
		all = append(all, name)
		if len(name) > 1 {
			all = append(all, name[1:]) // without the app's
		}
	}
	return all
}

// named says whether a table's name is that of two others, in either order; where the
// links are declared, behind anything in front.
func named(t *table, a, b [][]string, declared bool) bool {
	name := words(t.name)
	bare := slices.DeleteFunc(slices.Clone(name), func(w string) bool { return slices.Contains(linking, w) })
	for _, x := range a {
		for _, y := range b {
			for _, both := range [][]string{append(slices.Clone(x), y...), append(slices.Clone(y), x...)} {
				for _, given := range [][]string{name, bare} {
					more := len(given) - len(both)
					if more >= 0 && (more == 0 || declared || more == 1) && sameWords(given[more:], both) {
						return true
					}
				}
			}
		}
	}
	return false
}

func begins(t *table, names [][]string) bool {
	name := words(t.name)
	return slices.ContainsFunc(names, func(n []string) bool { return len(name) > len(n) && sameWords(name[:len(n)], n) })
}

func ends(t *table, names [][]string) bool {
	name := words(t.name)
	return slices.ContainsFunc(names, func(n []string) bool { return len(name) > len(n) && sameWords(name[len(name)-len(n):], n) })
}
