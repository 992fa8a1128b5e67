package audit

import (
	"slices"
	"strings"
)

// anywhere says whether something is true of a token of a text and those behind it, in
// parentheses too.
func anywhere(text string, is func(all []token) bool) bool {
	all := tokens(text)
	for i, t := range all {
		if inner, ok := strings.CutPrefix(t.text, "("); ok && !t.quoted && anywhere(strings.TrimSuffix(inner, ")"), is) || is(all[i:]) {
			return true
		}
	}
	return false
}

// mentions says whether a statement names a table, or a thing that is called like it.
func mentions(statement, table string) bool {
	return anywhere(statement, func(all []token) bool { return strings.EqualFold(all[0].text, table) })
}

// qualifies says whether a statement has a column with its table's name in front.
func qualifies(statement, table string) bool {
	return anywhere(statement, func(all []token) bool {
		return len(all) > 1 && strings.EqualFold(all[0].text, table) && all[1].is(".")
	})
}

// says says whether a word is in a table's statement, and not in a comment or a text.
func (c *create) says(word string) bool {
	return slices.ContainsFunc(c.parts, func(part string) bool {
		return slices.ContainsFunc(tokens(part), func(t token) bool { return t.is(word) })
	})
}

// collation is a column's, if it holds texts.
func (c *create) collation(name string) string {
	i := c.column(name)
	if i < 0 {
		return ""
	}
	all := tokens(c.parts[i])
	for n := len(all) - 2; n > 0; n-- {
		if all[n].is("COLLATE") {
			return strings.ToUpper(all[n+1].text)
		}
	}
	return "BINARY"
}

// collate gives a column another collation.
func (c *create) collate(name, collation string) bool {
	i := c.column(name)
	if i < 0 {
		return false
	}
	all := tokens(c.parts[i])
	for n := len(all) - 2; n > 0; n-- {
		if all[n].is("COLLATE") {
			c.parts[i] = c.parts[i][:all[n].start] + c.parts[i][all[n+1].end:]
		}
	}
	if collation != "" && collation != "BINARY" {
		all = tokens(c.parts[i])
		end := all[len(all)-1].end
		c.parts[i] = c.parts[i][:end] + " COLLATE " + collation + c.parts[i][end:]
	}
	return true
}

// ifNotExists is the statement that makes an index, and nothing if it is there.
func ifNotExists(definition string) string {
	for _, t := range tokens(definition) {
		if t.is("INDEX") {
			return definition[:t.end] + " IF NOT EXISTS" + definition[t.end:]
		}
	}
	return definition
}

func isTrigger(definition string) bool {
	all := tokens(definition)
	return len(all) > 1 && all[1].is("TRIGGER") || len(all) > 2 && all[2].is("TRIGGER")
}

// runsOn says whether a trigger runs when a row is deleted, or what else a word says.
func runsOn(trigger, what string) bool {
	all := tokens(trigger)
	at := slices.IndexFunc(all, func(t token) bool { return t.is("TRIGGER") }) + 1
	if at > 0 && len(all) > at+3 && all[at].is("IF") && all[at+1].is("NOT") {
		at += 3
	}
	if at++; at+1 < len(all) && all[at].is(".") { // behind the name, which may be any word
		at += 2
	}
	for at < len(all) && all[at].is("BEFORE", "AFTER", "INSTEAD", "OF") {
		at++
	}
	return at < len(all) && all[at].is(what)
}

// folded is a name as SQLite compares it: A to Z are a to z, and no other letters are.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
