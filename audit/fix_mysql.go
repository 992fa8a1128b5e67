package audit

import (
	"slices"
	"strings"
)

func (*mysql) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
func (m *mysql) table(t *table) string  { return m.quote(t.name) }
func (*mysql) limit() int               { return 64 }

// lax: mysqldump turns the checks off to load what it has dumped.
func (*mysql) lax() bool { return true }

func (*mysql) soften() string {
	return "On this database the key of the living rows has a generated column, which m2msafe can't name in an upsert: with it, the full key is the better one."
}

func (*mysql) alive(c column) []string { return c.alive() }

func (*mysql) lives(name string, c column) string { return c.lives(name) }

func (m *mysql) alter(t *table, why string, what ...string) Statement {
	return Statement{SQL: "ALTER TABLE " + m.table(t) + " " + strings.Join(what, ", "), Why: why}
}

// back is a statement of an undo: where the server knows how to say so, one that does
// nothing where the fix has stopped before.
func (m *mysql) back(t *table, why string, what ...string) Statement {
	if !m.maria {
		return m.alter(t, why+"; leave out what the fix has not come to", what...)
	}
	lenient := make([]string, len(what))
	for i, clause := range what {
		for verb, unless := range map[string]string{
			"DROP INDEX ": "IF EXISTS ", "DROP FOREIGN KEY ": "IF EXISTS ", "DROP COLUMN ": "IF EXISTS ",
			"ADD INDEX ": "IF NOT EXISTS ", "ADD UNIQUE INDEX ": "IF NOT EXISTS ", "ADD PRIMARY KEY ": "IF NOT EXISTS ",
		} {
			if rest, ok := strings.CutPrefix(clause, verb); ok {
				clause = verb + unless + rest
				break
			}
		}
		lenient[i] = clause
	}
	return m.alter(t, why, lenient...)
}

// strict has a value that does not fit be an error, also where the server would change it
// into one that does.
func (m *mysql) strict(s Statement) []Statement {
	if m.maria {
		s.SQL = "SET STATEMENT sql_mode = 'STRICT_ALL_TABLES' FOR " + s.SQL
		return []Statement{s}
	}
	return []Statement{{SQL: "SET SESSION sql_mode = CONCAT('STRICT_ALL_TABLES,', @@SESSION.sql_mode)", Why: "has a value that does not fit be an error, and not be changed"}, s}
}

// define is a column's definition.
func (m *mysql) define(c column) string {
	text := m.quote(c.name) + " " + c.typ
	if c.collation != "" {
		text += " COLLATE " + c.collation
	}
	if c.nullable {
		return text + " NULL" + c.value + c.modify
	}
	return text + " NOT NULL" + c.value + c.modify
}

func (m *mysql) notNull(_ *maker, t *table, columns []string) change {
	var set, back []string
	retyped := false
	for _, name := range columns {
		c := t.column(name)
		if why := t.unmodifiable(c); why != "" {
			return cannot(why)
		}
		retyped = retyped || c.before != nil
		back = append(back, "MODIFY COLUMN "+m.define(*c))
		c.change().nullable = false
		set = append(set, "MODIFY COLUMN "+m.define(*c))
	}
	undo := []Statement{m.alter(t, "permits NULL again", back...)}
	if retyped { // values might not be what they were, had the fix stopped before that
		undo = m.unlessNull(t, columns[0], undo[0])
	}
	return change{fix: m.strict(m.alter(t, "refuses NULL; the table is written anew", set...)), undo: undo}
}

// unlessNull is a statement that runs if a column permits no NULL.
func (m *mysql) unlessNull(t *table, column string, s Statement) []Statement {
	return []Statement{
		{SQL: "SET @m2msafe_undo = IF(EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = database() AND table_name = " + text(t.name) + " AND column_name = " + text(column) + " AND is_nullable = 'NO'), " + text(s.SQL) + ", 'DO 0')", Why: s.Why + ", if the fix has come to refuse it"},
		{SQL: "PREPARE m2msafe_undo FROM @m2msafe_undo", Why: "the same"},
		{SQL: "EXECUTE m2msafe_undo", Why: "the same"},
	}
}

// change is the column for what changes it.
func (c *column) change() *column {
	if c.before == nil {
		before := *c
		c.before = &before
	}
	return c
}

// retype leaves a default out that may be no value of the new type.
func (m *mysql) retype(_ *maker, t *table, c, key *column) change {
	if why := t.unmodifiable(c); why != "" {
		return cannot(why)
	}
	if isNumeric(c.typ) && key.collation != "" {
		return cannot("As a number it is joined with each text that means it, 7 with 007, and as a text with one alone: which text each is to be has to be written by hand.")
	}
	old := c.change().before
	if c.typ, c.collation = key.typ, key.collation; old.collation != "" && c.collation == "" {
		c.value = ""
	}
	back := ""
	if old.collation != "" && c.collation == "" {
		back = "; texts come back as the other type writes them, 05 as 5"
	}
	return change{
		fix:  m.strict(m.alter(t, "writes the table anew, and nobody writes to it meanwhile: choose a quiet hour", "MODIFY COLUMN "+m.define(*c))),
		undo: m.strict(m.alter(t, "the type that it had"+back, "MODIFY COLUMN "+m.define(*old))),
	}
}

// unmodifiable says why there is no MODIFY of a column; "" if there is.
func (t *table) unmodifiable(c *column) string {
	if c.generated != "" {
		return c.name + " is a generated column, and what changes it has to be written by hand."
	}
	return t.unalterable
}

// supported are the clauses that keep foreign keys supplied with an index when one goes
// away, and those that take them back.
func (m *mysql) supported(mk *maker, t *table, x *index) (add, drop []string) {
	for _, f := range t.foreign {
		left := slices.ContainsFunc(t.planned.indexed, func(c []string) bool { return begin(c, f.columns) }) ||
			slices.ContainsFunc(t.indexes, func(other *index) bool { return other != x && !other.idle && begin(other.columns, f.columns) })
		if begin(x.columns, f.columns) && !left {
			name := m.quote(mk.name(t.schema, append([]string{"idx", t.name}, f.columns...)...))
			add = append(add, "ADD INDEX "+name+" ("+names(m, "", f.columns)+")")
			drop = append(drop, "DROP INDEX "+name)
		}
	}
	return add, drop
}

// implied are the clauses that take away what the database made for a foreign key by
// itself, and takes away by itself once another index does, and those that bring it back.
func (m *mysql) implied(t *table, columns []string) (take, give []string) {
	for _, f := range t.foreign {
		for _, x := range t.indexes {
			if !x.unique && !x.idle && slices.Equal(x.columns, f.columns) && !slices.Contains(take, "DROP INDEX "+m.quote(x.name)) && begin(columns, f.columns) && (x.name == f.name || x.name == f.columns[0]) {
				take = append(take, "DROP INDEX "+m.quote(x.name))
				give = append(give, "ADD INDEX "+m.quote(x.name)+" ("+names(m, "", x.columns)+")")
			}
		}
	}
	return take, give
}

func (m *mysql) unique(mk *maker, t *table, columns []string, s *soft) change {
	if len(minus(t.partition, columns)) > 0 {
		return cannot("The table is partitioned by columns that are not the pair's, and has unique keys only with those in them.")
	}
	if t.unalterable != "" {
		return cannot(t.unalterable)
	}
	if i := slices.IndexFunc(columns, func(name string) bool { return isLob(t.column(name).typ) }); i >= 0 && !m.maria {
		return cannot("There can't be one as long as " + columns[i] + " is of the type " + t.column(columns[i]).typ + ", of which a key has the beginning alone.")
	}
	name := m.quote(mk.name(t.schema, append([]string{"uq", t.name}, columns...)...))
	add, drop := []string{}, []string{"DROP INDEX " + name}
	why := "the key that was missing. If a pair was stored twice meanwhile it fails: audit again"
	key := columns
	if s != nil {
		flag := m.free(t, "m2msafe_living")
		key = append(slices.Clone(columns), flag)
		add = append(add, "ADD COLUMN "+m.quote(flag)+" TINYINT GENERATED ALWAYS AS (CASE WHEN "+living(m, "", s)+" THEN 1 END) VIRTUAL")
		drop = append(drop, "DROP COLUMN "+m.quote(flag))
		why = "the key of the living rows: the new column is 1 in them and NULL in deleted ones, which no key keeps apart; writers wait while the table is written anew"
	}
	take, give := m.implied(t, columns)
	add = append(append(add, "ADD UNIQUE INDEX "+name+" ("+names(m, "", key)+")"), take...)
	return change{
		fix:  []Statement{m.alter(t, why, add...)},
		undo: []Statement{m.back(t, "takes the key away", append(give, drop...)...)},
	}
}

func (m *mysql) index(mk *maker, t *table, columns []string) change {
	name := m.quote(mk.name(t.schema, append([]string{"idx", t.name}, columns...)...))
	return change{
		fix:  []Statement{m.alter(t, "writers go on while it is built", "ADD INDEX "+name+" ("+names(m, "", columns)+")")},
		undo: []Statement{m.back(t, "takes the index away", "DROP INDEX "+name)},
	}
}

func (m *mysql) drop(mk *maker, t *table, x *index) change {
	take, give := "DROP INDEX "+m.quote(x.name), "ADD UNIQUE INDEX "+m.quote(x.name)+" ("+x.parts+")"
	if x.primary {
		take, give = "DROP PRIMARY KEY", "ADD PRIMARY KEY ("+x.parts+")"
	}
	if strings.Contains(x.parts, m.quote("")) {
		return cannot("It is made of an expression: what takes it away and brings it back has to be written by hand.")
	}
	add, drop := m.supported(mk, t, x)
	return change{
		fix:  []Statement{m.alter(t, "takes "+x.name+" away", append(add, take)...)},
		undo: []Statement{m.back(t, "makes "+x.name+" as it was", append([]string{give}, drop...)...)},
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
	for i, c := range e.columns { // what mends that has come before, if anything does
		if key := e.to.column(e.references[i]); key != nil && m.differ(t.column(c), key, true) != "" {
			return cannot("There can't be one as long as " + c + " has another type than the key.")
		}
	}
	name := m.quote(mk.name(t.schema, append(append([]string{"fk", t.name}, e.columns...), e.to.name)...))
	add := []string{"ADD CONSTRAINT " + name + " FOREIGN KEY (" + names(m, "", e.columns) + ") REFERENCES " + m.table(e.to) + " (" + names(m, "", e.references) + ")" + action}
	drop := []string{"DROP FOREIGN KEY " + name}
	led := slices.ContainsFunc(t.planned.indexed, func(c []string) bool { return begin(c, e.columns) })
	if !t.led(e.columns) && !led {
		index := m.quote(mk.name(t.schema, append([]string{"idx", t.name}, e.columns...)...))
		t.planned.indexed = append(t.planned.indexed, e.columns)
		add = append([]string{"ADD INDEX " + index + " (" + names(m, "", e.columns) + ")"}, add...)
		drop = append(drop, "DROP INDEX "+index)
	}
	if i := slices.IndexFunc(t.indexes, func(x *index) bool { return !x.unique && !x.idle && slices.Equal(x.columns, e.columns) }); m.maria && i >= 0 {
		// MariaDB made it for a foreign key that is gone, perhaps: then the new one's takes its place.
		drop = append(drop, "DROP INDEX "+name, "ADD INDEX "+m.quote(t.indexes[i].name)+" ("+names(m, "", e.columns)+")")
	}
	return change{
		fix:  []Statement{m.alter(t, "looks at all rows, and writes the table anew; writers wait meanwhile; if it fails, links to nothing were made meanwhile: audit again"+deletes(action), add...)},
		undo: []Statement{m.back(t, "takes the foreign key away", drop...)},
	}
}
