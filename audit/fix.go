package audit

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// writer is what an engine's statements look like.
type writer interface {
	quote(name string) string
	table(t *table) string
	limit() int // of a name, in bytes; 0 for none
	// alive are the values that a column of soft deletion may have in a living row; lives
	// is the condition of one.
	alive(c column) []string
	lives(name string, c column) string
	// compare is the condition that an end's column and a join row's are equal, whatever
	// their types.
	compare(end, join string, of, with *column) string
	// text is a column as what two of can be compared, whatever its type.
	text(name string, c *column) string
	// lax says that rows can be older than a foreign key, or go past it.
	lax() bool
	// differ says what is different about a join column's type and its key's, "" if
	// nothing that matters.
	differ(c, key *column, declared bool) string
	// soften is what has to be said about the key of living rows, "" if nothing.
	soften() string

	remove(m *maker, t *table, r removal) change
	notNull(m *maker, t *table, columns []string) change
	unique(m *maker, t *table, columns []string, s *soft) change
	index(m *maker, t *table, columns []string) change
	drop(m *maker, t *table, x *index) change
	undefer(m *maker, t *table, x *index) change
	foreign(m *maker, t *table, e link, action string) change
	validate(m *maker, t *table, f *foreignKey) change
	retype(m *maker, t *table, c, key *column) change
}

// change is what mends something, and what takes that back.
type change struct {
	fix, undo []Statement
	cannot    string // why there is no such thing
}

// then is one change after another.
func (c change) then(d change) change {
	all := change{append(slices.Clone(c.fix), d.fix...), append(slices.Clone(d.undo), c.undo...), c.cannot}
	if all.cannot == "" {
		all.cannot = d.cannot
	}
	return all
}

// deletes says what a foreign key's action does.
func deletes(action string) string {
	if strings.Contains(action, "CASCADE") {
		return "; a row that is deleted there takes its links with it"
	}
	return ""
}

func cannot(why string) change { return change{cannot: why} }

// maker has what the changes of a run have in common: the names that are taken.
type maker struct {
	d     *database
	limit int // of a name, in bytes
}

const removedPrefix = "m2msafe_removed_"

// planned is what earlier fixes of a run have made of a table.
type planned struct {
	sql     string   // SQLite: the statement that makes it
	extras  []string // and those of its indexes and triggers
	indexed [][]string
}

// name is one that nothing has yet, short enough for the database: of a long one there
// is the beginning, and a sum of it all.
func (m *maker) name(schema string, parts ...string) string {
	whole := strings.Join(parts, "_")
	for n := 1; ; n++ {
		name := whole
		if n > 1 {
			name = fmt.Sprintf("%s_%d", whole, n)
		}
		if m.limit > 0 && len(name) > m.limit {
			sum := fnv.New32a()
			_, _ = sum.Write([]byte(name))
			name = fmt.Sprintf("%s_%08x", cut(whole, m.limit-9), sum.Sum32())
		}
		if key := schema + "." + strings.ToLower(name); !m.d.taken[schema+"."+name] && !m.d.taken[key] {
			m.d.taken[key] = true
			return name
		}
	}
}

// cut is the beginning of a text, at most n bytes of it, and no half character.
func cut(text string, n int) string {
	for n > 0 && n < len(text) && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:min(n, len(text))]
}

// literal is a text in a statement.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
