package audit

import (
	"regexp"
	"slices"
	"strings"
)

// soft is how rows of a table are deleted without going away: nil where they are not. A row
// lives if it does by each of the columns.
type soft struct {
	by []column
	// unclear says that a column's name is one of soft deletion, and that its type does not
	// tell which rows live.
	unclear bool
}

// deletedNames are what columns of soft deletion are called.
var deletedNames = []string{"deleted_at", "deleted_on", "delete_at", "deleted_time", "delete_time", "is_deleted", "is_delete", "deleted", "delete_flag",
	"deleted_flag", "del_flag", "is_del", "removed_at", "is_removed", "removed", "soft_deleted", "discarded_at", "discarded", "trashed_at", "trashed", "is_trashed"}

// softDeletion finds the columns by their names and types.
func softDeletion(t *table) *soft {
	var s *soft
	for _, c := range t.columns {
		all := words(c.name)
		if !slices.Contains(deletedNames, strings.Join(all, "_")) {
			continue
		}
		if s == nil {
			s = new(soft)
		}
		moment := slices.Contains([]string{"at", "on", "time"}, all[len(all)-1]) || isMoment(c.typ)
		s.by, s.unclear = append(s.by, c), s.unclear || !c.isFlag() && !(c.nullable && moment)
	}
	return s
}

// isMoment says whether a type is a date or a time.
func isMoment(typ string) bool {
	typ = strings.ToLower(typ)
	return strings.HasPrefix(typ, "date") || strings.HasPrefix(typ, "timestamp")
}

// unknown says what is not known of a soft deletion that is unclear.
func (s *soft) unknown() string {
	types := make([]string, len(s.by))
	for i, c := range s.by {
		types[i] = c.typ
	}
	return "Which rows live can't be told from the type of " + quoted(s.columns()) + ", " + quoted(types) + ", so what mends it has to be written by hand."
}

// softBy is that by the columns of names.
func softBy(t *table, names []string) *soft {
	var s soft
	for _, name := range names {
		if c := t.column(name); c != nil {
			s.by = append(s.by, *c)
		}
	}
	if s.by == nil {
		return nil
	}
	return &s
}

func (s *soft) columns() []string {
	if s == nil {
		return nil
	}
	var names []string
	for _, c := range s.by {
		names = append(names, c.name)
	}
	return names
}

func (s *soft) has(column string) bool { return slices.Contains(s.columns(), column) }

// integers are types of whole numbers, as databases call them: no point, interval or
// int4range.
var integers = regexp.MustCompile(`\b(tiny|small|medium|big)?int(eger|[248])?\b`)

// isFlag says whether a column of soft deletion is false or 0 in a living row, and not
// NULL.
func (c column) isFlag() bool {
	t := strings.ToLower(c.typ)
	return isBoolean(t) || isBit(t) || integers.MatchString(t) || t == "numeric"
}

// isBit: a bit varying has no number.
func isBit(typ string) bool { return typ == "bit" || strings.HasPrefix(typ, "bit(") }

// alive are the values that a column of soft deletion may have in a living row.
func (c column) alive() []string {
	switch {
	case c.nullable && c.isFlag():
		return []string{"NULL", "0"}
	case c.nullable:
		return []string{"NULL"}
	}
	return []string{"0"}
}

// lives is the condition of a living row.
func (c column) lives(name string) string {
	switch {
	case c.nullable && c.isFlag():
		return "COALESCE(" + name + ", 0) = 0"
	case c.nullable:
		return name + " IS NULL"
	}
	return name + " = 0"
}

func isBoolean(typ string) bool { return strings.HasPrefix(typ, "bool") }

// deadKey says whether a key's column takes a living row out of the key, or leaves it as
// it is: a generated column of soft-delete columns alone.
func (t *table) deadColumn(name string, s *soft) bool {
	c := t.column(name)
	return s != nil && c != nil && c.generated != "" && len(minus(t.mentioned(c.generated), s.columns())) == 0
}

// minusDead are a key's columns without those of soft deletion that are equal in all
// living rows: one that is NULL there keeps no two rows apart, and stays, unless NULLs
// count as equal.
func (t *table) minusDead(x *index, pair []string, s *soft) []string {
	return slices.DeleteFunc(slices.Clone(x.columns), func(name string) bool {
		if slices.Contains(pair, name) {
			return false
		}
		if name == "" { // an expression: see index.uses
			return true
		}
		if t.deadColumn(name, s) {
			return true
		}
		c := t.column(name)
		return s.has(name) && (!c.nullable || x.nullsEqual && len(c.alive()) == 1)
	})
}

// mentioned are the table's columns that an expression names.
func (t *table) mentioned(expression string) []string {
	var found []string
	for _, word := range identifiers(expression) {
		for _, c := range t.columns {
			if strings.EqualFold(c.name, word) && !slices.Contains(found, c.name) {
				found = append(found, c.name)
			}
		}
	}
	return found
}

// identifiers are the names in an expression, quoted or not, keywords among them.
func identifiers(expression string) []string {
	var all []string
	for i := 0; i < len(expression); {
		switch c := expression[i]; {
		case c == '\'':
			end := strings.IndexByte(expression[i+1:], '\'')
			if end < 0 {
				return all
			}
			i += end + 2
		case c == '"' || c == '`' || c == '[':
			mark := c
			if c == '[' {
				mark = ']'
			}
			end := strings.IndexByte(expression[i+1:], mark)
			if end < 0 {
				return all
			}
			all = append(all, expression[i+1:i+1+end])
			i += end + 2
		case isWordByte(c):
			from := i
			for i < len(expression) && isWordByte(expression[i]) {
				i++
			}
			all = append(all, expression[from:i])
		default:
			i++
		}
	}
	return all
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
