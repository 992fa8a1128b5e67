package dialect

import "strings"

// single says whether a call is one row that is linked or not: the statement for
// that needs no row source, no order and nothing to tell rows apart by.
func (c *Call) single() bool {
	for i := range c.Refs {
		if !c.shared(i) {
			return false
		}
	}
	return c.N == 1 && !c.Dead
}

// linkOne is Link for one row. Its expressions have fewer parts than Link's,
// because starting and ending each part of a plan is most of what a statement
// that finds a link costs, and say the same:
//
//	m2m_new      how the one row stands, if it is not linked; no row if it is
//	m2m_written  the insert, if it can be linked
//	m2m_touched  the owner's auto-update time, if it was written
//
// The order in which other connections see it is Link's. What follows a WHERE is
// evaluated only for what passes it, CASE stops at the first case that holds, and
// none of the subselects refers to a row of the query around it, so each of them
// runs when, and only if, its answer is asked for, and once. So a row that is
// linked locks nothing; else the owner is locked in front of the target, both in
// front of the insert, whose source reads the answer, and the owner is updated
// behind it.
func (p Postgres) linkOne(w writer, c *Call) error {
	keys, err := w.placeholders(c)
	if err != nil {
		return err
	}
	w.sql("WITH m2m_new AS (SELECT ")
	if c.Owner.Check || c.Target.Check {
		w.sql("CASE")
		p.missingOne(w, c.Owner, keys, NoOwner)
		p.missingOne(w, c.Target, keys, NoTarget)
		w.sql(" ELSE 'n' END")
	} else {
		w.sql("'n'")
	}
	w.sql(" AS s WHERE NOT EXISTS (SELECT 1 FROM ")
	w.table(c.Table)
	w.sql(" AS j WHERE ")
	w.list(len(c.Refs), " AND ", func(i int) {
		w.sql("j.")
		w.name(c.Refs[i].Name)
		w.sql(" = ", keys[i])
	})
	if len(c.Live) > 0 { // dead rows of the pair may stand beside the living one
		w.sql(" AND ")
		w.live(c.Live, "j.", true, "")
	}
	w.sql(")")
	for _, s := range []Side{c.Owner, c.Target} {
		if s.Check && !s.Bound { // what nothing keeps stored is looked for in any case
			w.sql(" OR NOT EXISTS (")
			p.end(w, s, keys)
			w.sql(")")
		}
	}
	w.sql("), m2m_written AS (INSERT INTO ")
	w.table(c.Table)
	w.sql(" AS m2m_join (")
	w.insertColumns(c)
	w.sql(") SELECT ", strings.Join(keys, ", "))
	p.extra(w, c)
	w.sql(" FROM m2m_new WHERE s = 'n'")
	w.onConflict(c.Arbiter, c.Where)
	w.sql(" RETURNING 1)")
	if len(c.Touch) > 0 {
		w.sql(", m2m_touched AS (UPDATE ")
		w.table(c.Owner.Table)
		w.sql(" AS s SET ")
		w.assign(c.Touch)
		w.sql(" WHERE ")
		p.isEnd(w, c.Owner, keys)
		w.sql(" AND EXISTS (SELECT 1 FROM m2m_written)")
		p.ownerLive(w, c)
		w.sql(")")
	}
	n := "1"
	if c.Quiet {
		n = "CASE s WHEN 'n' THEN 0 ELSE 1 END"
	}
	w.sql(" SELECT ", n, " AS n, s FROM m2m_new WHERE s <> 'n' OR EXISTS (SELECT 1 FROM m2m_written)")
	return nil
}

// placeholders binds the keys of the one row, and returns how each is written:
// several times, always with its type.
func (w writer) placeholders(c *Call) ([]string, error) {
	keys := make([]string, len(c.Refs))
	for i, ref := range c.Refs {
		var text strings.Builder
		if err := (writer{elsewhere{w.Builder, &text}}).scalar(ref, c.Keys[i][0]); err != nil {
			return nil, err
		}
		keys[i] = text.String()
	}
	return keys, nil
}

// missingOne writes the case that one end is not stored, and locks it if it is.
func (p Postgres) missingOne(w writer, s Side, keys []string, state State) {
	if !s.Check {
		return
	}
	w.sql(" WHEN NOT EXISTS (")
	p.end(w, s, keys)
	if s.Lock != "" {
		w.sql(" FOR ", s.Lock, " OF s")
	}
	w.sql(") THEN '", string(state), "'")
}

// end writes the query of the row at one end.
func (p Postgres) end(w writer, s Side, keys []string) {
	w.sql("SELECT 1 FROM ")
	w.table(s.Table)
	w.sql(" AS s WHERE ")
	p.isEnd(w, s, keys)
}

func (p Postgres) isEnd(w writer, s Side, keys []string) {
	w.list(len(s.Keys), " AND ", func(i int) {
		w.sql("s.")
		w.name(s.Keys[i])
		w.sql(" = ", keys[s.Refs[i]])
	})
}
