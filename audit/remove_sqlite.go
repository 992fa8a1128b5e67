package audit

import (
	"slices"
	"strings"
)

// remove: a row that goes is as it is kept, whatever an earlier fix has left in a table of
// that name. Nor does the undo drop the kept rows unless they are back, for each statement
// may fail and the client go on: what it drops has its name by the transaction alone.
func (q *sqlite) remove(m *maker, t *table, r removal) change {
	kept, back := q.quote(m.name(t.schema, removedPrefix+t.name)), q.quote(m.name(t.schema, "m2msafe_back_"+t.name))
	columns := t.stored()
	row, copied := []string{rowid(t)}, "j."+rowid(t)+" AS m2msafe_row, "
	same := []string{"s." + rowid(t) + " = k.m2msafe_row"}
	if withoutRowid(t) {
		row, copied, same = nil, "", nil
		for _, c := range t.primaryKey().columns {
			row = append(row, q.quote(c))
			same = append(same, "s."+q.quote(c)+" = k."+q.quote(c))
		}
	}
	for _, c := range columns {
		same = append(same, "s."+q.quote(c)+" IS k."+q.quote(c))
	}
	those := make([]string, len(row))
	for i, c := range row {
		those[i] = "s." + c
	}
	condition := r.where
	if r.pair != nil {
		condition = "(" + strings.Join(row, ", ") + ") IN (" + r.extra(q, t, row) + ")" + r.stays(q)
	}
	returns := "puts the removed rows back"
	if slices.ContainsFunc(t.planned.extras, func(extra string) bool { return isTrigger(extra) && runsOn(extra, "INSERT") }) {
		returns += ", and has the triggers run that run when rows are inserted"
	}
	selected := " AS SELECT " + copied + names(q, "j", columns) + " FROM " + q.table(t) + " AS j WHERE "
	c := change{
		fix: []Statement{
			{SQL: "CREATE TABLE " + kept + selected + condition, Why: "keeps the rows that are removed next"},
			{SQL: "DELETE FROM " + q.table(t) + " WHERE (" + strings.Join(row, ", ") + ") IN (SELECT " + strings.Join(those, ", ") + " FROM " + kept + " AS k JOIN " + q.table(t) + " AS s ON " + strings.Join(same, " AND ") + ")", Why: r.why},
		},
		undo: []Statement{
			{SQL: "DELETE FROM " + q.table(t) + " WHERE 0", Why: "waits for others who write, which a transaction can't that has read before"},
			{SQL: "CREATE TABLE IF NOT EXISTS " + kept + selected + "0", Why: "has no rows, if the fix did not come so far"},
			{SQL: stopTable, Why: stopWhy},
			{SQL: "PRAGMA legacy_alter_table = ON", Why: legacyWhy},
			{SQL: "ALTER TABLE " + kept + " RENAME TO " + back, Why: "it is dropped by this name, which it has only if all of this is done"},
			{SQL: "INSERT OR ROLLBACK INTO " + q.table(t) + " (" + names(q, "", columns) + ") SELECT " + names(q, "b", columns) + " FROM " + back + " AS b", Why: returns},
			{SQL: stop("copied", "changes() = (SELECT count(*) FROM "+back+")"), Why: "each of them, or nothing of this is done"},
			{SQL: "DROP TABLE " + back, Why: "they are kept no longer"},
			{SQL: "PRAGMA legacy_alter_table = OFF", Why: "as it was"},
		},
	}
	if r.against != nil {
		c.undo = slices.Concat(q.off(), c.undo, q.on())
	}
	return c
}
