package audit

import (
	"slices"
	"strings"
)

func (*sqlite) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func (q *sqlite) table(t *table) string  { return q.quote(t.name) }
func (*sqlite) limit() int               { return 0 }
func (*sqlite) soften() string           { return "" }
func (*sqlite) alive(c column) []string  { return c.alive() }

func (*sqlite) lives(name string, c column) string { return c.lives(name) }

// lax: each connection says for itself whether it wants foreign keys enforced.
func (*sqlite) lax() bool { return true }

func (*sqlite) text(name string) string { return name }

func (*sqlite) compare(a, b string, _, _ *column) string { return a + " = " + b }

// differ: what counts is the affinity. Numbers compare with numbers.
func (*sqlite) differ(c, key *column, _ bool) string {
	a, b := affinity(c.typ), affinity(key.typ)
	if a == b || a == "" || b == "" {
		return ""
	}
	return c.typ + " for " + key.typ
}

func affinity(typ string) string {
	typ = strings.ToUpper(typ)
	for _, has := range []struct{ part, affinity string }{{"INT", "number"}, {"CHAR", "text"}, {"CLOB", "text"}, {"TEXT", "text"}, {"BLOB", ""}} {
		if strings.Contains(typ, has.part) {
			return has.affinity
		}
	}
	if typ == "" {
		return ""
	}
	return "number"
}

func (q *sqlite) remove(m *maker, t *table, r removal) change {
	kept := q.quote(m.name(t.schema, removedPrefix+t.name))
	columns := t.stored()
	row, copied, remove := []string{rowid(t)}, "j."+rowid(t)+" AS m2msafe_row, ", rowid(t)+" IN (SELECT m2msafe_row FROM "+kept+")"
	if withoutRowid(t) {
		key := t.primaryKey().columns
		row, copied = nil, ""
		match := make([]string, len(key))
		for i, c := range key {
			row = append(row, q.quote(c))
			match[i] = "r." + q.quote(c) + " = j." + q.quote(c)
		}
		remove = "EXISTS (SELECT 1 FROM " + kept + " AS r WHERE " + strings.Join(match, " AND ") + ")"
	}
	condition := r.where
	if r.pair != nil {
		condition = "(" + strings.Join(row, ", ") + ") IN (" + r.extra(q, t, row) + ")" + r.stays(q)
	}
	c := change{
		fix: []Statement{
			{SQL: "CREATE TABLE " + kept + " AS SELECT " + copied + names(q, "j", columns) + " FROM " + q.table(t) + " AS j WHERE " + condition, Why: "keeps the rows that are removed next"},
			{SQL: "DELETE FROM " + q.table(t) + " AS j WHERE " + remove, Why: r.why},
		},
		undo: []Statement{
			{SQL: "INSERT OR ABORT INTO " + q.table(t) + " (" + names(q, "", columns) + ") SELECT " + names(q, "", columns) + " FROM " + kept, Why: "puts the removed rows back"},
			{SQL: "DROP TABLE " + kept, Why: "they are kept no longer"},
		},
	}
	if r.against != nil {
		c.undo = slices.Concat(q.off(), c.undo, q.on())
	}
	return c
}

// off and on are what SQLite does nothing about in a transaction.
func (*sqlite) off() []Statement {
	return []Statement{{SQL: "PRAGMA foreign_keys = OFF", Why: "this connection's alone, and not in a transaction", Solo: true}}
}

func (q *sqlite) on() []Statement {
	if !q.enforced {
		return nil
	}
	return []Statement{{SQL: "PRAGMA foreign_keys = ON", Why: "as it was", Solo: true}}
}

func (q *sqlite) unique(m *maker, t *table, columns []string, s *soft) change {
	where := ""
	if s != nil {
		where = " WHERE " + livingOf(q, s)
	}
	return q.create(m, t, "UNIQUE INDEX", "uq", columns, where, "the key that was missing; if a pair was stored twice meanwhile it fails: audit again")
}

func (q *sqlite) index(m *maker, t *table, columns []string) change {
	return q.create(m, t, "INDEX", "idx", columns, "", "finds the links from this end")
}

func (q *sqlite) create(m *maker, t *table, kind, prefix string, columns []string, where, why string) change {
	name := q.quote(m.name(t.schema, append([]string{prefix, t.name}, columns...)...))
	made := "CREATE " + kind + " " + name + " ON " + q.table(t) + " (" + names(q, "", columns) + ")" + where
	t.planned.extras = append(slices.Clone(t.planned.extras), made)
	return change{
		fix:  []Statement{{SQL: made, Why: why}},
		undo: []Statement{{SQL: "DROP INDEX " + name, Why: "takes the index away"}},
	}
}

func (q *sqlite) drop(m *maker, t *table, x *index) change {
	if x.definition != "" {
		t.planned.extras = minus(t.planned.extras, []string{x.definition})
		return change{
			fix:  []Statement{{SQL: "DROP INDEX " + q.quote(x.name), Why: "takes the key away"}},
			undo: []Statement{{SQL: x.definition, Why: "makes it as it was"}},
		}
	}
	if x.primary && withoutRowid(t) {
		return cannot("It is the primary key of a table WITHOUT ROWID, which can't be without one.")
	}
	return q.rebuild(m, t, func(made *create) bool { return made.drop(x.columns) })
}

func (q *sqlite) undefer(*maker, *table, *index) change { return change{} }

func (q *sqlite) validate(*maker, *table, *foreignKey) change { return change{} }

func (q *sqlite) notNull(m *maker, t *table, columns []string) change {
	c := q.rebuild(m, t, func(made *create) bool {
		return !slices.ContainsFunc(columns, func(name string) bool { return !made.notNull(name) })
	})
	for _, name := range columns {
		t.column(name).nullable = c.cannot != ""
	}
	return c
}

func (q *sqlite) retype(m *maker, t *table, c, key *column) change {
	return q.rebuild(m, t, func(made *create) bool { return made.retype(c.name, key.typ) })
}

func (q *sqlite) foreign(m *maker, t *table, e link, action string) change {
	// It has a name, for without one GORM's migrator takes it for a column.
	name := q.quote(m.name(t.schema, append(append([]string{"fk", t.name}, e.columns...), e.to.name)...))
	return q.rebuild(m, t, func(made *create) bool {
		made.parts = append(made.parts, "\n  CONSTRAINT "+name+" FOREIGN KEY ("+names(q, "", e.columns)+") REFERENCES "+q.table(e.to)+" ("+names(q, "", e.references)+")"+action)
		return true
	})
}

// rebuild is the way of www.sqlite.org/lang_altertable.html to what ALTER TABLE can't do:
// the table made anew under another name, its rows copied, then the old one's name, and
// its indexes and triggers. Views that name the table stand in the way of a rename, unless
// that is the old one.
func (q *sqlite) rebuild(m *maker, t *table, edit func(*create) bool) change {
	old := t.planned
	made := parseCreate(old.sql)
	if made == nil || !edit(made) {
		return cannot("SQLite can't alter it in place, and the statement that made the table is not understood well enough to write it anew: that has to be done by hand.")
	}
	t.planned.sql = made.statement(q.table(t))
	return change{fix: q.replace(m, t, t.planned), undo: q.replace(m, t, old)}
}

// replace makes a table anew by a plan. ABORT, for the table's own constraints may have
// rows left out: ON CONFLICT IGNORE.
func (q *sqlite) replace(m *maker, t *table, by planned) []Statement {
	name := q.quote(m.name(t.schema, "m2msafe_new_"+t.name))
	columns := names(q, "", t.stored())
	all := append(q.off(),
		Statement{SQL: parseCreate(by.sql).statement(name), Why: "the table as it is to be"},
		Statement{SQL: "INSERT OR ABORT INTO " + name + " (" + columns + ") SELECT " + columns + " FROM " + q.table(t), Why: "its rows"})
	if strings.Contains(strings.ToUpper(by.sql), "AUTOINCREMENT") {
		all = append(all, Statement{SQL: "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = " + text(t.name) + ") WHERE name = " + text(strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)), Why: "and how far its numbers have come"})
	}
	all = append(all,
		Statement{SQL: "DROP TABLE " + q.table(t), Why: "with its indexes and triggers"},
		Statement{SQL: "PRAGMA legacy_alter_table = ON", Why: "leaves views and other tables' references alone"},
		Statement{SQL: "ALTER TABLE " + name + " RENAME TO " + q.table(t), Why: "takes its place"},
		Statement{SQL: "PRAGMA legacy_alter_table = OFF", Why: "as it was"})
	for _, extra := range by.extras {
		all = append(all, Statement{SQL: extra, Why: "as before"})
	}
	all = append(all, Statement{SQL: "PRAGMA foreign_key_check(" + q.table(t) + ")", Why: "shows rows that point at nothing: there should be none"})
	return append(all, q.on()...)
}
