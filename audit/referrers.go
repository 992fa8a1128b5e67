package audit

import (
	"slices"
	"strings"
)

// referrer is what refers to a table, by a foreign key or in whatever way a name says that it
// may: the columns and the table are those that do, and that is nil for one that was not read.
type referrer struct {
	foreignKey
	of    *table
	bound bool   // by a foreign key
	typed string // the column that says to what table it refers
}

// mention is a column that is called after what it refers to.
type mention struct {
	in     *table
	column string
	stem   []string
	typed  string
	lists  bool // it has the keys of several
}

// mentions are the columns of all tables that are called like references, by the last of
// their nouns in each form; "" has those with a column beside them that says to what table.
func (d *database) mentions() map[string][]mention {
	all := map[string][]mention{}
	for _, t := range d.tables {
		if strings.HasPrefix(t.name, removedPrefix) {
			continue
		}
		for _, c := range t.columns {
			m := mention{in: t, column: c.name, stem: stem(c.name)}
			if w := words(c.name); m.stem == nil && len(w) > 1 && (w[len(w)-1] == "ids" || w[len(w)-1] == "keys") {
				m.stem, m.lists = w[:len(w)-1], true
			}
			if m.stem == nil {
				continue
			}
			if m.typed = t.typeOf(m.stem); m.typed != "" {
				all[""] = append(all[""], m)
				continue
			}
			for _, form := range forms(m.stem[len(m.stem)-1]) {
				all[form] = append(all[form], m)
			}
		}
	}
	return all
}

// called are the names that a column may have for a row of a table: the whole, and what is
// behind an app's, if no other table is called so.
func (n *nouns) called(t *table) [][]string {
	name := words(t.name)
	all := [][]string{name}
	if len(name) > 1 && len(n.exact[strings.Join(name[1:], " ")]) == 0 {
		all = append(all, name[1:])
	}
	return all
}

// referrers are all that refer to a table, or may: a row is kept rather for nothing than
// not for what needs it.
func (a *audit) referrers(t *table) []*referrer {
	if all, ok := a.referring[t]; ok {
		return all
	}
	if a.mentioned == nil {
		a.mentioned, a.referring = a.database.mentions(), map[*table][]*referrer{}
	}
	var all []*referrer
	add := func(r *referrer) {
		if !slices.ContainsFunc(all, func(o *referrer) bool {
			return r.table != nil && o.table == r.table && slices.Equal(o.columns, r.columns)
		}) {
			r.of = t
			all = append(all, r)
		}
	}
	for _, f := range t.strangers {
		add(&referrer{foreignKey: foreignKey{name: f.name, onDelete: f.onDelete}, bound: true})
	}
	for _, from := range a.database.tables {
		for _, f := range from.foreign { // those to a row of the same table too
			if f.table == t {
				add(&referrer{foreignKey: foreignKey{name: from.full(), table: from, columns: f.columns, references: f.references}, bound: true})
			}
		}
	}
	for _, j := range a.known { // by models
		for _, e := range j.ends {
			if e.to == t && len(e.columns) == len(e.references) {
				add(&referrer{foreignKey: foreignKey{name: j.t.full(), table: j.t, columns: e.columns, references: e.references}})
			}
		}
	}
	for _, m := range a.mentionsOf(t) {
		add(&referrer{foreignKey: foreignKey{name: m.in.full(), table: m.in, columns: []string{m.column}, references: t.primaryKey().columns}, typed: m.typed})
	}
	a.referring[t] = all
	return all
}

// mentionsOf are the columns by whose names rows of a table may be referred to, by its
// primary key.
func (a *audit) mentionsOf(t *table) []mention {
	if key := t.primaryKey(); key == nil || len(key.columns) != 1 {
		return nil
	}
	found := slices.DeleteFunc(slices.Clone(a.mentioned[""]), func(m mention) bool { return m.in == t })
	for _, name := range a.nouns.called(t) {
		for _, form := range forms(name[len(name)-1]) {
			for _, m := range a.mentioned[form] {
				if from := len(m.stem) - len(name); from >= 0 && sameWords(m.stem[from:], name) && !slices.ContainsFunc(m.in.foreign, func(f *foreignKey) bool { return slices.Contains(f.columns, m.column) }) &&
					!slices.ContainsFunc(found, func(o mention) bool { return o.in == m.in && o.column == m.column }) {
					found = append(found, m)
				}
			}
		}
	}
	return found
}

// listed is a column that may have keys of a table's rows in a list; "" if there is none.
func (a *audit) listed(t *table) string {
	for _, r := range a.referrers(t) {
		if r.table != nil && len(r.columns) == 1 {
			if w := words(r.columns[0]); w[len(w)-1] == "ids" || w[len(w)-1] == "keys" {
				return r.table.full() + "." + r.columns[0]
			}
		}
	}
	return ""
}

// hangs is the condition that a row of another table refers to a row, "" if none could.
func (r removal) hangs(w writer, alias string) string {
	parts := make([]string, len(r.hung))
	for i, f := range r.hung {
		same := make([]string, len(f.columns))
		for n, c := range f.columns {
			same[n] = w.compare(alias+"."+w.quote(f.references[n]), "h."+w.quote(c), f.of.column(f.references[n]), f.table.column(c))
		}
		if f.typed != "" && isText(f.table.column(f.typed).typ) { // a number may stand for anything
			same = append(same, "replace(replace(lower(h."+w.quote(f.typed)+"), '_', ''), '-', '') LIKE "+literal("%"+singular(words(f.of.name))+"%"))
		}
		parts[i] = "EXISTS (SELECT 1 FROM " + w.table(f.table) + " AS h WHERE " + strings.Join(same, " AND ") + ")"
	}
	return strings.Join(parts, " OR ")
}

// singular are words as one, the last in its shortest form.
func singular(all []string) string {
	last := slices.MinFunc(forms(all[len(all)-1]), func(a, b string) int { return len(a) - len(b) })
	return strings.Join(all[:len(all)-1], "") + last
}

func isText(typ string) bool {
	typ = strings.ToLower(typ)
	return strings.Contains(typ, "char") || strings.Contains(typ, "text") || strings.Contains(typ, "clob")
}
