package audit

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// predicate is the condition of a partial index.
func predicate(definition string) string { return catalog.Predicate(definition) }

// create is a CREATE TABLE statement, taken apart: what is in its parentheses, part by
// part, and what is behind them.
type create struct {
	parts []string
	tail  string
}

// token is a word, a name or a parenthesis with all that is in it, of a statement.
type token struct {
	text       string // a name without its quotes
	start, end int
	quoted     bool
}

func (t token) is(words ...string) bool {
	return !t.quoted && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, t.text) })
}

// tokens are those of a text of SQLite's, without space and comments.
func tokens(text string) []token {
	var all []token
	for i := 0; i < len(text); {
		end := i + length(text[i:])
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f', strings.HasPrefix(text[i:], "--"), strings.HasPrefix(text[i:], "/*"):
		case c == '(':
			for depth := 0; i < len(text); {
				n := length(text[i:])
				if text[i] == '(' {
					depth++
				}
				if text[i] == ')' {
					depth--
				}
				i += n
				if depth == 0 {
					break
				}
			}
			start := end - 1
			end = i
			all = append(all, token{text: text[start:end], start: start, end: end})
		case c == '"' || c == '`' || c == '[' || c == '\'':
			inner := strings.TrimSuffix(text[i+1:end], map[byte]string{'[': "]"}[c])
			if c != '[' {
				inner = strings.ReplaceAll(strings.TrimSuffix(inner, string(c)), string(c)+string(c), string(c))
			}
			all = append(all, token{text: inner, start: i, end: end, quoted: true})
		default:
			all = append(all, token{text: text[i:end], start: i, end: end})
		}
		i = end
	}
	return all
}

// length is how long what a text begins with is: a word, something in quotes, a comment,
// or one sign.
func length(text string) int {
	until := func(from int, end string) int {
		if i := strings.Index(text[from:], end); i >= 0 {
			return from + i + len(end)
		}
		return len(text)
	}
	switch c := text[0]; {
	case c == '"' || c == '`' || c == '\'':
		for i := 1; i < len(text); i++ {
			if text[i] != c {
				continue
			}
			if i+1 < len(text) && text[i+1] == c {
				i++
				continue
			}
			return i + 1
		}
		return len(text)
	case c == '[':
		return until(1, "]")
	case strings.HasPrefix(text, "--"):
		return until(2, "\n")
	case strings.HasPrefix(text, "/*"):
		return until(2, "*/")
	case isWordByte(c):
		n := 1
		for n < len(text) && isWordByte(text[n]) {
			n++
		}
		return n
	}
	return 1
}

// parseCreate takes a CREATE TABLE statement apart, nil if it is none.
func parseCreate(statement string) *create {
	for _, t := range tokens(statement) {
		if !strings.HasPrefix(t.text, "(") || t.quoted {
			continue
		}
		if !strings.HasSuffix(t.text, ")") {
			return nil
		}
		made := &create{tail: statement[t.end:]}
		inner, from := t.text[1:len(t.text)-1], 0
		for _, part := range tokens(inner) {
			if part.is(",") {
				made.parts = append(made.parts, inner[from:part.start])
				from = part.end
			}
		}
		made.parts = append(made.parts, inner[from:])
		return made
	}
	return nil
}

// statement makes the table under another name.
func (c *create) statement(name string) string {
	return "CREATE TABLE " + name + " (" + strings.Join(c.parts, ",") + ")" + c.tail
}

// column is the number of the part that defines a column, -1 if there is none.
func (c *create) column(name string) int {
	return slices.IndexFunc(c.parts, func(part string) bool {
		all := tokens(part)
		return len(all) > 0 && strings.EqualFold(all[0].text, name) && !all[0].is("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
	})
}

// definition is the text of a column's, without its name.
func (c *create) definition(name string) string {
	if i := c.column(name); i >= 0 {
		return c.parts[i][tokens(c.parts[i])[0].end:]
	}
	return ""
}

// constraints begin what stands behind a column's type.
var constraints = []string{"CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"}

// notNull puts NOT NULL behind a column's definition.
func (c *create) notNull(name string) bool {
	i := c.column(name)
	if i < 0 {
		return false
	}
	all := tokens(c.parts[i])
	for n := range all[1:] {
		if all[n].is("NOT") && all[n+1].is("NULL") {
			return true
		}
	}
	end := all[len(all)-1].end
	c.parts[i] = c.parts[i][:end] + " NOT NULL" + c.parts[i][end:]
	return true
}

// retype gives a column another type.
func (c *create) retype(name, typ string) bool {
	i := c.column(name)
	if i < 0 {
		return false
	}
	all := tokens(c.parts[i])
	from, to := all[0].end, all[0].end
	for _, t := range all[1:] {
		if t.is(constraints...) {
			break
		}
		to = t.end
	}
	c.parts[i] = c.parts[i][:from] + " " + typ + c.parts[i][to:]
	return true
}

// drop takes a UNIQUE or PRIMARY KEY of columns out, that is the table's or a column's.
func (c *create) drop(columns []string) bool {
	for i, part := range c.parts {
		all := tokens(part)
		if len(all) > 2 && all[0].is("CONSTRAINT") {
			all = all[2:]
		}
		if len(all) > 1 && all[0].is("PRIMARY") && all[1].is("KEY") {
			all = all[1:]
		}
		if len(all) > 1 && all[0].is("UNIQUE", "KEY") && slices.EqualFunc(listed(all[1].text), columns, strings.EqualFold) {
			c.parts = slices.Delete(c.parts, i, i+1)
			return true
		}
	}
	if len(columns) != 1 {
		return false
	}
	i := c.column(columns[0])
	if i < 0 {
		return false
	}
	all := tokens(c.parts[i])
	for n := 1; n < len(all); n++ {
		from, to := n, n
		if !all[n].is("UNIQUE") { // a primary key of one column stays
			continue
		}
		if to+3 < len(all) && all[to+1].is("ON") && all[to+2].is("CONFLICT") {
			to += 3
		}
		if n > 2 && all[n-2].is("CONSTRAINT") {
			from = n - 2
		}
		c.parts[i] = c.parts[i][:all[from].start] + c.parts[i][all[to].end:]
		return true
	}
	return false
}

// listed are the columns of a list in parentheses.
func listed(text string) []string {
	var names []string
	first := true
	for _, t := range tokens(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")")) {
		if first {
			names = append(names, t.text)
		}
		first = t.is(",")
	}
	return names
}

// foreignName is what a foreign key that begins with a column is called, "" for nothing.
func foreignName(t *table, column string) string {
	made := parseCreate(t.planned.sql)
	if made == nil {
		return ""
	}
	for _, part := range made.parts {
		all := tokens(part)
		if len(all) > 4 && all[0].is("CONSTRAINT") && all[2].is("FOREIGN") && strings.EqualFold(listed(all[4].text)[0], column) {
			return all[1].text
		}
	}
	return ""
}

// withoutRowid says whether a table's rows are told apart by its primary key alone.
func withoutRowid(t *table) bool {
	made := parseCreate(t.planned.sql)
	return made != nil && slices.ContainsFunc(tokens(made.tail), func(t token) bool { return t.is("WITHOUT") })
}

// rowid is a name of the number that SQLite gives each row, that no column has.
func rowid(t *table) string {
	for _, name := range []string{"rowid", "_rowid_"} {
		if !slices.ContainsFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) }) {
			return name
		}
	}
	return "oid"
}
