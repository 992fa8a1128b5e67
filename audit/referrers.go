package audit

import (
	"slices"
	"strings"
)

// referrer is a foreign key that refers to a table: the table is the one that has it, nil if
// that was not read.
type referrer struct {
	foreignKey
	of *table
}

// referrers are the foreign keys that refer to a table.
func (a *audit) referrers(t *table) []*referrer {
	if a.referring == nil {
		a.referring = map[*table][]*referrer{}
		for _, from := range a.database.tables {
			for _, f := range from.foreign { // those to a row of the same table too
				if f.table != nil && len(f.columns) == len(f.references) {
					a.referring[f.table] = append(a.referring[f.table], &referrer{foreignKey{name: from.full(), onDelete: f.onDelete, table: from, columns: f.columns, references: f.references}, f.table})
				}
			}
		}
		for _, of := range a.database.tables {
			for _, f := range of.strangers {
				a.referring[of] = append(a.referring[of], &referrer{foreignKey{name: f.name, onDelete: f.onDelete}, of})
			}
		}
	}
	return a.referring[t]
}

// hangs is the condition that a row of another table refers to a row, "" if none could.
func (r removal) hangs(w writer, alias string) string {
	parts := make([]string, len(r.hung))
	for i, f := range r.hung {
		same := make([]string, len(f.columns))
		for n, c := range f.columns {
			same[n] = w.compare(alias+"."+w.quote(f.references[n]), "h."+w.quote(c), f.of.column(f.references[n]), f.table.column(c))
		}
		parts[i] = "EXISTS (SELECT 1 FROM " + w.table(f.table) + " AS h WHERE " + strings.Join(same, " AND ") + ")"
	}
	return strings.Join(parts, " OR ")
}

// hung are the tables whose rows hang on a join table's.
func (a *audit) hung(j *join) []string {
	var names []string
	for _, f := range a.referrers(j.t) {
		if f.table != nil && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}
