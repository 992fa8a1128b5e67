package audit

import (
	"fmt"
	"strings"
)

// dangling: rows that point at nothing.
func (a *audit) dangling(j *join) []found {
	var columns, parts, guessed, doubts []string
	var sure [2]bool
	for i, e := range j.ends {
		n := j.facts.dangling[i]
		if n == 0 {
			continue
		}
		columns = append(columns, minus(e.columns, columns)...)
		parts = append(parts, counted(n, "row points", "rows point")+" at no row of "+e.name())
		if !j.declared(i) {
			guessed = append(guessed, fmt.Sprintf("That %s refers to %s of %s is told by its name.", quoted(e.columns), quoted(e.references), e.name()))
		}
		if doubt := j.doubt(i); doubt != "" {
			doubts = append(doubts, doubt)
		} else {
			sure[i] = true
		}
	}
	if j.facts.astray == 0 {
		return nil
	}
	f := j.finding(DanglingLinks, Error, columns)
	f.Rows, f.Estimated = j.facts.astray, false
	f.Title = counted(j.facts.astray, "link points", "links point") + " at nothing"
	f.Story = strings.Join(parts, ", and ") + ". A join does not show them, a count of the join table does, and as soon as the key is given to a new row, that row has links that nobody gave it."
	if guessed != nil {
		f.Story += " " + strings.Join(guessed, " ") + " If something else is meant, nothing is wrong."
	}
	if !sure[0] && !sure[1] {
		f.Severity = Warning
		f.mend = func() change { return cannot(strings.Join(doubts, " ")) }
		return []found{f}
	}
	f.does = " The fix puts them into a table of their own." + a.hungOn(j)
	if doubts != nil { // at the other end
		f.does = " The fix puts those of the other end into a table of their own." + a.hungOn(j)
		f.Story += " " + strings.Join(doubts, " ")
	}
	f.mend = func() change { return a.removeDangling(j, sure[0], sure[1]) }
	return []found{f}
}

func (a *audit) removeDangling(j *join, ends ...bool) change {
	r := removal{why: "takes the links away that point at nothing"}
	for i, e := range j.ends {
		if !ends[i] {
			continue
		}
		if r.where != "" {
			r.where += " OR "
		}
		r.where += "(" + dangles(a.engine, j.t, e) + ")"
		for n, c := range e.columns {
			key := e.to.column(e.references[n])
			r.mixed = r.mixed || key != nil && a.engine.differ(j.t.column(c), key, e.foreign != nil) != ""
		}
		r.secured = r.secured || e.to.secured
		r.ends = append(r.ends, e.to)
		if e.foreign != nil {
			r.against = append(r.against, e.foreign)
		}
	}
	return a.remove(j, r)
}

// foreignKeys: an end that can be deleted under its links.
func (a *audit) foreignKeys(j *join) []found {
	var all []found
	for i, e := range j.ends {
		if e.to == nil || len(e.references) != len(e.columns) || e.foreign != nil && !e.foreign.unvalidated {
			continue
		}
		var f found
		if e.foreign != nil {
			f = j.finding(NoForeignKey, Note, e.columns)
			f.Title = "The foreign key on " + quoted(e.columns) + " was never validated"
			f.Story = fmt.Sprintf("%s is NOT VALID: it holds for what was written since it was made, and of older rows nobody knows whether they point at rows of %s.", e.foreign.name, e.name())
		} else {
			f = j.finding(NoForeignKey, Warning, e.columns)
			f.Title = "No foreign key on " + quoted(e.columns)
			f.Story = fmt.Sprintf("A row of %s can be deleted under its links, also in the moment in which another request makes one, and a link can be made to a row that was never there.", e.name())
		}
		if !j.facts.points[i] {
			f.Story += " Whether rows point at nothing was not counted."
			if j.declared(i) {
				f.does = " The fix looks for them first."
			} else {
				f.does = " If some do, the fix fails."
			}
		}
		f.mend = func() change { return a.bind(j, i) }
		all = append(all, f)
	}
	return all
}

// declared says that an end refers to its table by more than a name.
func (j *join) declared(i int) bool { return j.ends[i].foreign != nil || j.convention == "models" }

// exact says whether an end is told by names that leave little open: its column is called as
// its table is, and the join table as both are.
func (j *join) exact(i int) bool {
	e := j.ends[i]
	if isPrisma(j.t) {
		return true
	}
	if e.to == nil || e.guessed || len(e.columns) != 1 || j.t.tells(j.pair) || !named(j.t, namesOf(j.ends[0]), namesOf(j.ends[1]), false) {
		return false
	}
	of, own := words(e.to.name), words(j.t.name)
	return sameWords(of, stem(e.columns[0])) || len(of) > 1 && of[0] == own[0] && sameWords(of[1:], stem(e.columns[0]))
}

// doubt is why rows that point at nothing at an end may be meant to; "" if they are not, or
// there are none.
func (j *join) doubt(i int) string {
	switch {
	case j.facts.dangling[i] == 0, j.ends[i].foreign != nil:
		return ""
	case j.facts.signs[i] > 0:
		return fmt.Sprintf("In %s of those by %s stands 0, an empty text or the like, which may stand for something: none of them is removed. If it does not, delete or correct them, and audit again.", number(j.facts.signs[i]), quoted(j.ends[i].columns))
	case j.declared(i):
		return ""
	case 2*j.facts.dangling[i] > j.facts.filled[i]:
		return "Since " + quoted(j.ends[i].columns) + " does so in most rows, it may well be so, and none of them is removed: delete or correct them, or have the models of the app audited (m2msafe.Audit), by which it is known."
	case !j.exact(i):
		return "Nothing else tells to what " + quoted(j.ends[i].columns) + " refers, so no row is removed because of it: delete or correct those that are wrong, or have the models of the app audited (m2msafe.Audit), by which it is known."
	}
	return ""
}

// bind gives an end the foreign key that is missing.
func (a *audit) bind(j *join, i int) change {
	e := j.ends[i]
	var c change
	if !j.facts.points[i] && j.declared(i) { // by a name alone no row is removed unseen
		c = a.removeDangling(j, i == 0, i == 1)
	}
	switch {
	case j.facts.dangling[i] > 0 && (j.doubt(i) != "" || a.needed(j) != ""):
		return cannot("There can't be one as long as links point at nothing.")
	case e.foreign != nil:
		return c.then(a.engine.validate(a.maker, j.t, e.foreign))
	case !j.declared(i) && !j.exact(i):
		return cannot(fmt.Sprintf("That %s refers to %s of %s is told by its name alone: if it does, make the foreign key by hand, or have the models of the app audited (m2msafe.Audit), by which it is known.", quoted(e.columns), quoted(e.references), e.name()))
	case j.t.foreignless != "":
		return cannot(j.t.foreignless)
	case e.to.heirs:
		return cannot("Tables inherit from " + e.name() + ", and a foreign key would refuse links to their rows.")
	case !e.to.keyed(e.references):
		return cannot("There can't be one as long as " + quoted(e.references) + " has no unique key in " + e.name() + ".")
	}
	action := " ON DELETE CASCADE"
	if other := j.ends[1-i].foreign; other != nil {
		action = ""
		if other.onDelete != "" && other.onDelete != unshown && other.onDelete != "SET NULL" {
			action = " ON DELETE " + other.onDelete
		}
		action += other.deferral // what is checked at COMMIT lets an app write in any order
	}
	return c.then(a.engine.foreign(a.maker, j.t, e, action))
}

// types: a join column of another type than the key that it refers to.
func (a *audit) types(j *join) []found {
	var all []found
	for _, e := range j.ends {
		if e.to == nil || len(e.references) != len(e.columns) {
			continue
		}
		for i, name := range e.columns {
			c, key := j.t.column(name), e.to.column(e.references[i])
			if key == nil {
				continue
			}
			difference := a.engine.differ(c, key, e.foreign != nil)
			if difference == "" {
				continue
			}
			f := j.finding(KeyTypesDiffer, Warning, []string{name})
			f.Title = name + " has another type than " + e.name() + "." + key.name + ": " + difference
			f.Story = typeStory(c, key)
			// Where the database refuses the foreign key that is missing, this is in its way: the
			// worst come first, and so do their fixes.
			_, refuses := a.engine.(*mysql)
			if isWider(c.typ, key.typ) && !(refuses && e.foreign == nil) {
				f.Severity = Note
			} else if !j.keys.sound() {
				f.Severity = Error // two texts may be one key, and so the type comes before a unique key
			}
			f.mend = func() change { return a.engine.retype(a.maker, j.t, c, key) }
			all = append(all, f)
		}
	}
	return all
}

// wholes are the integers, by their size.
var wholes = []string{"tinyint", "smallint", "mediumint", "int", "bigint"}

func size(typ string) int {
	typ = strings.ToLower(typ)
	if typ == "integer" {
		typ = "int"
	}
	for i, w := range wholes {
		if typ == w || strings.HasPrefix(typ, w+"(") || strings.HasPrefix(typ, w+" ") {
			return i + 1
		}
	}
	return 0
}

// isWider says whether a type is an integer that holds all of another.
func isWider(typ, key string) bool {
	return size(key) > 0 && size(typ) > size(key) && strings.Contains(typ, "unsigned") == strings.Contains(key, "unsigned")
}

func typeStory(c, key *column) string {
	switch {
	case c.collation != "" && key.collation != "" && c.collation != key.collation:
		return "Two texts are one key at one end and two at the other. Joins pass the index by, and a foreign key may be impossible."
	case isWider(c.typ, key.typ):
		return "It holds every key, so nothing is lost. The type of the key takes less room, and some databases refuse a foreign key between the two."
	case size(c.typ) > 0 && size(key.typ) > 0:
		return "A key that does not fit into it can't be linked: the insert fails, once the keys have grown that far."
	}
	return "The database converts one of the two for each comparison, or refuses to. Joins pass the index by, a foreign key may be impossible, and two texts for one key are two links of one row."
}
