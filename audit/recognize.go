package audit

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// link is what may be an end of a join table: columns that refer to a table.
type link struct {
	columns    []string
	to         *table // nil where that is not known
	references []string
	foreign    *foreignKey // nil for a link by names
}

// links are those of a table, in the order of its columns: its foreign keys, and the
// columns that are called like one.
func (n *nouns) links(t *table) []link {
	all := n.allLinks(t)
	slices.SortStableFunc(all, func(a, b link) int {
		return slices.CompareFunc(a.columns, b.columns, func(x, y string) int { return t.position(x) - t.position(y) })
	})
	return all
}

func (n *nouns) allLinks(t *table) []link {
	var all []link
	bound := map[string]bool{}
	var own []string // references to a row of the table itself, which make a tree of it
	for _, f := range t.foreign {
		if f.table == t {
			own = append(own, f.columns...)
			continue
		}
		if slices.ContainsFunc(all, func(l link) bool { return catalog.SameColumns(l.columns, f.columns) }) {
			continue // declared twice
		}
		all = append(all, link{f.columns, f.table, f.references, f})
		for _, c := range f.columns {
			bound[c] = true
		}
	}
	if l := n.prisma(t); l != nil {
		for i := range l {
			if k := slices.IndexFunc(all, func(f link) bool { return slices.Equal(f.columns, l[i].columns) }); k >= 0 {
				l[i] = all[k]
			}
		}
		return l
	}
	var open []string // references to something that no table is called
	for _, c := range t.columns {
		s := stem(c.name)
		if bound[c.name] || s == nil || slices.Contains(own, c.name) {
			continue
		}
		to := n.find(s, t)
		if to == nil && len(s) > 1 && slices.Contains(sides, s[0]) {
			to = n.find(s[1:], t)
		}
		if to == nil {
			if !slices.ContainsFunc(n.exact[strings.Join(s, " ")], func(v *table) bool { return v.schema == t.schema && v.columns == nil }) { // a view is something
				open = append(open, c.name)
			}
			continue
		}
		if key := soleKey(to, c.name); key != "" {
			all = append(all, link{columns: []string{c.name}, to: to, references: []string{key}})
		}
	}
	// user_friends (user_id, friend_id): a friend is a user.
	if len(all) == 1 && len(open) == 1 && len(all[0].references) == 1 &&
		named(t, namesOf(all[0]), [][]string{stem(open[0])}, true) {
		all = append(all, link{columns: open, to: all[0].to, references: all[0].references})
	}
	return all
}

// soleKey is the column of a table that one column can refer to: its primary key, or
// what the column is called after.
func soleKey(t *table, column string) string {
	all := words(column)
	for _, c := range t.columns { // user_uuid, where users has an id and a uuid
		if last := all[len(all)-1]; t.keyed([]string{c.name}) && (c.name == column || last != "id" && sameWords(words(c.name), []string{last})) {
			return c.name
		}
	}
	if key := t.primaryKey(); key != nil && len(key.columns) == 1 {
		return key.columns[0]
	}
	for _, c := range t.columns {
		if c.name == column || sameWords(words(c.name), all[len(all)-1:]) {
			return c.name
		}
	}
	return ""
}

// prisma are the links of a table that is called as Prisma's are, without foreign keys.
func (n *nouns) prisma(t *table) []link {
	from, to, ok := strings.Cut(strings.TrimPrefix(t.name, "_"), "To")
	if !isPrisma(t) || !ok {
		return nil
	}
	all := make([]link, 2)
	for i, name := range []string{from, to} {
		all[i] = link{columns: []string{t.columns[i].name}, to: n.find(words(name), t)}
		if all[i].to == nil {
			return nil
		}
		if key := soleKey(all[i].to, "id"); key != "" {
			all[i].references = []string{key}
		}
	}
	return all
}

// isPrisma says whether a table is one of Prisma's implicit join tables.
func isPrisma(t *table) bool {
	return strings.HasPrefix(t.name, "_") && len(t.columns) == 2 && t.columns[0].name == "A" && t.columns[1].name == "B"
}

// How well a pair of links fits what a join table is. Below unfit it is one.
const (
	keyedPair = iota // a unique key is the pair
	barePair         // there is nothing else in the table
	namedPair        // it has a name for the pair, and little else
	unfit
)

// recognize finds the pair that is a table's purpose.
func (n *nouns) recognize(t *table) (ends [2]link, ok bool) {
	if strings.HasPrefix(t.name, removedPrefix) || len(t.columns) < 2 {
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
	for _, x := range t.indexes { // a pair with something else is what the table is for
		rest := minus(t.minusDead(x, pair, soft), pair)
		if t.separates(x, x.columns, rest, pair, soft) && slices.ContainsFunc(rest, func(c string) bool { return !isTime(strings.Join(words(c), "_")) && !soft.has(c) }) {
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
	noun := words(t.name)
	vocabulary := len(noun) > 0 && slices.ContainsFunc(linkNouns, func(n string) bool { return sameNoun(n, noun[len(noun)-1]) })
	half := begins(t, first) || begins(t, second) || ends(t, first) || ends(t, second)
	switch {
	case id+times+others == 0:
		return barePair
	case full && declared && len(links) == 2, others <= 2 && (full || vocabulary && len(links) == 2), others+times == 0 && half:
		return namedPair
	}
	return unfit
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
