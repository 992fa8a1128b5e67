package audit

import (
	"fmt"
	"slices"
	"strings"
)

// uncached: MariaDB remembers what a subquery said about a value, and takes values for one
// that are equal by the column's collation, whatever the subquery compares by (10.11).
const uncached = "optimizer_switch = 'subquery_cache=off'"

// careful is what a statement with such a subquery begins with. A text that is no number is
// compared with one here, which is an error in a statement that writes, where it is strict.
func (m *mysql) careful(mixed bool) string {
	if m.maria && mixed {
		return "SET STATEMENT " + uncached + ", sql_mode = '' FOR "
	}
	return ""
}

// rowNumber tells rows apart that have no key, for the time of the fix.
const rowNumber = "m2msafe_row"

// remove needs something that tells rows apart. Where there is none the table has it for
// the time of the fix: InnoDB numbers rows in the order in which they were inserted.
func (m *mysql) remove(mk *maker, t *table, r removal) change {
	if t.unalterable != "" {
		return cannot(t.unalterable)
	}
	kept := m.quote(mk.name(t.schema, removedPrefix+t.name))
	columns, row := t.stored(), t.identity()
	numbers := row == nil && r.pair != nil && (t.numbered() == "" || t.column(rowNumber) != nil)
	switch {
	case numbers:
		columns, row = minus(columns, []string{rowNumber}), []string{rowNumber}
	case row == nil && r.pair != nil: // it may have been given a number twice, but not to one pair
		row = append([]string{t.numbered()}, minus(r.pair, []string{t.numbered()})...)
	case row == nil:
		row = columns
	}
	copied := append(minus(row, columns), columns...)
	condition := r.where
	if r.pair != nil {
		quoted := make([]string, len(row))
		for i, name := range row {
			quoted[i] = m.quote(name)
		}
		condition = "(" + names(m, "", row) + ") IN (" + r.extra(m, t, quoted) + ")" + r.stays(m)
	}
	if t.untold {
		r.why += "; whether triggers of the table run then is not shown to this role: look there first"
	}
	// A server may want each table to have a primary key; a Galera cluster has use for it.
	made := kept + " (" + m.quote(m.free(t, "m2msafe_removed")) + " BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY" + m.keyOn(t, row) + ") AS SELECT "
	var c change
	switch {
	case numbers && t.column(rowNumber) != nil: // a fix that failed has left it
		for _, old := range t.leftovers(mk.d, copied) {
			c.fix = append(c.fix, m.forget(t, m.quote(old.name), copied, "a fix that failed kept these rows, and has not come to remove them; when "+rowNumber+" is gone its undo can't tell"))
		}
	case numbers:
		invisible := "" // to an INSERT that names no columns
		if m.maria {
			invisible = " INVISIBLE"
		}
		c.fix = append(c.fix, m.alter(t, "tells the rows apart, which have no key; writers wait while the table is written anew", "ADD COLUMN "+m.quote(rowNumber)+" BIGINT UNSIGNED NOT NULL"+invisible+" AUTO_INCREMENT", "ADD INDEX ("+m.quote(rowNumber)+")"))
	}
	c.fix = append(c.fix, m.lenient(r.mixed,
		Statement{SQL: m.careful(r.mixed) + "CREATE TABLE " + made + names(m, "j", copied) + " FROM " + m.table(t) + " AS j WHERE " + condition, Why: "keeps the rows that are removed next; who writes to the table waits until all of it is read"},
		Statement{SQL: m.careful(r.mixed) + "DELETE j FROM " + m.table(t) + " AS j JOIN " + kept + " AS r ON " + m.same("j", "r", copied) + m.still(t, r, kept, row), Why: r.why})...)
	c.fix = append(c.fix, m.forget(t, kept, row, "keeps none that was written to meanwhile, and so was not removed"))
	if numbers {
		c.fix = append(c.fix, m.alter(t, "it has done its work", "DROP COLUMN "+m.quote(rowNumber)))
	}
	c.undo = m.restore(t, r, kept, made, columns, copied, numbers)
	return c
}

// leftovers are the kept rows of fixes that failed, and whose numbers of rows the table has
// still: those that were made before are of other numbers.
func (t *table) leftovers(d *database, columns []string) (all []*table) {
	for _, old := range d.tables {
		rest, is := strings.CutPrefix(old.name, removedPrefix+t.name)
		if is && strings.Trim(rest, "_0123456789") == "" && t.made > 0 && old.made >= t.made && len(minus(columns, old.stored())) == 0 {
			all = append(all, old)
		}
	}
	return all
}

// restore is the undo of a removal. It may have stopped at any statement.
func (m *mysql) restore(t *table, r removal, kept, made string, columns, copied []string, numbers bool) []Statement {
	empty := names(m, "", copied)
	if numbers {
		empty = "CAST(0 AS UNSIGNED) AS " + empty
	}
	undo := []Statement{{SQL: "CREATE TABLE IF NOT EXISTS " + made + empty + " FROM " + m.table(t) + " WHERE FALSE", Why: "is there already, unless the fix has stopped before"}}
	insert := Statement{SQL: "INSERT INTO " + m.table(t) + " (" + names(m, "", columns) + ") SELECT " + names(m, "", columns) + " FROM " + kept, Why: "puts the removed rows back"}
	switch forget := m.forget(t, kept, copied, "what the fix has not come to remove is not put back"); {
	case numbers && m.maria:
		undo = append(undo, Statement{SQL: "ALTER TABLE " + m.table(t) + " ADD COLUMN IF NOT EXISTS " + m.quote(rowNumber) + " BIGINT UNSIGNED NULL INVISIBLE", Why: "is there already, if the fix has stopped between"}, forget, insert,
			m.back(t, "it has done its work", "DROP COLUMN "+m.quote(rowNumber)))
	case numbers:
		insert.Why += "; leave it out if the fix has not come to remove them, and drop the column " + rowNumber + " if it is left"
		undo = append(undo, insert)
	default:
		undo = append(append(undo, forget), m.zero(t, columns, insert)...)
	}
	undo = append(undo, Statement{SQL: "DROP TABLE " + kept, Why: "they are kept no longer"})
	if r.against != nil {
		undo = slices.Concat(
			[]Statement{{SQL: "SET SESSION foreign_key_checks = 0", Why: "for rows that a foreign key would refuse"}},
			undo,
			[]Statement{{SQL: "SET SESSION foreign_key_checks = 1", Why: "as it is by default"}})
	}
	return undo
}

// forget takes the rows out of those that are kept which the table still has.
func (m *mysql) forget(t *table, kept string, by []string, why string) Statement {
	return Statement{SQL: "DELETE r FROM " + kept + " AS r JOIN " + m.table(t) + " AS j ON " + m.same("j", "r", by), Why: why}
}

// lenient has statements run that compare texts with numbers, where careful can't.
func (m *mysql) lenient(mixed bool, all ...Statement) []Statement {
	if m.maria || !mixed {
		return all
	}
	return slices.Concat(
		[]Statement{{SQL: "SET @m2msafe_mode = @@SESSION.sql_mode, SESSION sql_mode = ''", Why: "lets a text that is no number be compared with one"}},
		all,
		[]Statement{{SQL: "SET SESSION sql_mode = @m2msafe_mode, @m2msafe_mode = NULL", Why: "as it was"}})
}

// zero has an INSERT store 0 in a column that numbers the rows, which else means the next
// number.
func (m *mysql) zero(t *table, columns []string, insert Statement) []Statement {
	const mode = "CONCAT('NO_AUTO_VALUE_ON_ZERO,', @@SESSION.sql_mode)"
	switch {
	case !slices.Contains(columns, t.numbered()):
		return []Statement{insert}
	case m.maria:
		insert.SQL = "SET STATEMENT sql_mode = " + mode + " FOR " + insert.SQL
		return []Statement{insert}
	}
	return []Statement{
		{SQL: "SET @m2msafe_mode = @@SESSION.sql_mode, SESSION sql_mode = " + mode, Why: "lets the number 0 come back as 0"},
		insert,
		{SQL: "SET SESSION sql_mode = @m2msafe_mode, @m2msafe_mode = NULL", Why: "as it was"},
	}
}

// keyOn is the key of kept rows by which each is found: its columns, of long texts the
// beginning.
func (m *mysql) keyOn(t *table, row []string) string {
	var parts []string
	for _, name := range row {
		part := m.quote(name)
		if c := t.column(name); c != nil && name != rowNumber {
			base, _, _ := strings.Cut(mysqlBase(c.typ), " ")
			known := isNumeric(c.typ) || isClosed(c.typ) || slices.Contains([]string{"date", "datetime", "timestamp", "time", "year", "bit"}, base)
			text := isLob(c.typ) || slices.Contains([]string{"char", "varchar", "binary", "varbinary"}, base)
			if !known && !text {
				continue
			}
			if text && (isLob(c.typ) || c.length > keyedText) {
				part += fmt.Sprintf("(%d)", keyedText)
			}
		}
		if parts = append(parts, part); len(parts) == keyedColumns {
			break
		}
	}
	if parts == nil {
		return ""
	}
	return ", KEY (" + strings.Join(parts, ", ") + ")"
}

// A key of so many texts of so many characters is short enough for each engine.
const keyedColumns, keyedText = 4, 48

// same is the condition that two rows are the same in all columns.
func (m *mysql) same(a, b string, columns []string) string {
	match := make([]string, len(columns))
	for i, name := range columns {
		match[i] = a + "." + m.quote(name) + " <=> " + b + "." + m.quote(name)
	}
	return strings.Join(match, " AND ")
}

// still is what has to be true of a row when it is removed, some time after it was copied:
// others may have written meanwhile. One row of a pair has to stay. Those that do are read
// once, and have a key on the pair, if they are compared by = alone.
func (m *mysql) still(t *table, r removal, kept string, row []string) string {
	if r.pair == nil {
		return " WHERE " + r.where
	}
	var selected, match []string
	for _, name := range r.pair {
		selected = append(selected, "s."+m.quote(name))
		match = append(match, "s."+m.quote(name)+" = j."+m.quote(name))
	}
	for i, name := range r.alike {
		alias := fmt.Sprintf("m2msafe_%d", i+1)
		selected = append(selected, m.text("s."+m.quote(name), t.column(name))+" AS "+alias)
		match = append(match, "s."+alias+" <=> "+m.text("j."+m.quote(name), t.column(name)))
	}
	return " JOIN (SELECT DISTINCT " + strings.Join(selected, ", ") + " FROM " + m.table(t) + " AS s LEFT JOIN " + kept + " AS g ON " + m.same("g", "s", row) +
		" WHERE g." + m.quote(row[0]) + " IS NULL" + and(living(m, "s", r.soft)) + ") AS s ON " + strings.Join(match, " AND ") + r.stays(m)
}

// numbered is the column that numbers the rows, "" if there is none.
func (t *table) numbered() string {
	for _, c := range t.columns {
		if strings.HasPrefix(c.modify, " AUTO_INCREMENT") {
			return c.name
		}
	}
	return ""
}

// free is a name that no column of the table has.
func (*mysql) free(t *table, name string) string {
	free := name
	for n := 2; t.column(free) != nil; n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	return free
}
