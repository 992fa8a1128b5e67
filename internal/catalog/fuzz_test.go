package catalog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// definition writes a CREATE INDEX statement, and beside it what Predicate should find.
// What it has to decide it takes from choices.
type definition struct {
	text, predicate strings.Builder
	choices         []byte
	hostile         string // what comments are made of
	inPredicate     bool
}

func (d *definition) choose(n int) int {
	if len(d.choices) == 0 {
		return 0
	}
	c := int(d.choices[0]) % n
	d.choices = d.choices[1:]
	return c
}

func (d *definition) write(text string) {
	d.text.WriteString(text)
	if d.inPredicate {
		d.predicate.WriteString(text)
	}
}

// word writes a keyword, and space or a comment behind it, for which Predicate leaves a
// space.
func (d *definition) word(text string) {
	if d.choose(2) == 1 {
		text = strings.ToLower(text)
	}
	d.write(text)
	d.space()
}

func (d *definition) space() {
	comment := ""
	switch d.choose(4) {
	case 1:
		comment = "--" + strings.ReplaceAll(d.hostile, "\n", "") + "\n"
	case 2:
		comment = "/*" + strings.ReplaceAll(d.hostile, "*/", "") + " */"
	case 3:
		d.write("\n\t")
		return
	}
	if comment == "" {
		d.write(" ")
		return
	}
	d.text.WriteString(comment)
	if d.inPredicate {
		d.predicate.WriteString(" ")
	}
}

// name writes a name in one of SQLite's four ways of quoting.
func (d *definition) name(name string) {
	switch mark := [...]string{`"`, "`", "'", "["}[d.choose(4)]; mark {
	case "[":
		d.write("[" + strings.ReplaceAll(name, "]", "") + "]")
	default:
		d.write(mark + strings.ReplaceAll(name, mark, mark+mark) + mark)
	}
	d.space()
}

// condition writes a predicate, with more of them in parentheses.
func (d *definition) condition(depth int, column, value string) {
	switch d.choose(4) {
	case 1:
		d.name(column)
		d.word("IS")
		d.word("NOT")
		d.word("NULL")
	case 2:
		d.name(column)
		d.write("=")
		d.space()
		d.write("'" + strings.ReplaceAll(value, "'", "''") + "'")
		d.space()
	case 3:
		if depth < 4 {
			d.write("(")
			d.condition(depth+1, column, value)
			d.word("AND")
			d.condition(depth+1, value, column)
			d.write(")")
			d.space()
			return
		}
		fallthrough
	default:
		d.name(column)
		d.write("<")
		d.space()
		d.write("1.5e3")
		d.space()
	}
}

// FuzzIndexDefinition: of a definition that is made from a description, the predicate is
// what was described, whatever stands in names, texts and comments. compat asks SQLite
// itself.
func FuzzIndexDefinition(f *testing.F) {
	f.Add("i", "t", "a", "x", " WHERE '", []byte(nil))
	f.Add(`i" WHERE x`, "`", "where", "it's -- /* WHERE", `*/ " ' [ ( `, []byte{0, 1, 1, 2, 2, 0, 1, 3, 2, 3, 1, 2})
	f.Fuzz(func(t *testing.T, name, table, column, value, comment string, choices []byte) {
		d := &definition{choices: choices, hostile: comment}
		for _, word := range []string{"CREATE", "UNIQUE", "INDEX"} {
			d.word(word)
		}
		d.name(name)
		d.word("ON")
		d.name(table)
		d.write("(")
		d.space()
		d.name(column)
		if d.choose(2) == 1 { // an expression
			d.write(", coalesce(")
			d.condition(0, column, value)
			d.write(")")
		}
		d.write(")")
		partial := d.choose(3) > 0
		if partial {
			d.space()
			d.text.WriteString("WHERE")
			d.inPredicate = true
			d.space()
			d.condition(0, column, value)
		}
		require.Equal(t, strings.TrimSpace(d.predicate.String()), Predicate(d.text.String()), "%s", d.text.String())
	})
}

// FuzzNames: what is quoted one by one is found again, and what is no names is left.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"a", `a"b`, "a`b", `"`, "", "a\x00b", "a.b\x00c", "\x00"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, input string, double bool) {
		mark := map[bool]string{true: `"`, false: "`"}[double]
		parts := strings.Split(input, "\x00")
		quoted := make([]string, len(parts))
		for i, part := range parts {
			quoted[i] = mark + strings.ReplaceAll(part, mark, mark+mark) + mark
		}
		require.Equal(t, parts, Names(strings.Join(quoted, ".")))

		if names := Names(input); names != nil {
			again := make([]string, len(names))
			for i, name := range names {
				again[i] = quote(name)
			}
			require.Equal(t, names, Names(strings.Join(again, ".")))
		}
	})
}

// FuzzPredicate: whatever stands in sqlite_master, there is no panic, a
// predicate is free of comments' beginnings outside quotes, and one that is
// read again is the same.
func FuzzPredicate(f *testing.F) {
	for _, seed := range []string{
		"CREATE UNIQUE INDEX i ON t (a) WHERE b", "where", "WHERE '", `WHERE "`, "WHERE [", "WHERE `", "WHERE --", "WHERE /*", "WHERE /", "WHERE -",
		"((((", "))))WHERE x", "WHERE x WHERE y", "[]WHERE[]", "''WHERE''''", "\xff where \xff", "/*/ WHERE x */ WHERE y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, definition string) {
		found := Predicate(definition)
		if len(found) > len(definition) {
			t.Errorf("%q is longer than %q", found, definition)
		}
		if found == "" || strings.Count(definition, ")") > strings.Count(definition, "(") {
			return
		}
		if again := Predicate("CREATE UNIQUE INDEX i ON t (a) WHERE " + found); again != found {
			t.Errorf("%q is read as %q", found, again)
		}
	})
}
