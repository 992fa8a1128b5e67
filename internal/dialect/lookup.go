package dialect

import (
	"strconv"

	"gorm.io/gorm/clause"
)

// Lookup asks for rows of a table by a unique key.
type Lookup struct {
	Table   string
	Columns []string // what to read of each row
	Keys    []Column // the key's columns
	N       int
	Values  [][]any  // a slice a column of Keys, with a value an asked row
	Live    []Assign // what a row has that is not soft-deleted
}

// Finder is a Dialect that looks rows up. Its rows are (m2m_n, m2m_s, columns):
// the number of the asked row, from 1, and 'e' for a living row or Dead. Of one
// key several dead rows may come.
type Finder interface {
	Lookup(b clause.Builder, q *Lookup) error
}

// Cut returns the asked rows from from up to to.
func (q *Lookup) Cut(from, to int) *Lookup {
	cut := *q
	cut.N = to - from
	cut.Values = make([][]any, len(q.Values))
	for i, v := range q.Values {
		cut.Values[i] = v[from:to]
	}
	return &cut
}

// lookup writes the query behind m2m_asked. The database compares: its types,
// its collations.
func (w writer) lookup(q *Lookup) {
	w.sql(" SELECT r.n AS m2m_n, ")
	if len(q.Live) == 0 {
		w.sql("'e'")
	} else {
		w.sql("CASE WHEN ")
		w.live(q.Live, "t.", true, "")
		w.sql(" THEN 'e' ELSE 'd' END")
	}
	w.sql(" AS m2m_s, ")
	w.names("t.", q.Columns...)
	w.sql(" FROM m2m_asked AS r JOIN ")
	w.table(q.Table)
	w.sql(" AS t ON ")
	w.list(len(q.Keys), " AND ", func(i int) {
		w.sql("t.")
		w.name(q.Keys[i].Name)
		w.sql(" = r.k", strconv.Itoa(i+1))
		if q.Keys[i].Collation != "" {
			w.sql(" COLLATE ")
			w.name(q.Keys[i].Collation)
		}
	})
	w.sql(" ORDER BY r.n")
}

// Lookup sends the keys as arrays.
func (Postgres) Lookup(b clause.Builder, q *Lookup) error {
	w := writer{b}
	w.sql("WITH m2m_asked AS (SELECT * FROM unnest(")
	for i, key := range q.Keys {
		if i > 0 {
			w.sql(", ")
		}
		if err := w.array(key, q.Values[i]); err != nil {
			return err
		}
	}
	w.sql(") WITH ORDINALITY AS a (", columns("k", len(q.Keys)), ", n))")
	w.lookup(q)
	return nil
}

// Lookup sends the keys as VALUES.
func (s SQLite) Lookup(b clause.Builder, q *Lookup) error {
	w := writer{b}
	s.values(w, q.N, columns("k", len(q.Keys)), q.Values)
	w.lookup(q)
	return nil
}
