package dialect

import "gorm.io/gorm/clause"

// PostgresPlain is for databases of several machines that speak PostgreSQL's
// protocol: CockroachDB, YugabyteDB, Citus. It links by two statements in a
// transaction, Find and an INSERT … ON CONFLICT DO NOTHING, and does without what
// one of the three lacks: advisory locks, row locks across shards, updates of a
// second table inside a query. Where they find a conflict with another transaction
// they fail with 40001, and the transaction is to be run again.
type PostgresPlain struct{ postgres Postgres }

// Chunk is 0: all rows in one statement.
func (PostgresPlain) Chunk(int) int { return 0 }

// Parameters is the extended protocol's limit.
func (p PostgresPlain) Parameters() int { return p.postgres.Parameters() }

// Returns says that Write and Revive give rows.
func (PostgresPlain) Returns() {}

// Find says how each row stands.
func (p PostgresPlain) Find(b clause.Builder, c *Call) error { return p.postgres.Find(b, c) }

// Write inserts the rows, but for those that meet another one.
func (p PostgresPlain) Write(b clause.Builder, c *Call) error { return p.postgres.Write(b, c) }

// Revive brings the rows back to life. Two transactions that do so with the same
// rows in another order may fail with 40001, or 40P01.
func (p PostgresPlain) Revive(b clause.Builder, c *Call) error {
	w := writer{b}
	w.sql("WITH m2m_new AS (SELECT r.* FROM ")
	if err := p.postgres.rows(w, c); err != nil {
		return err
	}
	w.sql("), m2m_written AS (")
	w.revive(c, "m2m_new", "IS DISTINCT FROM")
	p.postgres.returning(w, c)
	w.sql(") ")
	p.postgres.news(w, c, "d")
	return nil
}

// Load reads columns of the rows back.
func (p PostgresPlain) Load(b clause.Builder, c *Call, columns []string) error {
	return p.postgres.Load(b, c, columns)
}

// Lookup sends the keys as arrays.
func (p PostgresPlain) Lookup(b clause.Builder, q *Lookup) error { return p.postgres.Lookup(b, q) }

// Lockless says that there is nothing that all three can lock.
func (PostgresPlain) Lockless() {}
