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
	Lock    Lock     // of a Racer's
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

// Upsert asks for one row, and inserts it if there is none.
type Upsert struct {
	*Lookup
	Row     []Extra  // the columns to insert
	Arbiter []string // conflict target
	Where   string   // predicate of the arbiter
}

// Upserter is a Dialect that does so in one statement. Its row is as of a
// lookup, with New for one that was inserted. There is none if the insert met a
// row that the statement's snapshot does not show.
type Upserter interface {
	Upsert(b clause.Builder, u *Upsert) error
}

// lookup writes the query behind m2m_asked. The database compares: its types,
// its collations.
func (w writer) lookup(q *Lookup) { w.lookupFrom(q, func() { w.sql("m2m_asked AS r") }) }

// lookupFrom is the same behind what asked writes.
func (w writer) lookupFrom(q *Lookup, asked func()) {
	w.sql("SELECT r.n AS m2m_n, ")
	if len(q.Live) == 0 {
		w.sql("'e'")
	} else {
		w.sql("CASE WHEN ")
		w.live(q.Live, "t.", true, "")
		w.sql(" THEN 'e' ELSE 'd' END")
	}
	w.sql(" AS m2m_s, ")
	w.names("t.", q.Columns...)
	w.sql(" FROM ")
	asked()
	w.sql(" JOIN ")
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
}

// Lookup sends the keys as arrays.
func (p Postgres) Lookup(b clause.Builder, q *Lookup) error {
	w := writer{b}
	if err := p.askedKeys(w, q); err != nil {
		return err
	}
	w.sql(" ")
	w.lookup(q)
	w.sql(" ORDER BY r.n")
	return nil
}

// Upsert is the lookup and, if it finds nothing, an insert that passes over a
// row of the same key: one that another connection commits meanwhile. Such an
// insert waits for that connection; what it has stored the next statement sees.
// Under REPEATABLE READ and SERIALIZABLE it is 40001.
func (p Postgres) Upsert(b clause.Builder, u *Upsert) error {
	w := writer{b}
	if err := p.askedKeys(w, u.Lookup); err != nil {
		return err
	}
	w.sql(", m2m_found AS (")
	w.lookup(u.Lookup)
	w.sql("), m2m_written AS (INSERT INTO ")
	w.table(u.Table)
	w.sql(" AS t (")
	w.list(len(u.Row), ", ", func(i int) { w.name(u.Row[i].Name) })
	w.sql(") SELECT ")
	w.list(len(u.Row), ", ", func(i int) {
		w.sql("CAST(")
		w.bind(u.Row[i].Value)
		w.sql(" AS ", u.Row[i].Type, ")")
	})
	w.sql(" WHERE NOT EXISTS (SELECT 1 FROM m2m_found)")
	w.onConflict(u.Arbiter, u.Where)
	w.sql(" RETURNING ")
	w.names("t.", u.Columns...)
	w.sql(") SELECT * FROM m2m_found UNION ALL SELECT 1, 'n', m2m_written.* FROM m2m_written")
	return nil
}

// askedKeys writes the asked rows as m2m_asked, an array a column.
func (Postgres) askedKeys(w writer, q *Lookup) error {
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
	return nil
}

// Lookup sends the keys as VALUES.
func (s SQLite) Lookup(b clause.Builder, q *Lookup) error {
	w := writer{b}
	s.values(w, q.N, columns("k", len(q.Keys)), q.Values)
	w.sql(" ")
	w.lookup(q)
	w.sql(" ORDER BY r.n")
	return nil
}
