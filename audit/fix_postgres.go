package audit

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

func (postgres) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// in is a name in a table's schema. Who applies a fix may have another search_path than
// who audited.
func (p postgres) in(t *table, name string) string {
	return p.quote(t.schema) + "." + p.quote(name)
}

func (p postgres) table(t *table) string { return p.in(t, t.name) }
func (postgres) limit() int              { return 63 }
func (postgres) lax() bool               { return false }

// text: how many digits a number has as a text is a setting, and by some collations
// different texts are equal.
func (postgres) text(name string, c *column) string {
	if c.typ == "real" || c.typ == "double precision" {
		return "CAST(" + name + " AS double precision)"
	}
	return "CAST(" + name + ` AS text) COLLATE "C"`
}

func (postgres) referrers(context.Context, *session, *database) error { return nil }

func (postgres) soften() string { return "" }

func (postgres) alive(c column) []string {
	all := c.alive()
	for i, value := range all {
		if isBoolean(c.typ) && value == "0" {
			value = "false"
		}
		all[i] = "CAST(" + value + " AS " + c.typ + ")"
	}
	return all
}

func (postgres) lives(name string, c column) string {
	zero := "CAST(0 AS " + c.typ + ")"
	switch {
	case c.nullable && isBit(c.typ):
		return "COALESCE(" + name + ", " + zero + ") = " + zero
	case isBit(c.typ):
		return name + " = " + zero
	case c.nullable && isBoolean(c.typ):
		return name + " IS NOT TRUE"
	case isBoolean(c.typ):
		return "NOT " + name
	}
	return c.lives(name)
}

// compare takes for one key what a cast would take for one, for what points at nothing is
// removed: '01' and 1, and a UUID however it is written. Of two collations the end's counts,
// for its index has that, and PostgreSQL takes neither by itself.
func (p postgres) compare(a, b string, of, with *column) string {
	if of != nil && with != nil && of.collation != "" && with.collation != "" && of.collation != with.collation {
		b += " COLLATE " + of.collation
	}
	if of == nil || with == nil || p.differ(with, of, false) == "" || isNumber(of.typ) && isNumber(with.typ) {
		return a + " = " + b
	}
	a, b = "lower(CAST("+a+" AS text))", "lower(btrim(CAST("+b+" AS text)))"
	switch {
	case of.typ == "uuid":
		b = "translate(" + b + ", '{}-', '')"
		return "replace(" + a + ", '-', '') = " + b
	case isNumber(of.typ):
		return a + " IN (" + b + ", ltrim(" + b + ", '+0'))"
	}
	return a + " = " + b
}

// sizes are a type's length or precision.
var sizes = regexp.MustCompile(`\(.*\)`)

func isNumber(typ string) bool {
	return slices.Contains([]string{"smallint", "integer", "bigint", "numeric", "real", "double precision"}, sizes.ReplaceAllString(typ, ""))
}

// differ says what is different about a column's type and its key's; lengths, and what
// two texts are called, make none.
func (postgres) differ(c, key *column, _ bool) string {
	a, b := sizes.ReplaceAllString(c.typ, ""), sizes.ReplaceAllString(key.typ, "")
	for _, t := range []*string{&a, &b} {
		if *t == "character varying" {
			*t = "text"
		}
	}
	if a == b {
		return ""
	}
	return c.typ + " for " + key.typ
}

func (p postgres) alter(t *table, what, why string) Statement {
	return Statement{SQL: "ALTER TABLE " + p.table(t) + " " + what, Why: why}
}

// notNull goes by a CHECK, which is validated without a lock that keeps writers out, and
// spares SET NOT NULL its look at all rows.
func (p postgres) notNull(_ *maker, t *table, columns []string) change {
	// Of one table there is one name: a fix that failed may have left the constraint behind.
	name := p.quote("m2msafe_not_null")
	var checks, set, drop []string
	for _, c := range columns {
		checks = append(checks, p.quote(c)+" IS NOT NULL")
		set = append(set, "ALTER COLUMN "+p.quote(c)+" SET NOT NULL")
		drop = append(drop, "ALTER COLUMN "+p.quote(c)+" DROP NOT NULL")
		t.column(c).nullable = false
	}
	return change{
		fix: []Statement{
			p.alter(t, "DROP CONSTRAINT IF EXISTS "+name+", ADD CONSTRAINT "+name+" CHECK ("+strings.Join(checks, " AND ")+") NOT VALID", "refuses new NULLs, for a moment's lock"),
			p.alter(t, "VALIDATE CONSTRAINT "+name, "looks at the rows, while others write"),
			p.alter(t, strings.Join(set, ", "), "believes the constraint, and looks at no row"),
			p.alter(t, "DROP CONSTRAINT "+name, "it has done its work"),
		},
		undo: []Statement{p.alter(t, "DROP CONSTRAINT IF EXISTS "+name+", "+strings.Join(drop, ", "), "permits NULL again")},
	}
}

func (p postgres) unique(m *maker, t *table, columns []string, s *soft) change {
	if len(minus(t.partition, columns)) > 0 {
		return cannot("The table is partitioned by columns that are not the pair's, and PostgreSQL has unique keys there only with those in them.")
	}
	if t.heirs {
		return cannot("Other tables inherit from this one, and no unique key of PostgreSQL's covers the rows of several tables.")
	}
	where := ""
	if s != nil {
		where = " WHERE " + living(p, "", s)
	}
	c, _ := p.create(m, t, "UNIQUE INDEX", "uq", columns, where, "the key that was missing"+building(t)+". If a pair is stored twice meanwhile it fails, and leaves an invalid index: audit again, and the fix begins with what is left")
	return c
}

func (p postgres) index(m *maker, t *table, columns []string) change {
	c, _ := p.create(m, t, "INDEX", "idx", columns, "", "finds the links from this end"+building(t))
	return c
}

// building says what an index costs others while it is built.
func building(t *table) string {
	if t.partitioned {
		return "; writers wait while it is built"
	}
	return "; writers go on while it is built"
}

func (p postgres) create(m *maker, t *table, kind, prefix string, columns []string, where, why string) (_ change, name string) {
	name = m.name(t.schema, append([]string{prefix, t.name}, columns...)...)
	concurrently := " CONCURRENTLY"
	if t.partitioned { // there is no such thing there
		concurrently = ""
	}
	return change{
		fix: []Statement{{SQL: "CREATE " + kind + concurrently + " " + p.quote(name) + " ON " + p.table(t) + " (" + names(p, "", columns) + ")" + where,
			Why: why, Solo: !t.partitioned}},
		undo: []Statement{{SQL: "DROP INDEX" + concurrently + " IF EXISTS " + p.in(t, name), Why: "takes the index away", Solo: !t.partitioned}},
	}, name
}

func (p postgres) foreign(m *maker, t *table, e link, action string) change {
	for i, name := range e.columns {
		if c, key := t.column(name), e.to.column(e.references[i]); (c.loose || key.loose) && c.collation != key.collation {
			return cannot("The collations of " + name + " and of " + key.name + " differ, and one of them takes different texts for equal: PostgreSQL from 18 on refuses a foreign key between the two.")
		}
	}
	name := p.quote(m.name(t.schema, append(append([]string{"fk", t.name}, e.columns...), e.to.name)...))
	constraint := "ADD CONSTRAINT " + name + " FOREIGN KEY (" + names(p, "", e.columns) + ") REFERENCES " + p.table(e.to) + " (" + names(p, "", e.references) + ")" + action
	undo := []Statement{p.alter(t, "DROP CONSTRAINT IF EXISTS "+name, "takes the foreign key away")}
	if t.partitioned {
		return change{fix: []Statement{p.alter(t, constraint, "looks at all rows; writers of both tables wait"+deletes(action))}, undo: undo}
	}
	return change{
		fix: []Statement{
			p.block("LOCK TABLE "+p.table(e.to)+" IN SHARE ROW EXCLUSIVE MODE; "+p.alter(t, constraint+" NOT VALID", "").SQL, "holds for new rows, for a moment's lock; what is referred to is locked first, as apps do that write it first"+deletes(action)),
			p.alter(t, "VALIDATE CONSTRAINT "+name, validates),
		},
		undo: undo,
	}
}

const validates = "looks at the old rows, while others write; if it fails, links to nothing were made meanwhile: audit again"

func (p postgres) validate(_ *maker, t *table, f *foreignKey) change {
	return change{
		fix:  []Statement{p.alter(t, "VALIDATE CONSTRAINT "+p.quote(f.name), validates)},
		undo: []Statement{p.again(t, f.name, f.definition)},
	}
}

// retype refuses what PostgreSQL would, and what would have to be parsed anew.
func (p postgres) retype(_ *maker, t *table, c, key *column) change {
	used := slices.Clone(c.used)
	if slices.Contains(t.partition, c.name) || slices.Contains(t.partition, "") {
		used = append(used, "the partitions")
	}
	for _, x := range t.indexes {
		if slices.Contains(x.uses, c.name) || slices.Contains(t.mentioned(x.where), c.name) {
			used = append(used, "index "+x.name)
		}
	}
	if len(used) > 0 {
		return cannot("The column can't be given another type as long as these use it: " + quoted(used) + ".")
	}
	to := func(typ, collation, why string) Statement {
		switch collation {
		case "", postgresCollation:
			collation = ""
		default:
			collation = " COLLATE " + collation
		}
		return p.alter(t, "ALTER COLUMN "+p.quote(c.name)+" TYPE "+typ+collation+" USING CAST("+p.quote(c.name)+" AS "+typ+")", why)
	}
	return change{
		fix:  []Statement{to(key.written(), key.collation, "writes the table anew, and nobody reads it meanwhile: choose a quiet hour")},
		undo: []Statement{to(c.written(), c.collation, "the type that it had")},
	}
}
