package dialect

import (
	"strconv"

	"gorm.io/gorm/clause"
)

// Postgres links in one statement, whatever the number of rows: each column
// travels as one array parameter, so one statement text serves any number of
// links and there is no parameter limit.
//
// Why it is right, READ COMMITTED first. Rows are inserted in the order of the
// pair's columns, which the plan fixes for the table, whichever side appends;
// ON CONFLICT waits for a concurrent inserter of the same pair, and since all
// statements walk the pairs in one order no two can wait for each other. After
// the wait either the other row is there (nothing to do), or its inserter has
// rolled back (ours goes in). A pair that the statement's snapshot shows as
// linked may be unlinked by another transaction before ours commits, and so may
// one that the insert meets: that is the order "append, then delete".
//
// A foreign-key check is done at the end of the statement and would abort the
// transaction if the owner or target were deleted after the snapshot. So both
// are locked first (FOR KEY SHARE, the lock that the check itself takes, in key
// order): a row whose deletion commits in the meantime drops out of the locked
// set, is reported as not stored, and nothing is written. Owners that the call
// is going to update are locked as that update will (FOR NO KEY UPDATE), so that
// all calls take an owner before its join rows.
//
// Under REPEATABLE READ and SERIALIZABLE, a conflict with a row that the
// snapshot does not show is 40001, from the database, for the caller to retry.
type Postgres struct{}

// Chunk is 0: all rows in one statement.
func (Postgres) Chunk(int) int { return 0 }

// Parameters is the extended protocol's limit.
func (Postgres) Parameters() int { return 65535 }

// Find says how each row stands.
func (p Postgres) Find(b clause.Builder, c *Call) error {
	w := writer{b}
	if err := p.asked(w, c, true); err != nil {
		return err
	}
	w.sql(" SELECT n, s FROM m2m_asked WHERE s <> 'e'")
	return nil
}

// Write inserts the rows, but for those that meet another one.
func (p Postgres) Write(b clause.Builder, c *Call) error {
	w := writer{b}
	if err := p.asked(w, c, false); err != nil {
		return err
	}
	p.written(w, c, "")
	w.sql(" SELECT a.n, 'n' AS s FROM m2m_asked AS a")
	p.joinWritten(w, c)
	return nil
}

// Link is Find and Write in one.
func (p Postgres) Link(b clause.Builder, c *Call) error {
	w := writer{b}
	if err := p.asked(w, c, true); err != nil {
		return err
	}
	unable := "'o', 't'"
	if c.Dead {
		unable = "'o', 't', 'd'"
	}
	p.written(w, c, " WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ("+unable+"))")
	w.sql(" SELECT n, s FROM m2m_asked WHERE s IN (", unable, ") UNION ALL SELECT a.n, a.s FROM m2m_asked AS a")
	p.joinWritten(w, c)
	return nil
}

// Revive locks the dead rows in the one order before it updates them, in which
// order the update does not say. A row that comes to life or goes away
// meanwhile drops out.
func (p Postgres) Revive(b clause.Builder, c *Call) error {
	const distinct = "IS DISTINCT FROM"
	w := writer{b}
	if err := p.asked(w, c, false); err != nil {
		return err
	}
	keys := columns("k", len(c.Refs))
	w.sql(", m2m_dead (", keys, ") AS (SELECT ")
	w.refs(c, "j.")
	w.sql(" FROM ")
	w.table(c.Table)
	w.sql(" AS j WHERE (")
	w.refs(c, "j.")
	w.sql(") IN (SELECT ", keys, " FROM m2m_asked) AND (")
	w.live(c.Live, "j.", false, distinct)
	w.sql(") ORDER BY ", ordinals(len(c.Refs)), " FOR UPDATE OF j), m2m_written AS (")
	w.revive(c, "m2m_dead", distinct)
	p.returning(w, c)
	w.sql(") SELECT a.n, 'd' AS s FROM m2m_asked AS a")
	p.joinWritten(w, c)
	return nil
}

// Load reads columns of the rows back.
func (p Postgres) Load(b clause.Builder, c *Call, columns []string) error {
	w := writer{b}
	if err := p.asked(w, c, false); err != nil {
		return err
	}
	w.load(c, columns)
	return nil
}

// rows writes the first common table expression, the rows of the call (k1…, x1…,
// n).
func (p Postgres) rows(w writer, c *Call, as string) error {
	w.sql("WITH ", as, " AS (SELECT * FROM unnest(")
	for i, ref := range c.Refs {
		if i > 0 {
			w.sql(", ")
		}
		if err := w.array(ref, c.Keys[i]); err != nil {
			return err
		}
	}
	for _, x := range c.Extra {
		if x.Rows != nil {
			w.sql(", ")
			if err := w.array(x.Column, x.Rows); err != nil {
				return err
			}
		}
	}
	w.sql(") WITH ORDINALITY AS a (", columns("k", len(c.Refs)))
	for i, x := range c.Extra {
		if x.Rows != nil {
			w.sql(", x", strconv.Itoa(i+1))
		}
	}
	w.sql(", n))")
	return nil
}

// asked writes the rows as m2m_asked, and with find their state s. What is
// linked already is found first: a foreign key keeps its two ends, and they need
// no lock.
func (p Postgres) asked(w writer, c *Call, find bool) error {
	if !find {
		return p.rows(w, c, "m2m_asked")
	}
	if err := p.rows(w, c, "m2m_rows"); err != nil {
		return err
	}
	w.sql(", m2m_known AS (SELECT r.*, CASE")
	w.stored(c)
	w.sql(" ELSE 'n' END AS p FROM m2m_rows AS r)")
	p.stored(w, c.Owner, "m2m_owners")
	p.stored(w, c.Target, "m2m_targets")
	w.sql(", m2m_asked AS (SELECT r.*, ")
	if c.Owner.Check || c.Target.Check {
		w.sql("CASE")
		p.missing(w, c.Owner, "o", NoOwner)
		p.missing(w, c.Target, "t", NoTarget)
		w.sql(" ELSE r.p END")
	} else {
		w.sql("r.p")
	}
	w.sql(" AS s FROM m2m_known AS r")
	p.joinStored(w, c.Owner, "m2m_owners", "o")
	p.joinStored(w, c.Target, "m2m_targets", "t")
	w.sql(")")
	return nil
}

// stored writes the expression that has the keys of one side that are stored.
func (p Postgres) stored(w writer, s Side, as string) {
	if !s.Check {
		return
	}
	w.sql(", ", as, " AS (SELECT ")
	w.names("s.", s.Keys...)
	w.sql(" FROM ")
	w.table(s.Table)
	w.sql(" AS s WHERE (")
	w.names("s.", s.Keys...)
	w.sql(") IN (SELECT ", s.columns(""), " FROM m2m_known")
	if s.Bound {
		w.sql(" WHERE p <> 'e'")
	}
	w.sql(")")
	if s.Lock != "" {
		w.sql(" ORDER BY ", ordinals(len(s.Keys)), " FOR ", s.Lock, " OF s")
	}
	w.sql(")")
}

// joinStored joins it to the rows; DISTINCT because a reference need not be
// unique in its table.
func (p Postgres) joinStored(w writer, s Side, from, as string) {
	if !s.Check {
		return
	}
	w.sql(" LEFT JOIN (SELECT DISTINCT ")
	w.names("", s.Keys...)
	w.sql(" FROM ", from, ") AS ", as, " ON ")
	w.list(len(s.Keys), " AND ", func(i int) {
		w.sql(as, ".")
		w.name(s.Keys[i])
		w.sql(" = r.k", strconv.Itoa(s.Refs[i]+1))
	})
}

func (p Postgres) missing(w writer, s Side, as string, state State) {
	if !s.Check {
		return
	}
	w.sql(" WHEN ")
	if s.Bound {
		w.sql("r.p <> 'e' AND ")
	}
	w.sql(as, ".")
	w.name(s.Keys[0])
	w.sql(" IS NULL THEN '", string(state), "'")
}

// written writes the insert as an expression of its own, m2m_written. DISTINCT
// ON leaves one of the keys that differ in Go and are equal to the database
// (citext), which nothing else would keep apart where there is no arbiter; its
// ORDER BY is the one order of all writers.
func (p Postgres) written(w writer, c *Call, where string) {
	keys := columns("k", len(c.Refs))
	w.sql(", m2m_written AS (INSERT INTO ")
	w.table(c.Table)
	w.sql(" AS m2m_join (")
	w.insertColumns(c)
	w.sql(") SELECT DISTINCT ON (", keys, ") ", keys)
	for i, x := range c.Extra {
		w.sql(", CAST(")
		if x.Rows != nil {
			w.sql("x", strconv.Itoa(i+1))
		} else {
			w.bind(x.Value)
		}
		w.sql(" AS ", x.Type, ")")
	}
	w.sql(" FROM m2m_asked", where, " ORDER BY ", keys)
	w.onConflict(c.Arbiter, c.Where)
	p.returning(w, c)
	w.sql(")")
}

func (p Postgres) returning(w writer, c *Call) {
	w.sql(" RETURNING ")
	w.list(len(c.Refs), ", ", func(i int) {
		w.sql("m2m_join.")
		w.name(c.Refs[i].Name)
		w.sql(" AS k", strconv.Itoa(i+1))
	})
}

// joinWritten joins what was written to the rows a.
func (p Postgres) joinWritten(w writer, c *Call) {
	w.sql(" JOIN m2m_written AS w ON ")
	w.list(len(c.Refs), " AND ", func(i int) {
		k := ".k" + strconv.Itoa(i+1)
		w.sql("w", k, " = a", k)
	})
}

func (s Side) columns(prefix string) string {
	var out string
	for i, ref := range s.Refs {
		if i > 0 {
			out += ", "
		}
		out += prefix + "k" + strconv.Itoa(ref+1)
	}
	return out
}

// ordinals is 1, 2, … up to n.
func ordinals(n int) string { return columns("", n) }
