package dialect

import (
	"strconv"
	"strings"
)

// few is up to how many rows the planner is not shown how many there are.
// PostgreSQL keeps a prepared statement's plan if it costs no more than one made
// for the values at hand; with the length of an array in view it always costs
// more, and a statement that takes 0.1 ms is planned for 0.3 ms at each call.
// Behind a subquery the length is 10 to the planner, each time. More rows than
// this are worth a plan of their own.
const few = 64

// rows writes the rows of the call (k1…, x1…, n) as a FROM item r: columns in
// which all rows are alike as one parameter, the others as one array each.
func (p Postgres) rows(w writer, c *Call) error {
	var arrays []string
	w.sql("(SELECT ")
	for i, ref := range c.Refs {
		if !c.shared(i) {
			arrays = append(arrays, "k"+strconv.Itoa(i+1))
			continue
		}
		if err := w.scalar(ref, c.Keys[i][0]); err != nil {
			return err
		}
		w.sql(" AS k", strconv.Itoa(i+1), ", ")
	}
	for i, x := range c.Extra {
		if x.Rows != nil {
			arrays = append(arrays, "x"+strconv.Itoa(i+1))
		}
	}
	if len(arrays) == 0 {
		w.sql("CAST(1 AS bigint) AS n) AS r")
		return nil
	}
	hide, next := [2]string{}, ""
	if c.N <= few {
		hide = [2]string{"(SELECT ", ")"}
	}
	w.sql("a.* FROM unnest(")
	for i, ref := range c.Refs {
		if c.shared(i) {
			continue
		}
		w.sql(next, hide[0])
		if err := w.keys(c, i, ref); err != nil {
			return err
		}
		w.sql(hide[1])
		next = ", "
	}
	for _, x := range c.Extra {
		if x.Rows == nil {
			continue
		}
		w.sql(next, hide[0])
		if err := w.array(x.Column, x.Rows); err != nil {
			return err
		}
		w.sql(hide[1])
		next = ", "
	}
	w.sql(") WITH ORDINALITY AS a (", strings.Join(arrays, ", "), ", n)) AS r")
	return nil
}

// found writes the rows that are not linked yet as m2m_new, and as m2m_unable
// (n, s) those that can't be linked, if there may be any. What is linked already
// is found first: a foreign key keeps its two ends, and they need no lock; an
// end that nothing keeps is looked for in any case.
func (p Postgres) found(w writer, c *Call) (unable bool, err error) {
	w.sql("WITH ")
	loose := c.Owner.Check && !c.Owner.Bound || c.Target.Check && !c.Target.Bound
	if loose {
		w.sql("m2m_rows AS (SELECT r.* FROM ")
		if err := p.rows(w, c); err != nil {
			return false, err
		}
		w.sql("), ")
	}
	w.sql("m2m_new AS (SELECT r.*")
	if c.Dead {
		w.sql(", EXISTS (SELECT 1 FROM ")
		w.table(c.Table)
		w.sql(" AS j WHERE ")
		w.samePair(c)
		w.sql(") AS dead")
	}
	w.sql(" FROM ")
	if loose {
		w.sql("m2m_rows AS r")
	} else if err := p.rows(w, c); err != nil {
		return false, err
	}
	w.sql(" WHERE ")
	w.notStored(c)
	w.sql(")")
	p.locked(w, c, c.Owner, "m2m_owners")
	p.locked(w, c, c.Target, "m2m_targets")
	unable = c.Owner.Check || c.Target.Check || c.Dead
	if !unable {
		return false, nil
	}
	w.sql(", m2m_unable AS (")
	next := ""
	for _, side := range []struct {
		Side
		locked string
		state  State
	}{{c.Owner, "m2m_owners", NoOwner}, {c.Target, "m2m_targets", NoTarget}} {
		if side.Check {
			w.sql(next)
			p.missing(w, side.Side, side.locked, side.state)
			next = " UNION ALL "
		}
	}
	if c.Dead {
		w.sql(next, "SELECT n, 'd' AS s FROM m2m_new WHERE dead")
	}
	w.sql(")")
	return true, nil
}

// notStored is the condition that a row r, of the call, is not linked.
func (w writer) notStored(c *Call) {
	w.sql("NOT EXISTS (SELECT 1 FROM ")
	w.table(c.Table)
	w.sql(" AS j WHERE ")
	w.samePair(c)
	if c.Dead {
		w.sql(" AND ")
		w.live(c.Live, "j.", true, "")
	}
	w.sql(")")
}

// source is where the rows stand whose end on a side is looked for.
func (s Side) source() string {
	if s.Bound {
		return "m2m_new"
	}
	return "m2m_rows"
}

// locked writes the expression that locks the rows of one side that are stored,
// in key order.
func (p Postgres) locked(w writer, c *Call, s Side, as string) {
	if !s.Check || s.Lock == "" {
		return
	}
	w.sql(", ", as, " AS (SELECT ")
	w.names("s.", s.Keys...)
	w.sql(" FROM ")
	w.table(s.Table)
	w.sql(" AS s WHERE (")
	w.names("s.", s.Keys...)
	if c.sharedSide(s) {
		w.sql(") = (SELECT ", s.columns(), " FROM ", s.source(), " LIMIT 1)")
	} else {
		w.sql(") IN (SELECT ", s.columns(), " FROM ", s.source(), ") ORDER BY ", ordinals(len(s.Keys)))
	}
	w.sql(" FOR ", s.Lock, " OF s)")
}

// missing writes the query of the rows whose end on one side is not stored.
func (p Postgres) missing(w writer, s Side, locked string, state State) {
	w.sql("SELECT n, '", string(state), "' AS s FROM ", s.source(), " AS r WHERE NOT EXISTS (SELECT 1 FROM ")
	if s.Lock != "" {
		w.sql(locked)
	} else {
		w.table(s.Table)
	}
	w.sql(" AS s WHERE ")
	w.list(len(s.Keys), " AND ", func(i int) {
		w.sql("s.")
		w.name(s.Keys[i])
		w.sql(" = r.k", strconv.Itoa(s.Refs[i]+1))
	})
	w.sql(")")
}
