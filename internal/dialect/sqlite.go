package dialect

import (
	"slices"
	"strconv"

	"gorm.io/gorm/clause"
)

// SQLite links by chunks of plain statements in one transaction. There is one
// writer at a time, and Open makes it this one: what Find says stays true until
// the transaction ends, so Write needs no second look.
type SQLite struct{}

// maxParameters is SQLITE_MAX_VARIABLE_NUMBER since 3.32 (sqlite.org/limits.html).
const maxParameters = 32766

// maxRows bounds a statement's VALUES, so that an odd number of links does not
// make one more large statement for a prepared-statement cache.
const maxRows = 500

// Chunk is how many rows fit under SQLite's parameter limit, with room for the
// columns that all rows share.
func (SQLite) Chunk(columns int) int {
	return max(1, min(maxRows, (maxParameters-2*columns)/max(1, columns)))
}

// Parameters is SQLite's limit.
func (SQLite) Parameters() int { return maxParameters }

// Open takes the write lock before anything is read. A transaction that BEGIN
// left deferred, that reads first and writes then, gets SQLITE_BUSY at once if
// another connection wrote in between, whatever the time-out; one that starts
// with a write waits its turn (sqlite.org/lang_transaction.html, 2.2).
func (SQLite) Open(b clause.Builder, table, column string) {
	w := writer{b}
	w.sql("UPDATE ")
	w.table(table)
	w.sql(" SET ")
	w.name(column)
	w.sql(" = ")
	w.name(column)
	w.sql(" WHERE 0")
}

// Find says how each row stands. It looks for stored rows always: under the
// write lock the answer is final.
func (s SQLite) Find(b clause.Builder, c *Call) error {
	w := writer{b}
	s.asked(w, c, true)
	w.sql(" SELECT n, s FROM (SELECT r.n, CASE")
	s.missing(w, c.Owner, NoOwner)
	s.missing(w, c.Target, NoTarget)
	w.stored(c)
	w.sql(" ELSE 'n' END AS s FROM m2m_asked AS r) WHERE s <> 'e'")
	return nil
}

// Write inserts the rows.
func (s SQLite) Write(b clause.Builder, c *Call) error {
	w := writer{b}
	s.asked(w, c, false)
	w.sql(" INSERT INTO ")
	w.table(c.Table)
	w.sql(" AS m2m_join (")
	w.insertColumns(c)
	w.sql(") SELECT ", columns("k", len(c.Refs)))
	for i, x := range c.Extra {
		w.sql(", ")
		if x.Rows != nil {
			w.sql("x", strconv.Itoa(i+1))
		} else {
			w.bind(x.Value)
		}
	}
	w.sql(" FROM m2m_asked WHERE true") // WHERE: without it ON would read as a join's
	w.onConflict(c.Arbiter, c.Where)
	return nil
}

// Revive brings the rows back to life.
func (s SQLite) Revive(b clause.Builder, c *Call) error {
	w := writer{b}
	s.asked(w, c, true)
	w.sql(" ")
	w.revive(c, "m2m_asked", "IS NOT")
	return nil
}

// Load reads columns of the rows back.
func (s SQLite) Load(b clause.Builder, c *Call, columns []string) error {
	w := writer{b}
	s.asked(w, c, true)
	w.load(c, columns)
	return nil
}

// asked writes the call's rows as m2m_asked (n, k1…, and to write x1…).
func (s SQLite) asked(w writer, c *Call, find bool) {
	names, values := columns("k", len(c.Refs)), slices.Clone(c.Keys)
	for i, x := range c.Extra {
		if x.Rows != nil && !find {
			names += ", x" + strconv.Itoa(i+1)
			values = append(values, x.Rows)
		}
	}
	s.values(w, c.N, names, values)
}

// values writes rows of values as m2m_asked (n, names).
func (s SQLite) values(w writer, n int, names string, values [][]any) {
	w.sql("WITH m2m_asked (n, ", names, ") AS (VALUES ")
	w.list(n, ", ", func(row int) {
		w.sql("(", strconv.Itoa(row+1))
		for _, column := range values {
			w.sql(", ")
			w.bind(column[min(row, len(column)-1)]) // one that all rows share, or one a row
		}
		w.sql(")")
	})
	w.sql(")")
}

func (s SQLite) missing(w writer, side Side, state State) {
	if !side.Check {
		return
	}
	w.sql(" WHEN NOT EXISTS (SELECT 1 FROM ")
	w.table(side.Table)
	w.sql(" AS s WHERE ")
	w.list(len(side.Keys), " AND ", func(i int) {
		w.sql("s.")
		w.name(side.Keys[i])
		w.sql(" = r.k", strconv.Itoa(side.Refs[i]+1))
	})
	w.sql(") THEN '", string(state), "'")
}
