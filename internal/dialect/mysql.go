package dialect

import (
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm/clause"
)

// MySQL links in chunks of plain statements: Find says what is missing, Write
// inserts that.
//
// Why it is right, under each isolation level. No statement of the MySQL family
// passes over a conflict on one unique key alone: INSERT IGNORE hides every error,
// and ON DUPLICATE KEY UPDATE takes any key's conflict. So Write is a plain INSERT
// wherever a table has another unique key, or somebody asks which rows are new. It
// waits for a concurrent inserter of a pair; if that one commits, the INSERT fails
// with 1062, which takes back the statement and not the transaction, and leaves a
// shared lock on the row that it met (InnoDB; dev.mysql.com, InnoDB Locks Set by
// Different SQL Statements). Find then looks again, behind a locking read: that
// sees what is committed by now, whatever snapshot REPEATABLE READ has, and the row
// can't go away before the transaction ends. Pairs that have appeared are done with;
// if none has, another key was met, and its error is the caller's. The same look
// follows a foreign key's error (1452).
//
// Where nobody asks and the pair's key is the only one (Link.Sole), Write is one
// INSERT … ON DUPLICATE KEY UPDATE of a column by itself: nothing changes, only that
// key can be met, and foreign keys and NOT NULL still fail.
//
// Rows are inserted in the order of the pair's columns, which is the same from both
// sides. InnoDB locks gaps besides rows, so that two writers can still wait for each
// other in a circle (1213): then one of them is to be run again.
type MySQL struct {
	// ForUpdate says that the database has no shared locks (TiDB).
	ForUpdate bool
}

// maxMySQL is how many parameters a prepared statement takes.
const maxMySQL = 65535

// Chunk is how many rows fit under that, with room for what all rows share.
func (MySQL) Chunk(columns int) int {
	return max(1, min(maxRows, (maxMySQL-2*columns)/max(1, 3*columns))) // see catalog.MySQL: three a value
}

// Parameters is the limit of a prepared statement.
func (MySQL) Parameters() int { return maxMySQL }

// Races says that other connections write between Find and Write.
func (MySQL) Races() {}

// lock writes the end of a query whose rows are locked, as they are by now.
func (m MySQL) lock(w writer, l Lock) {
	switch {
	case l == NoLock:
	case l == ForUpdate || m.ForUpdate:
		w.sql(" FOR UPDATE")
	default:
		w.sql(" LOCK IN SHARE MODE")
	}
}

// Find says how each row stands.
func (m MySQL) Find(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("SELECT n, s FROM (SELECT r.n, CASE")
	for _, end := range []struct {
		Side
		state State
	}{{c.Owner, NoOwner}, {c.Target, NoTarget}} {
		if !end.Check {
			continue
		}
		w.sql(" WHEN NOT EXISTS (SELECT 1 FROM ")
		w.table(end.Table)
		w.sql(" AS s WHERE ")
		w.list(len(end.Keys), " AND ", func(i int) {
			w.sql("s.")
			w.name(end.Keys[i])
			w.sql(" = r.k", strconv.Itoa(end.Refs[i]+1))
		})
		m.lock(w, min(c.Lock, Shared))
		w.sql(") THEN '", string(end.state), "'")
	}
	w.storedLocked(c, "", func() { m.lock(w, c.Lock) })
	w.sql(" ELSE 'n' END AS s FROM ")
	m.asked(w, c)
	w.sql(") AS f WHERE s <> 'e'")
	return nil
}

// Write inserts the rows.
func (m MySQL) Write(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("INSERT INTO ")
	w.table(c.Table)
	w.sql(" (")
	w.insertColumns(c)
	w.sql(") VALUES ")
	for i, row := range m.order(c) {
		if i > 0 {
			w.sql(", ")
		}
		w.sql("(")
		w.list(len(c.Refs), ", ", func(ref int) { w.bind(c.Key(ref, row)) })
		for _, x := range c.Extra {
			w.sql(", ")
			if x.Rows != nil {
				w.bind(x.Rows[row])
			} else {
				w.bind(x.Value)
			}
		}
		w.sql(")")
	}
	if c.Quiet && c.Sole {
		w.sql(" ON DUPLICATE KEY UPDATE ")
		w.name(c.Refs[0].Name)
		w.sql(" = ")
		w.table(c.Table)
		w.sql(".")
		w.name(c.Refs[0].Name)
	}
	return nil
}

// Revive brings the rows back to life. They are locked already.
func (m MySQL) Revive(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("UPDATE ")
	w.table(c.Table)
	w.sql(" AS j JOIN ")
	m.asked(w, c)
	w.sql(" ON ")
	w.samePair(c)
	w.sql(" SET ")
	w.list(len(c.Revive), ", ", func(i int) {
		w.sql("j.")
		w.name(c.Revive[i].Column)
		w.sql(" = ")
		w.bind(c.Revive[i].Value)
	})
	w.sql(" WHERE NOT (")
	w.list(len(c.Live), " AND ", func(i int) {
		w.sql("j.")
		w.name(c.Live[i].Column)
		w.sql(" <=> ")
		w.bind(c.Live[i].Value)
	})
	w.sql(")")
	return nil
}

// Load reads columns of the rows back.
func (m MySQL) Load(b clause.Builder, c *Call, columns []string) error {
	w := writer{b}
	w.loadFrom(c, columns, func() { m.asked(w, c) })
	return nil
}

// Lookup sends the keys as a derived table.
func (m MySQL) Lookup(b clause.Builder, q *Lookup) error {
	w := writer{b}
	w.lookupFrom(q, func() {
		m.derived(w, q.N, q.Keys, q.Values)
	})
	w.sql(" ORDER BY r.n")
	m.lock(w, q.Lock)
	return nil
}

// Guard takes turns where no unique key does: it locks the rows that the pair's
// first column refers to, which are the same whichever side appends. A locking
// read behind it sees what the last holder has committed, under every isolation
// level. If these rows can't be looked up there is nothing to lock: ErrNoLock.
func (m MySQL) Guard(b clause.Builder, c *Call) error {
	side := c.Owner
	if !slices.Contains(side.Refs, 0) {
		side = c.Target
	}
	if !side.Check {
		return ErrNoLock
	}
	w := writer{b}
	m.locking(w, c, side)
	w.sql(" FOR UPDATE")
	return nil
}

// Hold locks the owners, for an update, and what of the other end comes before
// them in the one order: by tables' names, and by keys.
func (m MySQL) Hold(b clause.Builder, c *Call) error {
	w := writer{b}
	owner, target := c.Owner, c.Target
	switch {
	case c.Guarded || !target.Check || owner.Table < target.Table:
		m.locking(w, c, owner)
		w.sql(" FOR UPDATE")
	case owner.Table == target.Table:
		m.locking(w, c, owner, target)
		w.sql(" FOR UPDATE")
	default:
		w.sql("(")
		m.locking(w, c, target)
		m.lock(w, Shared)
		w.sql(") UNION ALL (")
		m.locking(w, c, owner)
		w.sql(" FOR UPDATE)")
	}
	return nil
}

// locking writes the query of the rows at ends of the pairs, of one table. InnoDB
// locks them in the order of the index that it walks; TiDB takes them in the order in
// which they are given.
func (m MySQL) locking(w writer, c *Call, ends ...Side) {
	w.sql("SELECT '' AS isolation, '' AS slot FROM ")
	w.table(ends[0].Table)
	w.sql(" AS s WHERE ")
	next, order := "", m.order(c)
	for _, s := range ends {
		rows := c.N
		if c.sharedSide(s) {
			rows = 1
		}
		w.sql(next, "(")
		w.names("s.", s.Keys...)
		w.sql(") IN (")
		w.list(rows, ", ", func(row int) {
			w.sql("(")
			w.list(len(s.Keys), ", ", func(i int) { w.bind(c.Key(s.Refs[i], order[row])) })
			w.sql(")")
		})
		w.sql(")")
		next = " OR "
	}
	w.sql(" ORDER BY ")
	w.names("s.", ends[0].Keys...)
}

// asked writes the call's rows (n, k1…) as a derived table r.
func (m MySQL) asked(w writer, c *Call) { m.derived(w, c.N, c.Refs, c.Keys) }

// derived writes rows of keys as a derived table r. Each value is made what its
// column would hold: a parameter in a derived table has no type of its own.
func (m MySQL) derived(w writer, n int, columns []Column, values [][]any) {
	w.sql("(")
	w.list(n, " UNION ALL ", func(row int) {
		w.sql("SELECT ", strconv.Itoa(row+1))
		if row == 0 {
			w.sql(" AS n")
		}
		for i, column := range values {
			w.sql(", ")
			parts := strings.Split(columns[i].Type, "?")
			w.list(len(parts), "", func(p int) {
				if p > 0 {
					w.bind(column[min(row, len(column)-1)]) // one that all rows share, or one a row
				}
				w.sql(parts[p])
			})
			if row == 0 {
				w.sql(" AS k", strconv.Itoa(i+1))
			}
		}
	})
	w.sql(") AS r")
}
