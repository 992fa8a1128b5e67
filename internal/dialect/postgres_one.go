package dialect

import "strconv"

// one is Link of one pair whose ends foreign keys keep, as a transaction of its
// own (Call.Brief): the same conditions without the expressions that carry many
// rows, which cost the server more time than the work does. It gives a row if the
// pair was inserted, and if an end is missing: NoTarget, or else Unsettled, which
// Link looks into. A pair that is not in the statement's snapshot, and is not
// inserted though both ends are there, has met the arbiter's key: somebody was
// faster, and it is linked.
//
// An owner that is going to be updated is locked before the join row is inserted,
// as everywhere; the foreign keys' checks lock what else there is.
func (p Postgres) one(w writer, c *Call) error {
	o := onePair{writer: w, Call: c}
	w.sql("WITH m2m_owners AS (SELECT FROM ")
	w.table(c.Owner.Table)
	w.sql(" AS s WHERE NOT ")
	o.stored()
	w.sql(" AND ")
	o.end(c.Owner, "s")
	w.sql(" AND ")
	o.target()
	if len(c.Touch) > 0 {
		w.sql(" FOR ", c.Owner.Lock, " OF s")
	}
	w.sql("), m2m_written AS (INSERT INTO ")
	w.table(c.Table)
	w.sql(" AS m2m_join (")
	w.insertColumns(c)
	w.sql(") SELECT ")
	w.list(len(c.Refs), ", ", o.key)
	p.extra(w, c)
	w.sql(" FROM m2m_owners")
	w.onConflict(c.Arbiter, c.Where)
	w.sql(" RETURNING 1)")
	if len(c.Touch) > 0 {
		w.sql(", m2m_touched AS (UPDATE ")
		w.table(c.Owner.Table)
		w.sql(" AS s SET ")
		w.assign(c.Touch)
		w.sql(" WHERE ")
		o.end(c.Owner, "s")
		w.sql(" AND EXISTS (SELECT FROM m2m_written)")
		p.ownerLive(w, c)
		w.sql(")")
	}
	w.sql(" SELECT 1 AS n, CASE WHEN EXISTS (SELECT FROM m2m_written) THEN 'n' WHEN NOT ")
	o.target()
	w.sql(" THEN 't' ELSE 'u' END AS s")
	w.sql(" WHERE EXISTS (SELECT FROM m2m_written) OR NOT EXISTS (SELECT FROM m2m_owners) AND NOT ")
	o.stored()
	return o.err
}

// onePair writes a pair's keys: as parameters, and from the second time on by the
// parameters' numbers, which are those of the columns as nothing comes before them.
type onePair struct {
	writer
	*Call
	bound int
	err   error
}

func (o *onePair) key(i int) {
	if i < o.bound {
		o.sql("$", strconv.Itoa(i+1), "::", o.Refs[i].Type)
		return
	}
	o.bound++
	if err := o.scalar(o.Refs[i], o.Keys[i][0]); err != nil {
		o.err = err
	}
}

// stored is true if the pair is.
func (o *onePair) stored() {
	o.sql("EXISTS (SELECT FROM ")
	o.table(o.Table)
	o.sql(" AS j WHERE ")
	o.list(len(o.Refs), " AND ", func(i int) {
		o.sql("j.")
		o.name(o.Refs[i].Name)
		o.sql(" = ")
		o.key(i)
	})
	if len(o.Live) > 0 {
		o.sql(" AND ")
		o.live(o.Live, "j.", true, "")
	}
	o.sql(")")
}

// target is true if the target is stored.
func (o *onePair) target() {
	o.sql("EXISTS (SELECT FROM ")
	o.table(o.Target.Table)
	o.sql(" AS t WHERE ")
	o.end(o.Target, "t")
	o.sql(")")
}

// end is true of the row at one end.
func (o *onePair) end(s Side, as string) {
	o.list(len(s.Keys), " AND ", func(i int) {
		o.sql(as, ".")
		o.name(s.Keys[i])
		o.sql(" = ")
		o.key(s.Refs[i])
	})
}
