package dialect

import (
	"strconv"

	"gorm.io/gorm/clause"
)

// Postgres links in one statement, whatever the number of rows: each column
// travels as one array parameter, or as one value where all rows have the same,
// so there is no parameter limit and a handful of texts serve any number of
// links.
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
// A foreign-key check is done at the end of the statement, when the join rows are
// in. It would abort the transaction if the owner or target were deleted after the
// snapshot, and it would wait for a transaction that changes or has locked one of
// them: which may wait for one of these join rows. So both ends are locked first
// (FOR KEY SHARE, the lock that the check itself takes, in key order): a row whose
// deletion commits in the meantime drops out of the locked set, is reported as not
// stored, and nothing is written. Owners that the call is going to update are
// locked as that update will (FOR NO KEY UPDATE). So all calls take owners and
// targets before join rows.
//
// Under REPEATABLE READ and SERIALIZABLE, a conflict with a row that the
// snapshot does not show is 40001, from the database, for the caller to retry.
type Postgres struct{}

// Chunk is 0: all rows in one statement.
func (Postgres) Chunk(int) int { return 0 }

// Parameters is the extended protocol's limit.
func (Postgres) Parameters() int { return 65535 }

// Returns says that Write and Revive give rows.
func (Postgres) Returns() {}

// Find says how each row stands.
func (p Postgres) Find(b clause.Builder, c *Call) error {
	w := writer{b}
	unable, err := p.found(w, c)
	if err != nil {
		return err
	}
	w.sql(" SELECT n, 'n' AS s FROM m2m_new")
	if unable {
		w.sql(" UNION ALL SELECT n, s FROM m2m_unable")
	}
	return nil
}

// Write inserts the rows, but for those that meet another one.
func (p Postgres) Write(b clause.Builder, c *Call) error {
	w := writer{b}
	if c.Count {
		return p.counted(w, c)
	}
	w.sql("WITH m2m_new AS (SELECT r.* FROM ")
	if err := p.rows(w, c); err != nil {
		return err
	}
	w.sql(")")
	p.written(w, c, false)
	w.sql(" ")
	p.news(w, c, "n")
	return nil
}

// Link is Find and Write in one.
func (p Postgres) Link(b clause.Builder, c *Call) error {
	w := writer{b}
	if c.single() {
		return p.linkOne(w, c)
	}
	unable, err := p.found(w, c)
	if err != nil {
		return err
	}
	p.written(w, c, unable)
	p.touched(w, c)
	w.sql(" ")
	if unable {
		w.sql("SELECT n, s FROM m2m_unable UNION ALL ")
	}
	p.news(w, c, "n")
	return nil
}

// Revive locks the dead rows in the one order before it updates them, in which
// order the update does not say. A row that comes to life or goes away
// meanwhile drops out.
func (p Postgres) Revive(b clause.Builder, c *Call) error {
	const distinct = "IS DISTINCT FROM"
	w := writer{b}
	w.sql("WITH m2m_new AS (SELECT r.* FROM ")
	if err := p.rows(w, c); err != nil {
		return err
	}
	keys := columns("k", len(c.Refs))
	w.sql("), m2m_dead (", keys, ") AS (SELECT ")
	w.refs(c, "j.")
	w.sql(" FROM ")
	w.table(c.Table)
	w.sql(" AS j WHERE (")
	w.refs(c, "j.")
	w.sql(") IN (SELECT ", keys, " FROM m2m_new) AND (")
	w.live(c.Live, "j.", false, distinct)
	w.sql(") ORDER BY ", ordinals(len(c.Refs)), " FOR UPDATE OF j), m2m_written AS (")
	w.revive(c, "m2m_dead", distinct)
	p.returning(w, c)
	w.sql(") ")
	p.news(w, c, "d")
	return nil
}

// Load reads columns of the rows back.
func (p Postgres) Load(b clause.Builder, c *Call, columns []string) error {
	w := writer{b}
	w.sql("WITH m2m_asked AS (SELECT r.* FROM ")
	if err := p.rows(w, c); err != nil {
		return err
	}
	w.sql(")")
	w.load(c, columns)
	return nil
}

// written writes the insert as an expression of its own, m2m_written: of all new
// rows, or of none. DISTINCT ON leaves one of the keys that differ in Go and are
// equal to the database (citext), which nothing else would keep apart where
// there is no arbiter; ORDER BY is the one order of all writers.
func (p Postgres) written(w writer, c *Call, unable bool) {
	w.sql(", m2m_written AS (")
	p.inserted(w, c)
	w.sql(" FROM m2m_new")
	if unable {
		w.sql(" WHERE NOT EXISTS (SELECT 1 FROM m2m_unable)")
	}
	p.inOrder(w, c)
	p.returning(w, c)
	w.sql(")")
}

// counted is a Write that gives no rows. An expression that nothing refers to is not
// evaluated, so each of the locks is asked for its number of rows, once, in front of
// the first row; what is not stored the foreign keys say.
func (p Postgres) counted(w writer, c *Call) error {
	w.sql("WITH m2m_new AS (SELECT r.* FROM ")
	if err := p.rows(w, c); err != nil {
		return err
	}
	if !c.Blind {
		w.sql(" WHERE ")
		w.notStored(c)
	}
	w.sql(")")
	p.locked(w, c, c.Owner, "m2m_owners")
	p.locked(w, c, c.Target, "m2m_targets")
	w.sql(" ")
	p.inserted(w, c)
	w.sql(" FROM m2m_new")
	next := " WHERE "
	for _, end := range []struct {
		Side
		locked string
	}{{c.Owner, "m2m_owners"}, {c.Target, "m2m_targets"}} {
		if end.Check && end.Lock != "" {
			w.sql(next, "(SELECT count(*) FROM ", end.locked, ") >= 0")
			next = " AND "
		}
	}
	p.inOrder(w, c)
	return nil
}

// inserted writes an insert up to what the rows come from.
func (p Postgres) inserted(w writer, c *Call) {
	keys := columns("k", len(c.Refs))
	w.sql("INSERT INTO ")
	w.table(c.Table)
	w.sql(" AS m2m_join (")
	w.insertColumns(c)
	w.sql(") SELECT ")
	if len(c.Arbiter) == 0 {
		w.sql("DISTINCT ON (", keys, ") ")
	}
	w.sql(keys)
	p.extra(w, c)
}

// inOrder writes the end of an insert.
func (p Postgres) inOrder(w writer, c *Call) {
	w.sql(" ORDER BY ", columns("k", len(c.Refs)))
	w.onConflict(c.Arbiter, c.Where)
}

// extra writes the values of the columns beyond the pair.
func (p Postgres) extra(w writer, c *Call) {
	for i, x := range c.Extra {
		w.sql(", CAST(")
		if x.Rows != nil {
			w.sql("x", strconv.Itoa(i+1))
		} else {
			w.bind(x.Value)
		}
		w.sql(" AS ", x.Type, ")")
	}
}

func (p Postgres) returning(w writer, c *Call) {
	w.sql(" RETURNING ")
	w.list(len(c.Refs), ", ", func(i int) {
		w.sql("m2m_join.")
		w.name(c.Refs[i].Name)
		w.sql(" AS k", strconv.Itoa(i+1))
	})
}

// touched writes the update of the owner, if a row was written. It holds the
// owner's lock since m2m_owners.
func (p Postgres) touched(w writer, c *Call) {
	if len(c.Touch) == 0 {
		return
	}
	w.sql(", m2m_touched AS (UPDATE ")
	w.table(c.Owner.Table)
	w.sql(" AS s SET ")
	w.assign(c.Touch)
	w.sql(" WHERE (")
	w.names("s.", c.Owner.Keys...)
	w.sql(") = (SELECT ", c.Owner.columns(), " FROM m2m_written LIMIT 1)")
	p.ownerLive(w, c)
	w.sql(")")
}

func (p Postgres) ownerLive(w writer, c *Call) {
	if len(c.OwnerLive) > 0 {
		w.sql(" AND ")
		w.live(c.OwnerLive, "s.", true, "")
	}
}

// news writes the query of the rows that were written, or of one row numbered 0
// if nobody asks which.
func (p Postgres) news(w writer, c *Call, state string) {
	if c.Quiet {
		w.sql("(SELECT 0 AS n, '", state, "' AS s FROM m2m_written LIMIT 1)")
		return
	}
	w.sql("SELECT r.n, '", state, "' AS s FROM m2m_new AS r JOIN m2m_written AS w ON ")
	next := ""
	for i := range c.Refs {
		if !c.shared(i) {
			k := ".k" + strconv.Itoa(i+1)
			w.sql(next, "w", k, " = r", k)
			next = " AND "
		}
	}
	if next == "" {
		w.sql("true")
	}
}

// columns are those of the rows that belong to the side.
func (s Side) columns() string {
	var out string
	for i, ref := range s.Refs {
		if i > 0 {
			out += ", "
		}
		out += "k" + strconv.Itoa(ref+1)
	}
	return out
}

// ordinals is 1, 2, … up to n.
func ordinals(n int) string { return columns("", n) }
