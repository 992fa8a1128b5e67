package audit

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Rows of a table may be referred to by more than foreign keys. Where something is called
// like a reference to one, its rows are left to who knows: what would hang on nothing then no
// lock keeps from coming, and no catalogue tells.

// mention is a column of another table that is called like a reference to a table.
type mention struct {
	in     *table
	column string
	typed  string // the column beside it that says to what table it refers, "" if there is none
}

// ids are words in the names of references that stand for nothing else.
var ids = []string{"id", "ids", "uuid", "uuids", "guid", "key", "keys", "fk", "ref", "refs", "pk"}

// calls are the names by which a column may mean a table: each end of its own that no other
// table has.
func (n *nouns) calls(t *table) [][]string {
	name := words(t.name)
	var all [][]string
	for i := range name {
		tail := name[i:]
		key := strings.Join(tail, " ")
		if others := slices.Concat(n.exact[key], n.last[key]); i > 0 && slices.ContainsFunc(others, func(o *table) bool { return o != t }) {
			break // and so are shorter ones
		}
		all = append(all, tail)
	}
	return all
}

// means says whether a column's name may be for a table of one of the names.
func means(c column, key *column, names [][]string) bool {
	all := words(c.name)
	bare := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return slices.Contains(ids, w) })
	for _, name := range names {
		if from := len(bare) - len(name); from >= 0 && sameWords(bare[from:], name) {
			// Without such a word it may be anything: only what is of the key's type counts.
			return len(bare) < len(all) || key != nil && sameKind(c.typ, key.typ) && !isText(c.typ)
		}
		joined := strings.Join(all, "")
		for _, form := range forms(name[len(name)-1]) {
			if one := strings.Join(name[:len(name)-1], "") + form; slices.Contains([]string{one + "id", one + "ids", "id" + one, one + "key"}, joined) {
				return true
			}
		}
	}
	return false
}

// mentions are the columns of other tables, without a foreign key, by whose names rows of a
// table may be referred to.
func (a *audit) mentions(t *table) []mention {
	names := a.nouns.calls(t)
	var starts []string // of what any of them is in a column's name
	for _, name := range names {
		for _, form := range forms(name[len(name)-1]) {
			starts = append(starts, form[:min(3, len(form))])
		}
	}
	var key *column
	if row := t.identity(); len(row) == 1 {
		key = t.column(row[0])
	}
	var found []mention
	for _, other := range a.database.tables {
		if other == t || strings.HasPrefix(other.name, removedPrefix) {
			continue
		}
		for _, c := range other.columns {
			if slices.ContainsFunc(other.foreign, func(f *foreignKey) bool { return slices.Contains(f.columns, c.name) }) {
				continue
			}
			if typed := other.typeBeside(c.name); typed != "" {
				found = append(found, mention{other, c.name, typed})
			} else if slices.ContainsFunc(starts, func(s string) bool { return strings.Contains(strings.ToLower(c.name), s) }) && means(c, key, names) {
				found = append(found, mention{other, c.name, ""})
			}
		}
	}
	for _, j := range a.known { // by models
		for _, e := range j.ends {
			if e.to == t && e.foreign == nil && j.t != t {
				found = append(found, mention{j.t, quoted(e.columns), ""})
			}
		}
	}
	return found
}

// typeBeside is the column that says to what table another refers, "" if there is none:
// item_type beside item_id, and Django's content_type_id beside object_id.
func (t *table) typeBeside(column string) string {
	s := stem(column)
	if s == nil {
		return ""
	}
	if typed := t.typeOf(s); typed != "" {
		return typed
	}
	if len(s) == 1 && s[0] == "object" {
		for _, c := range t.columns {
			if name := strings.Join(words(c.name), "_"); name == "content_type_id" || name == "content_type" {
				return c.name
			}
		}
	}
	return ""
}

// mentioned says what may refer to rows of a join table without a foreign key; "" if nothing
// does. It asks columns of types for what they have.
func (a *audit) mentioned(ctx context.Context, t *table) (string, error) {
	for _, m := range a.mentions(t) {
		if m.typed != "" {
			values, err := a.typesIn(ctx, m)
			if err != nil {
				return "", err
			}
			if !slices.ContainsFunc(values, func(v string) bool { return spells(v, a.nouns.calls(t)) }) {
				continue
			}
		}
		return m.in.full() + "." + m.column, nil
	}
	return "", nil
}

// many are more kinds of things than a column has that says of what kind a thing is.
const many = 1000

// typesIn are the values of a column that says to what tables another refers. Where they
// can't be read it is one that may be any.
func (a *audit) typesIn(ctx context.Context, m mention) ([]string, error) {
	key := [2]string{m.in.full(), m.typed}
	if known, ok := a.kinds[key]; ok {
		return known, nil
	}
	values := []string{""}
	statement := "SELECT DISTINCT " + a.engine.text("j."+a.engine.quote(m.typed), m.in.column(m.typed)) + " FROM " + a.engine.table(m.in) + " AS j"
	if f := m.in.reference([]string{m.typed}, nil); f != nil && f.table != nil && f.table.column("model") != nil { // Django's content types
		statement = "SELECT DISTINCT " + a.engine.text("e."+a.engine.quote("model"), f.table.column("model")) + " FROM " + a.engine.table(m.in) + " AS j JOIN " + a.engine.table(f.table) +
			" AS e ON e." + a.engine.quote(f.references[0]) + " = j." + a.engine.quote(m.typed)
	}
	if m.in.readable && (m.in.rows <= a.options.CountUpTo) {
		var read []string
		err := a.try(ctx, func() error {
			return a.query(ctx, "SELECT * FROM ("+statement+") AS d LIMIT "+fmt.Sprint(many), nil, func(rows *sql.Rows) error {
				var v sql.NullString
				err := rows.Scan(&v)
				if v.Valid {
					read = append(read, v.String)
				}
				return err
			})
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && len(read) < many {
			values = read
		}
	}
	if a.kinds == nil {
		a.kinds = map[[2]string][]string{}
	}
	a.kinds[key] = values
	return values, nil
}

func isText(typ string) bool {
	typ = strings.ToLower(typ)
	return strings.Contains(typ, "char") || strings.Contains(typ, "text") || strings.Contains(typ, "clob")
}

// spells says whether a value may name a table: a class or a table of one of the names, or
// too short a word for anybody to tell.
func spells(value string, names [][]string) bool {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, value)
	if len(letters) < 3 {
		return true
	}
	for _, name := range names {
		for _, form := range forms(name[len(name)-1]) {
			if strings.Contains(letters, strings.Join(name[:len(name)-1], "")+form) {
				return true
			}
		}
	}
	return false
}
