package audit

import (
	"slices"
	"strings"
	"unicode"
)

// words are the parts of a name, in lower case: "auth_user_groups" and "AuthUserGroups"
// have the same.
func words(name string) []string {
	var all []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			all = append(all, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]) ||
			unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			flush()
		}
		word.WriteRune(r)
	}
	flush()
	return all
}

// plurals that no rule makes.
var plurals = map[string]string{
	"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "indices": "index",
	"matrices": "matrix", "vertices": "vertex", "criteria": "criterion", "media": "medium", "data": "datum", "analyses": "analysis",
}

// forms are what a noun may be in the singular, itself among them.
func forms(noun string) []string {
	all := []string{noun}
	if one, ok := plurals[noun]; ok {
		all = append(all, one)
	}
	if stem, ok := strings.CutSuffix(noun, "ies"); ok && len(stem) > 1 {
		all = append(all, stem+"y")
	}
	if stem, ok := strings.CutSuffix(noun, "ves"); ok && len(stem) > 1 {
		all = append(all, stem+"f", stem+"fe")
	}
	if stem, ok := strings.CutSuffix(noun, "es"); ok && len(stem) > 1 {
		all = append(all, stem)
	}
	if stem, ok := strings.CutSuffix(noun, "s"); ok && len(stem) > 1 {
		all = append(all, stem)
	}
	return all
}

// sameNoun says whether two words may be one noun, in the singular or the plural.
func sameNoun(a, b string) bool {
	others := forms(b)
	return slices.ContainsFunc(forms(a), func(f string) bool { return slices.Contains(others, f) })
}

// sameWords says whether two names are the same, noun by noun.
func sameWords(a, b []string) bool { return slices.EqualFunc(a, b, sameNoun) }

// stem is what a column refers to, by its name: [user] of user_id, userId and
// users_id; nil if it is no reference.
func stem(column string) []string {
	all := words(column)
	if len(all) < 2 || !slices.Contains([]string{"id", "uuid", "key", "fk"}, all[len(all)-1]) {
		return nil
	}
	return all[:len(all)-1]
}

// sides are words that tell the two references of a table to one other from each
// other.
var sides = []string{"from", "to", "source", "target", "parent", "child", "left", "right", "src", "dst", "first", "second"}

// linking are words in the names of join tables that stand for nothing else.
var linking = []string{"to", "on", "has", "x", "and", "2", "rel", "link", "links", "map", "mapping", "mappings", "join", "xref", "assoc", "through"}

// linkNouns are nouns for a pair.
var linkNouns = []string{"membership", "member", "link", "mapping", "association", "relation", "relationship", "tagging", "like", "follow",
	"follower", "friendship", "favorite", "favourite", "enrollment", "enrolment", "xref", "rel"}

// repeating end the names of columns that a pair has where it may well be stored several
// times: what is counted, paid for, or true for a while.
var repeating = []string{"quantity", "qty", "amount", "price", "cents", "total", "cost", "score", "value", "rating", "count", "line",
	"no", "number", "start", "starts", "started", "begin", "begins", "end", "ends", "ended", "from", "until", "to", "effective", "term",
	"date", "day", "year"}

// repeats says whether a column is one of these: ended_at and valid_from, and not
// date_joined.
func repeats(column string) bool {
	all := words(column)
	if n := len(all); n > 1 && (all[n-1] == "at" || all[n-1] == "on" || all[n-1] == "date") {
		return slices.Contains(repeating, all[n-2]) || all[n-1] == "date"
	}
	return len(all) > 0 && (slices.Contains(repeating, all[len(all)-1]) || slices.Contains([]string{"valid", "start", "end"}, all[0]))
}

// nouns finds tables by words.
type nouns struct {
	exact map[string][]*table // by all words
	last  map[string][]*table // by those behind the first
}

func nounsOf(d *database) *nouns {
	n := &nouns{map[string][]*table{}, map[string][]*table{}}
	for _, t := range slices.Concat(d.tables, d.views) {
		all := words(t.name)
		if len(all) == 0 {
			continue
		}
		for _, form := range forms(all[len(all)-1]) {
			key := strings.Join(append(slices.Clone(all[:len(all)-1]), form), " ")
			n.exact[key] = append(n.exact[key], t)
			if _, behind, ok := strings.Cut(key, " "); ok {
				n.last[behind] = append(n.last[behind], t)
			}
		}
	}
	return n
}

// find is the table that words stand for, seen from another table: one of these words, or
// of these words behind a prefix (an app's), the other table's own before any. It is nil if
// there is none, or no telling which.
func (n *nouns) find(all []string, from *table) *table {
	if len(all) == 0 {
		return nil
	}
	look := func(in map[string][]*table) []*table {
		var found []*table
		for _, form := range forms(all[len(all)-1]) {
			for _, t := range in[strings.Join(append(slices.Clone(all[:len(all)-1]), form), " ")] {
				if t.schema == from.schema && t != from && !slices.Contains(found, t) {
					found = append(found, t)
				}
			}
		}
		return found
	}
	if found := look(n.exact); len(found) > 0 {
		return only(found)
	}
	found := look(n.last)
	if len(found) > 1 && len(words(from.name)) > 0 {
		prefix := words(from.name)[0]
		found = slices.DeleteFunc(found, func(t *table) bool { return words(t.name)[0] != prefix })
	}
	return only(found)
}

func only(found []*table) *table {
	if len(found) == 1 && found[0].columns != nil { // and no view
		return found[0]
	}
	return nil
}
