package dialect

import (
	"strconv"

	"gorm.io/gorm/clause"
)

// guardSlots is how many advisory locks a join table without a unique key has.
// Owners share them by hash, so that a call never holds more than these.
const guardSlots = 128

// Guard takes turns where no unique key does: advisory locks, until the end of
// the transaction, on the hashes of the pairs' first column. It is the same
// column whichever side appends, the locks are taken in one order, and the
// insert is a statement of its own behind them, so that under READ COMMITTED
// its snapshot has what the last holder committed. Its rows have the isolation
// level in front, because under REPEATABLE READ the snapshot is older than the
// lock and the order cannot be had.
//
// hash_array hashes by the type's own equality (citext, collations).
func (Postgres) Guard(b clause.Builder, c *Call) error {
	if !c.Guarded {
		return nil
	}
	w := writer{b}
	w.sql("SELECT current_setting('transaction_isolation') AS isolation, pg_advisory_xact_lock(CAST(CAST(")
	w.bind(c.Quoted)
	w.sql(" AS text) AS regclass)::oid::int, slot)::text FROM (SELECT DISTINCT hash_array(ARRAY[k]) & ",
		strconv.Itoa(guardSlots-1), " AS slot FROM unnest(")
	if err := w.array(c.Refs[0], c.Keys[0]); err != nil {
		return err
	}
	w.sql(") AS a (k) ORDER BY 1) AS slots")
	return nil
}

// Hold locks the owners.
func (p Postgres) Hold(b clause.Builder, c *Call) error {
	w, owner := writer{b}, c.Owner
	w.sql("WITH m2m_rows AS (SELECT r.* FROM ")
	if err := p.rows(w, c); err != nil {
		return err
	}
	w.sql(")")
	owner.Check, owner.Bound = true, false
	p.locked(w, c, owner, "m2m_owners")
	w.sql(" SELECT count(*) AS n FROM m2m_owners")
	return nil
}
