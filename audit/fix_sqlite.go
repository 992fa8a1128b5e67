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

// text: by some collations different texts are equal.
func (*sqlite) text(name string, _ *column) string { return name + " COLLATE BINARY" }

func (*sqlite) compare(a, b string, _, _ *column) string { return a + " = " + b }

// differ: what counts is the affinity, since numbers compare with numbers, and of texts
// the collation.
func (*sqlite) differ(c, key *column, _ bool) string {
	a, b := affinity(c.typ), affinity(key.typ)
	switch {
	case a == "" || b == "":
		return ""
	case a != b:
		return c.typ + " for " + key.typ
	case a == "text" && c.collation != "" && key.collation != "" && c.collation != key.collation:
		return c.collation + " for " + key.collation
	}
	return ""
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

func (q *sqlite) unique(m *maker, t *table, columns []string, s *soft) change {
	where := ""
	if s != nil {
		where = " WHERE " + living(q, "", s)
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
		undo: []Statement{{SQL: "DROP INDEX IF EXISTS " + name, Why: "takes the index away"}},
	}
}

func (q *sqlite) drop(m *maker, t *table, x *index) change {
	if x.definition != "" {
		t.planned.extras = minus(t.planned.extras, []string{x.definition})
		return change{
			fix:  []Statement{{SQL: "DROP INDEX " + q.quote(x.name), Why: "takes the key away"}},
			undo: []Statement{{SQL: ifNotExists(x.definition), Why: "makes it as it was"}},
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

// retype makes no text of a number: '7' and '007' are one number and two texts.
func (q *sqlite) retype(m *maker, t *table, c, key *column) change {
	from, to := affinity(c.typ), affinity(key.typ)
	if from == "number" && to == "text" {
		return cannot("'7' and '007' are one number and two texts: which of them each number is only you can say, so it has to be done by hand.")
	}
	made := q.rebuild(m, t, func(made *create) bool {
		return (from == to || made.retype(c.name, key.typ)) && (to != "text" || made.collate(c.name, key.collation))
	})
	if from == "text" && to == "number" {
		for _, all := range [][]Statement{made.fix, made.undo} {
			for i := range all {
				if all[i].Why == itsRows {
					all[i].Why += "; a text like '007' becomes 7, and what takes that back makes '7' of it"
				}
			}
		}
	}
	return made
}

func (q *sqlite) foreign(m *maker, t *table, e link, action string) change {
	for i, name := range e.columns {
		if c, key := t.column(name), e.to.column(e.references[i]); key != nil && affinity(c.typ) == "number" && affinity(key.typ) == "text" {
			return cannot("A foreign key would take each number for one text, '7' and not '007', which a join takes for the same: give " + name + " the type of its key first.")
		}
	}
	// It has a name, for without one GORM's migrator takes it for a column.
	name := q.quote(m.name(t.schema, append(append([]string{"fk", t.name}, e.columns...), e.to.name)...))
	return q.rebuild(m, t, func(made *create) bool {
		made.parts = append(made.parts, "\n  CONSTRAINT "+name+" FOREIGN KEY ("+names(q, "", e.columns)+") REFERENCES "+q.table(e.to)+" ("+names(q, "", e.references)+")"+action)
		return true
	})
}
