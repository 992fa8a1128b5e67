package dialect

import (
	"strconv"
	"strings"

	"gorm.io/gorm/clause"
)

// writer adds what all dialects write alike to a clause.Builder.
type writer struct{ clause.Builder }

// sql writes text as it is; %-free on purpose: values go through bind.
func (w writer) sql(parts ...string) {
	for _, p := range parts {
		_, _ = w.WriteString(p)
	}
}

// name writes a column's name, quoted.
func (w writer) name(column string) { w.WriteQuoted(clause.Column{Name: column}) }

// names writes quoted names between commas, each behind a prefix.
func (w writer) names(prefix string, columns ...string) {
	for i, c := range columns {
		if i > 0 {
			w.sql(", ")
		}
		w.sql(prefix)
		w.name(c)
	}
}

// table writes a table's name, quoted; GORM splits a schema off at the dot.
func (w writer) table(name string) { w.WriteQuoted(clause.Table{Name: name}) }

// bind writes a parameter.
func (w writer) bind(value any) { w.AddVar(w.Builder, value) }

// elsewhere is a Builder whose text goes elsewhere: a parameter can be bound once and
// written several times.
type elsewhere struct {
	clause.Builder
	text *strings.Builder
}

func (t elsewhere) WriteString(s string) (int, error) { return t.text.WriteString(s) }
func (t elsewhere) WriteByte(c byte) error            { return t.text.WriteByte(c) }

// list writes format(i) for i below n, with a separator between.
func (w writer) list(n int, separator string, item func(i int)) {
	for i := range n {
		if i > 0 {
			w.sql(separator)
		}
		item(i)
	}
}

// insertColumns writes the columns that a call inserts.
func (w writer) insertColumns(c *Call) {
	w.refs(c, "")
	for _, x := range c.Extra {
		w.sql(", ")
		w.name(x.Name)
	}
}

// live writes the condition that the row behind prefix is not soft-deleted, or
// its opposite; distinct is the dialect's "differs, NULL included".
func (w writer) live(live []Assign, prefix string, is bool, distinct string) {
	w.list(len(live), map[bool]string{true: " AND ", false: " OR "}[is], func(i int) {
		w.sql(prefix)
		w.name(live[i].Column)
		switch v := live[i].Value; {
		case v == nil && is:
			w.sql(" IS NULL")
		case v == nil:
			w.sql(" IS NOT NULL")
		case is:
			w.sql(" = ")
			w.bind(v)
		default:
			w.sql(" ", distinct, " ")
			w.bind(v)
		}
	})
}

// load reads columns of the rows that m2m_asked names.
func (w writer) load(c *Call, columns []string) {
	w.sql(" ")
	w.loadFrom(c, columns, func() { w.sql("m2m_asked AS r") })
}

// loadFrom is the same of the rows that asked writes.
func (w writer) loadFrom(c *Call, columns []string, asked func()) {
	w.sql("SELECT ")
	w.names("j.", columns...)
	w.sql(" FROM ")
	asked()
	w.sql(" JOIN ")
	w.table(c.Table)
	w.sql(" AS j ON ")
	w.samePair(c)
	w.sql(" ORDER BY r.n")
}

// samePair is the condition that a join row j is the pair of a row r.
func (w writer) samePair(c *Call) {
	w.list(len(c.Refs), " AND ", func(i int) {
		w.sql("j.")
		w.name(c.Refs[i].Name)
		w.sql(" = r.k", strconv.Itoa(i+1))
	})
	// Dead rows of the pair may stand beside the living one.
	if len(c.Live) > 0 && !c.Dead {
		w.sql(" AND ")
		w.live(c.Live, "j.", true, "")
	}
}

// stored writes the cases of a row r, of the call, whose pair is stored: linked
// ('e'), or dead.
func (w writer) stored(c *Call) { w.storedLocked(c, "", func() {}) }

// storedLocked is the same, with a hint behind the table's name and what is to stand
// behind each query.
func (w writer) storedLocked(c *Call, hint string, lock func()) {
	exists := func(live bool, state string) {
		w.sql(" WHEN EXISTS (SELECT 1 FROM ")
		w.table(c.Table)
		w.sql(" AS j", hint, " WHERE ")
		w.samePair(c)
		if live && c.Dead {
			w.sql(" AND ")
			w.live(c.Live, "j.", true, "")
		}
		lock()
		w.sql(") THEN '", state, "'")
	}
	exists(true, "e")
	if c.Dead {
		exists(false, string(Dead))
	}
}

// onConflict passes over a row that meets the arbiter's key. Without an arbiter
// nothing is tolerated.
func (w writer) onConflict(arbiter []string, where string) {
	if len(arbiter) == 0 {
		return
	}
	w.sql(" ON CONFLICT (")
	w.names("", arbiter...)
	w.sql(")")
	if where != "" {
		w.sql(" WHERE ", where)
	}
	w.sql(" DO NOTHING")
}

// revive writes the update of the dead rows whose pairs the source has; not an
// upsert, because that would check the constraints of the row it does not
// insert.
func (w writer) revive(c *Call, source, distinct string) {
	w.sql("UPDATE ")
	w.table(c.Table)
	w.sql(" AS m2m_join SET ")
	w.assign(c.Revive)
	w.sql(" WHERE (")
	w.refs(c, "m2m_join.")
	w.sql(") IN (SELECT ", columns("k", len(c.Refs)), " FROM ", source, ") AND (")
	w.live(c.Live, "m2m_join.", false, distinct)
	w.sql(")")
}

// assign writes what an update sets.
func (w writer) assign(assigns []Assign) {
	w.list(len(assigns), ", ", func(i int) {
		w.name(assigns[i].Column)
		w.sql(" = ")
		w.bind(assigns[i].Value)
	})
}

// refs writes the pair's columns.
func (w writer) refs(c *Call, prefix string) {
	w.list(len(c.Refs), ", ", func(i int) {
		w.sql(prefix)
		w.name(c.Refs[i].Name)
	})
}

// columns is k1, k2, … up to n.
func columns(letter string, n int) string {
	var out string
	for i := range n {
		if i > 0 {
			out += ", "
		}
		out += letter + strconv.Itoa(i+1)
	}
	return out
}
