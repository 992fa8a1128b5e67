package audit

import (
	"fmt"
	"slices"
	"strings"
)

// uncached: MariaDB remembers what a subquery said about a value, and takes values for one
// that are equal by the column's collation, whatever the subquery compares by (10.11).
const uncached = "optimizer_switch = 'subquery_cache=off'"

// careful is what a statement with such a subquery begins with.
func (m *mysql) careful(mixed bool) string {
	if m.maria && mixed {
		return "SET STATEMENT " + uncached + " FOR "
	}
	return ""
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
		number = "m2msafe_row"
		invisible := "" // to an INSERT that names no columns
		if m.maria {
			invisible = " INVISIBLE"
		}
		if t.column(number) == nil { // else a fix that failed has left it
			c.fix = append(c.fix, m.alter(t, "tells the rows apart, which have no key; writers wait while the table is written anew", "ADD COLUMN "+m.quote(number)+" BIGINT UNSIGNED NOT NULL"+invisible+" AUTO_INCREMENT", "ADD INDEX ("+m.quote(number)+")"))
		}
		columns = minus(columns, []string{number})
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
		condition = "(" + names(m, "", row) + ") IN (" + r.extra(m, t, quoted) + ")" + r.stays(m)
	}
	// A server may want each table to have a primary key; a Galera cluster has use for it.
	id := m.quote(m.free(t, "m2msafe_removed"))
	c.fix = append(c.fix,
		Statement{SQL: m.careful(r.mixed) + "CREATE TABLE " + kept + " (" + id + " BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY) AS SELECT " + names(m, "j", copied) + " FROM " + m.table(t) + " AS j WHERE " + condition, Why: "keeps the rows that are removed next; who writes to the table waits until all of it is read"},
		Statement{SQL: m.careful(r.mixed) + "DELETE j FROM " + m.table(t) + " AS j JOIN " + kept + " AS r ON " + m.same("j", "r", copied) + m.still(t, r, kept, row), Why: r.why})
	if number != "" {
		c.fix = append(c.fix, m.alter(t, "it has done its work", "DROP COLUMN "+m.quote(number)))
	}
	c.undo = []Statement{
		{SQL: "INSERT INTO " + m.table(t) + " (" + names(m, "", columns) + ") SELECT " + names(m, "", columns) + " FROM " + kept, Why: "puts the removed rows back"},
		{SQL: "DROP TABLE " + kept, Why: "they are kept no longer"},
	}
	if r.against != nil {
		c.undo = slices.Concat(
			[]Statement{{SQL: "SET SESSION foreign_key_checks = 0", Why: "for rows that a foreign key would refuse"}},
			c.undo,
			[]Statement{{SQL: "SET SESSION foreign_key_checks = 1", Why: "as it is by default"}})
	}
	return c
}

// same is the condition that two rows are the same in all columns.
func (m *mysql) same(a, b string, columns []string) string {
	match := make([]string, len(columns))
	for i, name := range columns {
		match[i] = a + "." + m.quote(name) + " <=> " + b + "." + m.quote(name)
	}
	return strings.Join(match, " AND ")
}

// still is what has to be true of a row when it is removed, some time after it was copied:
// others may have written meanwhile. One row of a pair has to stay.
func (m *mysql) still(t *table, r removal, kept string, row []string) string {
	if r.pair == nil {
		return " WHERE " + r.where
	}
	return " JOIN " + m.table(t) + " AS s ON " + m.same("s", "j", r.pair) + and(living(m, "s", r.soft)) +
		" LEFT JOIN " + kept + " AS g ON " + m.same("g", "s", row) + " WHERE g." + m.quote(row[0]) + " IS NULL" + r.stays(m)
}

// free is a name that no column of the table has.
func (*mysql) free(t *table, name string) string {
	free := name
	for n := 2; t.column(free) != nil; n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	return free
}
