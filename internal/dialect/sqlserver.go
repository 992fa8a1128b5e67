package dialect

import (
	"slices"
	"strconv"

	"gorm.io/gorm/clause"
)

// SQLServer links by plain statements in one transaction, as [SQLite] does: what
// Find says stays true until the transaction ends.
//
// Why it is right, under each isolation level. Find reads the join table WITH
// (UPDLOCK, HOLDLOCK): that locks each pair that is stored, and of one that is not
// the range of the key in which it would be, until the transaction ends; two
// transactions do not both get an update lock (learn.microsoft.com, Table hints;
// Transaction locking and row versioning guide, Key-range locking). Without an index on
// the pair that is the table. Write is a MERGE WITH (HOLDLOCK) on the pair, never
// a plain INSERT: it asks once more, under the same locks, and another unique key's
// conflict stays an error. Transactions whose pairs interleave can wait for each
// other in a circle (1205): then one of them is to be run again.
type SQLServer struct{}

// maxServer is how many parameters a statement takes.
const maxServer = 2100

// Chunk is how many rows fit under that, with room for what all rows share.
func (SQLServer) Chunk(columns int) int {
	return max(1, min(maxRows, (maxServer-100)/max(1, columns)))
}

// Parameters is the server's limit, less what a statement has besides its rows.
func (SQLServer) Parameters() int { return maxServer - 100 }

// Find says how each row stands, and keeps it so.
func (s SQLServer) Find(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("SELECT n, s FROM (SELECT r.n, CASE")
	SQLite{}.missing(w, c.Owner, NoOwner)
	SQLite{}.missing(w, c.Target, NoTarget)
	w.storedLocked(c, " WITH (UPDLOCK, HOLDLOCK)", func() {})
	w.sql(" ELSE 'n' END AS s FROM ")
	s.asked(w, c, false)
	w.sql(") AS f WHERE s <> 'e'")
	return nil
}

// Write inserts the rows.
func (s SQLServer) Write(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("MERGE INTO ")
	w.table(c.Table)
	w.sql(" WITH (HOLDLOCK) AS j USING ")
	s.asked(w, c, true)
	w.sql(" ON ")
	w.samePair(c)
	w.sql(" WHEN NOT MATCHED BY TARGET THEN INSERT (")
	w.insertColumns(c)
	w.sql(") VALUES (")
	w.list(len(c.Refs), ", ", func(i int) { w.sql("r.k", strconv.Itoa(i+1)) })
	for i, x := range c.Extra {
		w.sql(", ")
		if x.Rows != nil {
			w.sql("r.x", strconv.Itoa(i+1))
		} else {
			w.bind(x.Value)
		}
	}
	w.sql(");")
	return nil
}

// Revive brings the rows back to life.
func (s SQLServer) Revive(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("UPDATE j SET ")
	w.list(len(c.Revive), ", ", func(i int) {
		w.sql("j.")
		w.name(c.Revive[i].Column)
		w.sql(" = ")
		w.bind(c.Revive[i].Value)
	})
	w.sql(" FROM ")
	w.table(c.Table)
	w.sql(" AS j JOIN ")
	s.asked(w, c, false)
	w.sql(" ON ")
	w.samePair(c)
	w.sql(" WHERE NOT (")
	w.live(c.Live, "j.", true, "")
	w.sql(")")
	return nil
}

// Load reads columns of the rows back.
func (s SQLServer) Load(b clause.Builder, c *Call, columns []string) error {
	w := writer{b}
	w.loadFrom(c, columns, func() { s.asked(w, c, false) })
	return nil
}

// Lookup sends the keys as a derived table.
func (s SQLServer) Lookup(b clause.Builder, q *Lookup) error {
	w := writer{b}
	w.lookupFrom(q, func() { s.derived(w, q.N, q.Keys, columns("k", len(q.Keys)), q.Values) })
	w.sql(" ORDER BY r.n")
	return nil
}

// asked writes the call's rows as r (n, k1…, and to write x1…).
func (s SQLServer) asked(w writer, c *Call, write bool) {
	types, names, values := slices.Clone(c.Refs), columns("k", len(c.Refs)), slices.Clone(c.Keys)
	for i, x := range c.Extra {
		if x.Rows != nil && write {
			types, values = append(types, x.Column), append(values, x.Rows)
			names += ", x" + strconv.Itoa(i+1)
		}
	}
	s.derived(w, c.N, types, names, values)
}

// derived writes rows of values as r (n, names).
func (SQLServer) derived(w writer, n int, types []Column, names string, values [][]any) {
	w.sql("(VALUES ")
	w.list(n, ", ", func(row int) {
		w.sql("(", strconv.Itoa(row+1))
		for i, column := range values {
			value := column[min(row, len(column)-1)] // one that all rows share, or one a row
			w.sql(", ")
			if types[i].Type == "" {
				w.bind(value)
				continue
			}
			w.sql("CAST(")
			w.bind(value)
			w.sql(" AS ", types[i].Type, ")")
		}
		w.sql(")")
	})
	w.sql(") AS r (n, ", names, ")")
}
