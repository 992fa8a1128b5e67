package audit

import (
	"fmt"
	"slices"
	"strings"
)

// removal is which rows of a table are to be removed: those that a condition of a row
// "j" is true of, or all but one of a pair's.
type removal struct {
	where string
	pair  []string
	// alike are the columns in which a row has to be the same as the one of its pair that
	// stays, to be one too many.
	alike []string
	soft  *soft
	why   string
	mixed bool // the condition compares columns of different types
	// secured says that policies can hide rows, of the table or of an end.
	secured bool
	// hung are what refers to the table: a row that one refers to stays, and of a pair
	// before others.
	hung []*referrer
	// ends are the tables that the condition looks into.
	ends []*table
	// against are foreign keys that the rows are in the way of.
	against []*foreignKey
}

// lost are the actions of a foreign key by which the removal of a row is the loss of others.
var lost = []string{"CASCADE", "SET NULL", "SET DEFAULT", unshown}

// unshown is one that may be any of these: MariaDB shows foreign keys to a role that may
// only read, and not what they do.
const unshown = "(what, this role is not shown)"

// needed says why no row of a join table is removed; "" if rows may be.
func (a *audit) needed(j *join) string {
	if j.t.heirs {
		return "Other tables inherit from this one, and a statement of PostgreSQL's means their rows too: which rows go has to be written by hand."
	}
	if j.t.unalterable != "" { // so there would be no key behind it
		return j.t.unalterable
	}
	if j.t.triggers != nil {
		return "When a row of the table is deleted " + quoted(j.t.triggers) + " runs, and what that does the audit can't know, nor take back: which rows go has to be written by hand."
	}
	if j.t.undeletable != "" {
		return j.t.undeletable
	}
	for _, f := range j.t.strangers {
		if slices.Contains(lost, f.onDelete) {
			return fmt.Sprintf("Rows of %s refer to this table's ON DELETE %s, so they would be lost or changed with the rows that are removed: say first to which row they belong.", f.name, f.onDelete)
		}
	}
	if j.facts.mentioned != "" {
		return j.facts.mentioned + " may refer to its rows, without a foreign key: no row goes as long as none says to which. Delete what is too much by hand, or make the foreign key, and audit again."
	}
	return a.database.unseen
}

// undecided says why nobody but the user can say which row of a pair stays; "" if one can.
func (a *audit) undecided(j *join) string {
	if j.keys.several != "" {
		return j.keys.several
	}
	if j.soft != nil && j.soft.unclear {
		return j.soft.unknown()
	}
	if columns, _ := j.differences(); columns != nil {
		return fmt.Sprintf("By %s rows of one pair may be a history, or stand for one thing each: which of them have to go only you can say. Delete those, and audit again.", quoted(columns))
	}
	if !j.sure {
		return "By its name the table may hold events, of which a pair has several: then this is no fault. If it holds links, have it audited by its name (--table, Options.Tables)."
	}
	if column := a.coarse(j); column != "" {
		return fmt.Sprintf("%s is compared by another collation than the key that it refers to, so rows that it takes for one pair may be of two: first give it the key's, then audit again.", column)
	}
	return a.needed(j)
}

// coarse is a column of the pair to which two keys of its end may be one; "" if there is none.
func (a *audit) coarse(j *join) string {
	_, is := a.engine.(postgres)
	for _, e := range j.ends {
		for i, name := range e.columns {
			if e.to == nil || i >= len(e.references) {
				continue
			}
			c, key := j.t.column(name), e.to.column(e.references[i])
			if is && (key == nil || !c.loose) { // there equal is equal, but for collations that say otherwise
				continue
			}
			if key != nil && c.collation != "" && key.collation != "" && c.collation != key.collation {
				return name
			}
		}
	}
	return ""
}

// refers says whether a column is a reference to a third thing, by which rows of one pair
// stand for one thing each; not one to who has written the row.
func (t *table) refers(column string) bool {
	if name := strings.Join(words(column), "_"); strings.HasSuffix(name, "_by") || strings.HasSuffix(name, "_by_id") {
		return false
	}
	return stem(column) != nil || slices.ContainsFunc(t.foreign, func(f *foreignKey) bool { return slices.Contains(f.columns, column) })
}

// remove takes rows of a join table away, if nothing goes with them that is not kept.
func (a *audit) remove(j *join, r removal) change {
	if why := a.needed(j); why != "" {
		return cannot(why)
	}
	for _, f := range a.referrers(j.t) {
		if f.table != nil {
			r.hung = append(r.hung, f)
			r.secured = r.secured || f.table.secured // and ON DELETE goes past their policies
		} else {
			r.why += ", and fails where a row of " + f.name + " refers to one"
		}
	}
	if hung := a.hung(j); hung != nil && r.pair == nil { // else kept has said it
		r.why += ", but no row that a row of " + either(hung) + " refers to"
	}
	if hung := r.hangs(a.engine, "j"); hung != "" && r.where != "" {
		r.where = "(" + r.where + ") AND NOT (" + hung + ")"
	}
	if a.database.hidden {
		r.why += "; what other databases have that refers to them goes with them ON DELETE CASCADE, and this role was not shown that: look there first"
	}
	r.secured = r.secured || j.t.secured
	return a.engine.remove(a.maker, j.t, r)
}

// removeDuplicates keeps one living row of each pair, where it can be known which.
func (a *audit) removeDuplicates(j *join) change {
	if why := a.undecided(j); why != "" {
		return cannot(why)
	}
	return a.remove(j, removal{pair: j.pair, alike: j.t.others(j.pair, j.soft), soft: j.soft, why: "keeps " + a.kept(j)})
}

// stays is that of a row "j" which is one of a pair's, with AND and NOT in front.
func (r removal) stays(w writer) string {
	if r.pair == nil || r.hung == nil {
		return ""
	}
	return " AND NOT (" + r.hangs(w, "j") + ")"
}

// hungOn says of the rows of a join table that others refer to what a fix does with them.
func (a *audit) hungOn(j *join) string {
	hung := a.hung(j)
	if hung == nil {
		return ""
	}
	return " No row goes that a row of " + either(hung) + " refers to, for that would be lost or changed with it, or point at nothing: where such are left, say first to which row they belong."
}

// either is one of several names.
func either(names []string) string { return strings.Join(names, " or ") }

// birth are columns that say when a row was made.
var birth = []string{"created_at", "created_on", "created_time", "create_time", "inserted_at", "created", "date_created", "created_date"}

// books are others that say when a row was changed, and by whom it was made or changed.
var books = []string{"updated_at", "updated_on", "updated_time", "update_time", "updated", "modified", "modified_at", "modified_on", "updated_date", "date_updated",
	"last_modified", "created_by", "created_by_id", "inserted_by", "inserted_by_id", "updated_by", "updated_by_id", "modified_by", "modified_by_id"}

// keepsBooks says whether a column is a row's number, or says when and by whom it was made
// or changed: rows that differ in nothing else say the same.
func (t *table) keepsBooks(c column) bool {
	all := words(c.name)
	name := strings.Join(all, "_")
	return isID(t, c) && len(all) > 0 && slices.Contains([]string{"id", "uuid", "guid", "ulid", "uid", "oid", "pk"}, all[len(all)-1]) ||
		(slices.Contains(birth, name) || slices.Contains(books, name)) && (isMoment(c.typ) || size(c.typ) > 0 || !isBoolean(c.typ) && len(all) > 1) || strings.HasPrefix(name, "m2msafe_")
}

// born is the table's column that does, "" if it has none.
func (t *table) born() string {
	for _, c := range t.columns {
		if slices.Contains(birth, strings.Join(words(c.name), "_")) {
			return c.name
		}
	}
	return ""
}

// kept says which row of a pair stays.
func (a *audit) kept(j *join) string {
	key, first := j.t.identity(), "the one that comes first in the table, for nothing says which is the oldest"
	switch {
	case j.t.born() != "":
		first = "the oldest by " + j.t.born()
	case key != nil:
		first = "the one with the lowest " + quoted(key)
	}
	if hung := a.hung(j); hung != nil {
		return "of the rows of each pair what a row of " + either(hung) + " refers to, or else " + first
	}
	return "of the rows of each pair " + first
}

// extra is the condition of the rows that are too many, given what tells rows apart:
// all of a pair's living rows but the one that stays. row is how the statement calls that.
func (r removal) extra(w writer, t *table, row []string) string {
	aliases := make([]string, len(row))
	for i := range row {
		aliases[i] = fmt.Sprintf("m2msafe_%d", i+1)
	}
	selected := make([]string, len(row))
	for i, c := range row {
		selected[i] = c + " AS " + aliases[i]
	}
	var order []string
	if r.hung != nil {
		order = append(order, "CASE WHEN "+r.hangs(w, "i")+" THEN 0 ELSE 1 END")
	}
	if c := t.born(); c != "" {
		order = append(order, w.quote(c)+" IS NULL", w.quote(c))
	}
	order = append(order, row...)
	same := []string{names(w, "", r.pair)}
	for _, c := range r.alike {
		same = append(same, w.text(w.quote(c), t.column(c)))
	}
	return "SELECT " + strings.Join(aliases, ", ") + " FROM (SELECT " + strings.Join(selected, ", ") +
		", row_number() OVER (PARTITION BY " + strings.Join(same, ", ") + " ORDER BY " + strings.Join(order, ", ") + ") AS m2msafe_n FROM " +
		w.table(t) + " AS i WHERE NOT (" + orNull(w, "", r.pair) + ")" + and(living(w, "", r.soft)) + ") AS d WHERE m2msafe_n > 1"
}
