package audit

import (
	"fmt"
	"slices"
	"strings"
)

func (*mysql) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
func (m *mysql) table(t *table) string  { return m.quote(t.name) }
func (*mysql) limit() int               { return 64 }
func (*mysql) lax() bool                { return false }

func (*mysql) soften() string {
	return "On this database the key of the living rows has a generated column, which m2msafe can't name in an upsert: with it, the full key is the better one."
}

func (*mysql) alive(c column) []string { return c.alive() }

func (*mysql) lives(name string, c column) string { return c.lives(name) }

// differ: InnoDB has a foreign key between texts of one collation, whatever their
// lengths, and between integers of one size and sign.
func (*mysql) differ(c, key *column, declared bool) string {
	switch {
	case c.collation != "" && key.collation != "" && c.collation != key.collation:
		return c.collation + " for " + key.collation
	case c.collation != "" && key.collation != "":
		if declared || c.length >= key.length {
			return ""
		}
	case mysqlBase(c.typ) == mysqlBase(key.typ):
		return ""
	}
	return c.typ + " for " + key.typ
}

// mysqlBase is a type without a width or length.
func mysqlBase(typ string) string { return sizes.ReplaceAllString(strings.ToLower(typ), "") }

func (m *mysql) compare(a, b string, of, with *column) string {
	if of == nil || with == nil || mysqlBase(of.typ) == mysqlBase(with.typ) && of.collation == with.collation || size(of.typ) > 0 && size(with.typ) > 0 {
		return a + " = " + b
	}
	return "CONVERT(" + a + " USING utf8mb4) COLLATE utf8mb4_bin = CONVERT(" + b + " USING utf8mb4) COLLATE utf8mb4_bin"
}

func (m *mysql) alter(t *table, why string, what ...string) Statement {
	return Statement{SQL: "ALTER TABLE " + m.table(t) + " " + strings.Join(what, ", "), Why: why}
}

// remove needs something that tells rows apart. Where there is none the table has it for
// the time of the fix: InnoDB numbers rows in the order in which they were inserted.
func (m *mysql) remove(mk *maker, t *table, r removal) change {
	kept := m.quote(mk.name(t.schema, removedPrefix+t.name))
	columns, row := t.stored(), t.identity()
	var c change
	number := ""
	copied := columns
	if row == nil && r.pair != nil {
		number = m.free(t, "m2msafe_row")
		c.fix = append(c.fix, m.alter(t, "tells the rows apart, which have no key", "ADD COLUMN "+m.quote(number)+" BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE"))
		row, copied = []string{number}, append([]string{number}, columns...)
	}
	if row == nil {
		row = columns
	}
	condition := r.where
	if r.pair != nil {
		quoted := make([]string, len(row))
		for i, name := range row {
			quoted[i] = m.quote(name)
		}
		condition = "(" + names(m, "", row) + ") IN (" + r.extra(m, t, quoted) + ")"
	}
	match := make([]string, len(row))
	for i, name := range row {
		match[i] = "j." + m.quote(name) + " <=> r." + m.quote(name)
	}
	c.fix = append(c.fix,
		Statement{SQL: "CREATE TABLE " + kept + " AS SELECT " + names(m, "j", copied) + " FROM " + m.table(t) + " AS j WHERE " + condition, Why: "keeps the rows that are removed next"},
		Statement{SQL: "DELETE j FROM " + m.table(t) + " AS j JOIN " + kept + " AS r ON " + strings.Join(match, " AND "), Why: r.why})
	if number != "" {
		c.fix = append(c.fix, m.alter(t, "it has done its work", "DROP COLUMN "+m.quote(number)))
	}
	c.undo = []Statement{
		{SQL: "INSERT INTO " + m.table(t) + " (" + names(m, "", columns) + ") SELECT " + names(m, "", columns) + " FROM " + kept, Why: "puts the removed rows back"},
		{SQL: "DROP TABLE " + kept, Why: "they are kept no longer"},
	}
	return c
}

// free is a name that no column of the table has.
func (*mysql) free(t *table, name string) string {
	free := name
	for n := 2; t.column(free) != nil; n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	return free
}

// define is a column's definition.
func (m *mysql) define(c *column, typ, collation string, nullable bool) string {
	text := m.quote(c.name) + " " + typ
	if collation != "" {
		text += " COLLATE " + collation
	}
	if !nullable {
		return text + " NOT NULL" + c.modify
	}
	return text + " NULL" + c.modify
}

func (m *mysql) notNull(_ *maker, t *table, columns []string) change {
	var set, back []string
	for _, name := range columns {
		c := t.column(name)
		set = append(set, "MODIFY COLUMN "+m.define(c, c.typ, c.collation, false))
		back = append(back, "MODIFY COLUMN "+m.define(c, c.typ, c.collation, true))
		c.nullable = false
	}
	return change{
		fix:  []Statement{m.alter(t, "refuses NULL; the table is written anew", set...)},
		undo: []Statement{m.alter(t, "permits NULL again", back...)},
	}
}

func (m *mysql) retype(_ *maker, t *table, c, key *column) change {
	old := *c
	c.typ, c.collation = key.typ, key.collation
	return change{
		fix:  []Statement{m.alter(t, "writes the table anew, and nobody writes to it meanwhile: choose a quiet hour", "MODIFY COLUMN "+m.define(c, c.typ, c.collation, c.nullable))},
		undo: []Statement{m.alter(t, "the type that it had", "MODIFY COLUMN "+m.define(&old, old.typ, old.collation, old.nullable))},
	}
}

// supported are the clauses that keep foreign keys supplied with an index when one goes
// away, and those that take them back.
func (m *mysql) supported(mk *maker, t *table, gone []string) (add, drop []string) {
	for _, f := range t.foreign {
		if len(gone) < len(f.columns) || !slices.Equal(gone[:len(f.columns)], f.columns) {
			continue
		}
		supports := func(columns []string) bool {
			return len(columns) >= len(f.columns) && slices.Equal(columns[:len(f.columns)], f.columns)
		}
		left := slices.ContainsFunc(t.planned.indexed, func(c []string) bool { return supports(c) && !slices.Equal(c, gone) }) ||
			slices.ContainsFunc(t.indexes, func(x *index) bool { return supports(x.columns) && !slices.Equal(x.columns, gone) })
		if !left {
			name := m.quote(mk.name(t.schema, append([]string{"idx", t.name}, f.columns...)...))
			add = append(add, "ADD INDEX "+name+" ("+names(m, "", f.columns)+")")
			drop = append(drop, "DROP INDEX "+name)
		}
	}
	return add, drop
}

func (m *mysql) unique(mk *maker, t *table, columns []string, s *soft) change {
	name := m.quote(mk.name(t.schema, append([]string{"uq", t.name}, columns...)...))
	t.planned.indexed = append(t.planned.indexed, columns)
	if s == nil {
		return change{
			fix:  []Statement{m.alter(t, "the key that was missing. If a pair is stored twice meanwhile it fails: begin anew", "ADD UNIQUE INDEX "+name+" ("+names(m, "", columns)+")")},
			undo: []Statement{m.alter(t, "takes the key away", "DROP INDEX "+name)},
		}
	}
	living := m.free(t, "m2msafe_living")
	return change{
		fix: []Statement{m.alter(t, "1 in living rows and NULL in deleted ones, which no key keeps apart",
			"ADD COLUMN "+m.quote(living)+" TINYINT GENERATED ALWAYS AS (CASE WHEN "+livingOf(m, s)+" THEN 1 END) VIRTUAL",
			"ADD UNIQUE INDEX "+name+" ("+names(m, "", append(slices.Clone(columns), living))+")")},
		undo: []Statement{m.alter(t, "takes the key away", "DROP INDEX "+name, "DROP COLUMN "+m.quote(living))},
	}
}

func (m *mysql) index(mk *maker, t *table, columns []string) change {
	name := m.quote(mk.name(t.schema, append([]string{"idx", t.name}, columns...)...))
	t.planned.indexed = append(t.planned.indexed, columns)
	return change{
		fix:  []Statement{m.alter(t, "writers go on while it is built", "ADD INDEX "+name+" ("+names(m, "", columns)+")")},
		undo: []Statement{m.alter(t, "takes the index away", "DROP INDEX "+name)},
	}
}

func (m *mysql) drop(mk *maker, t *table, x *index) change {
	take, give := "DROP INDEX "+m.quote(x.name), "ADD UNIQUE INDEX "+m.quote(x.name)+" ("+names(m, "", x.columns)+")"
	if x.primary {
		take, give = "DROP PRIMARY KEY", "ADD PRIMARY KEY ("+names(m, "", x.columns)+")"
	}
	if slices.Contains(x.columns, "") {
		return cannot("It is made of a part of a column, or of an expression: what takes it away and brings it back has to be written by hand.")
	}
	add, drop := m.supported(mk, t, x.columns)
	return change{
		fix:  []Statement{m.alter(t, "takes "+x.name+" away", append(add, take)...)},
		undo: []Statement{m.alter(t, "makes "+x.name+" as it was", append([]string{give}, drop...)...)},
	}
}

// undefer: there are no deferrable constraints.
func (m *mysql) undefer(*maker, *table, *index) change { return change{} }

// validate: there are no constraints that are not.
func (m *mysql) validate(*maker, *table, *foreignKey) change { return change{} }

func (m *mysql) foreign(mk *maker, t *table, e link, action string) change {
	if e.to.foreignless != "" {
		return cannot(e.to.foreignless)
	}
	name := m.quote(mk.name(t.schema, append(append([]string{"fk", t.name}, e.columns...), e.to.name)...))
	add := []string{"ADD CONSTRAINT " + name + " FOREIGN KEY (" + names(m, "", e.columns) + ") REFERENCES " + m.table(e.to) + " (" + names(m, "", e.references) + ")" + action}
	drop := []string{"DROP FOREIGN KEY " + name}
	led := slices.ContainsFunc(t.planned.indexed, func(c []string) bool { return slices.Equal(c[:min(len(c), len(e.columns))], e.columns) })
	if !t.led(e.columns) && !led {
		index := m.quote(mk.name(t.schema, append([]string{"idx", t.name}, e.columns...)...))
		t.planned.indexed = append(t.planned.indexed, e.columns)
		add = append([]string{"ADD INDEX " + index + " (" + names(m, "", e.columns) + ")"}, add...)
		drop = append(drop, "DROP INDEX "+index)
	}
	return change{
		fix:  []Statement{m.alter(t, "looks at all rows, and writes the table anew", add...)},
		undo: []Statement{m.alter(t, "takes the foreign key away", drop...)},
	}
}
