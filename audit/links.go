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
	guessed    bool        // nothing is called like it, and it is taken for the same as the other end
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
		all = append(all, link{columns: f.columns, to: f.table, references: f.references, foreign: f})
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
		if bound[c.name] || s == nil || slices.Contains(own, c.name) || t.polymorphic(s) {
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
	if len(all) == 1 && len(open) == 1 && len(all[0].references) == 1 && len(all[0].columns) == 1 && likeOther(stem(open[0])) &&
		sameKind(t.column(open[0]).typ, t.column(all[0].columns[0]).typ) && named(t, namesOf(all[0]), [][]string{stem(open[0])}, true) {
		all = append(all, link{columns: open, to: all[0].to, references: all[0].references, guessed: true})
	}
	return all
}

// kinds are words for what tells to which table a reference goes.
var kinds = []string{"type", "class", "kind", "table", "model", "entity"}

// polymorphic says whether a column beside tells to which table a reference goes, by its stem.
func (t *table) polymorphic(stem []string) bool { return t.typeOf(stem) != "" }

// typeOf is that column, "" if there is none.
func (t *table) typeOf(stem []string) string {
	for _, c := range t.columns {
		if all := words(c.name); len(stem) > 0 && len(all) == len(stem)+1 && sameWords(all[:len(stem)], stem) && slices.Contains(kinds, all[len(stem)]) {
			return c.name
		}
	}
	return ""
}

// tells says whether a column beside the pair may tell to which table a reference goes:
// type, source, content_type_id.
func (t *table) tells(pair []string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool {
		all := words(c.name)
		return !slices.Contains(pair, c.name) && slices.ContainsFunc(all, func(w string) bool { return slices.Contains(kinds, w) || w == "source" })
	})
}

// peers are words for a row of the same table.
var peers = []string{"friend", "follower", "followee", "following", "followed", "buddy", "peer", "parent", "child", "related", "sibling", "other",
	"mentor", "mentee", "blocked", "blocker", "ancestor", "descendant", "predecessor", "successor", "prerequisite", "dependency", "dependent",
	"spouse", "colleague", "neighbor", "neighbour", "similar", "linked"}

// sameKind says whether two types are the same, or integers.
func sameKind(a, b string) bool { return a == b || size(a) > 0 && size(b) > 0 }

func likeOther(stem []string) bool {
	last := stem[len(stem)-1:]
	return slices.ContainsFunc(peers, func(o string) bool { return sameWords(last, []string{o}) })
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
