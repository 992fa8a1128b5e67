package audit

import (
	"slices"
	"strings"
)

func (p postgres) remove(m *maker, t *table, r removal) change {
	kept := p.in(t, m.name(t.schema, removedPrefix+t.name))
	columns := names(p, "", t.stored())
	condition := r.where
	if r.pair != nil {
		row := []string{"ctid"}
		if key := t.identity(); key != nil {
			row = nil
			for _, c := range pairOf(key, r.pair) { // of a pair still, if another changes the row meanwhile
				row = append(row, p.quote(c))
			}
		} else if t.partitioned {
			row = []string{"tableoid", "ctid"}
		}
		condition = "(" + strings.Join(row, ", ") + ") IN (" + r.extra(p, t, row) + ")" + and(living(p, "j", r.soft)) + r.stays(p)
	}
	overriding := ""
	for _, c := range t.columns {
		if c.identity {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
	}
	gone := Statement{SQL: "WITH m2msafe_gone AS (DELETE FROM " + p.table(t) + " AS j WHERE " + condition + " RETURNING " + names(p, "j", t.stored()) + ") INSERT INTO " + kept + " (" + columns + ") SELECT " + columns + " FROM m2msafe_gone", Why: r.why}
	switch {
	case r.hung != nil: // the check of a foreign key takes ROW SHARE, which only this holds up
		gone = p.locked(t, r.ends, "EXCLUSIVE", gone, "who writes to the table or to what refers to it waits meanwhile, so that nothing comes to hang on what is removed")
	case r.pair != nil:
		gone = p.locked(t, r.ends, "SHARE ROW EXCLUSIVE", gone, "writers of the table wait meanwhile, so that none takes the row away that stays")
	default:
		gone = p.locked(t, r.ends, "SHARE ROW EXCLUSIVE", gone, "writers of the table wait meanwhile, so that none changes a row that is removed")
	}
	if r.ends != nil {
		var ends []string
		for _, e := range r.ends {
			ends = pairOf(ends, []string{e.full()})
		}
		gone.Why += ", and so do those of " + quoted(ends) + ", so that nothing comes to be there"
	}
	made := []Statement{{SQL: "CREATE TABLE " + kept + " AS SELECT " + columns + " FROM " + p.table(t) + " WITH NO DATA", Why: "keeps the rows that are removed next"}}
	if t.published {
		made[0].Why += "; if all tables are published, logical replication stops until the subscriber has this one too"
	}
	if t.secured {
		made = append(made, Statement{SQL: "ALTER TABLE " + kept + " ENABLE ROW LEVEL SECURITY", Why: "for nobody to read but its owner, as policies are of the other table"})
	}
	c := change{
		fix: slices.Concat(made, []Statement{gone}, p.checked(t)),
		undo: slices.Concat([]Statement{
			{SQL: "CREATE TABLE IF NOT EXISTS " + kept + " AS SELECT " + columns + " FROM " + p.table(t) + " WITH NO DATA", Why: "for the case that the fix did not come so far"},
			{SQL: "INSERT INTO " + p.table(t) + " (" + columns + ")" + overriding + " SELECT " + columns + " FROM " + kept, Why: "puts the removed rows back"},
		}, p.checked(t), []Statement{
			{SQL: "DROP TABLE " + kept, Why: "they are kept no longer"},
		}),
	}
	for _, f := range r.against { // one that is not valid yet refuses the rows all the same
		c.undo = slices.Concat(
			[]Statement{p.alter(t, "DROP CONSTRAINT IF EXISTS "+p.quote(f.name), "the rows are in its way")}, c.undo,
			[]Statement{p.again(t, f.name, f.definition)})
	}
	if r.secured {
		c.fix = slices.Concat(
			[]Statement{{SQL: "SET row_security = off", Why: "fails where policies hide rows from this role, which would seem to be missing"}}, c.fix,
			[]Statement{{SQL: "RESET row_security", Why: "as it was"}})
	}
	return c
}

// locked is a statement that sees what all others have written: of a pair it removes the
// rows that are too many, and one whom it waits for might have removed the row that stays,
// or have given another row to what is to be removed, or a row to what it points at. What
// has waited for a row looks at that again, and not at others.
//
// The ends come first, as for an app that writes a row and then links it. With one that does
// it the other way round there may be a deadlock; PostgreSQL ends one of the two, and of the
// block nothing is left then. Foreign keys are checked meanwhile, but for those to a table
// under EXCLUSIVE: ROW SHARE waits for no other lock of these.
//
// LOCK TABLE by itself needs a transaction around it, and a block does not. Where a
// transaction sees the database as it began, the lock would come too late.
func (p postgres) locked(t *table, ends []*table, mode string, s Statement, why string) Statement {
	locks := ""
	for i, e := range ends {
		if !slices.Contains(ends[:i], e) {
			locks += "LOCK TABLE " + p.table(e) + " IN SHARE MODE; "
		}
	}
	return p.block("IF current_setting('transaction_isolation') NOT LIKE 'read %' THEN RAISE EXCEPTION 'run this in a transaction that is READ COMMITTED'; END IF; "+
		locks+"LOCK TABLE "+p.table(t)+" IN "+mode+" MODE; "+s.SQL, s.Why+"; "+why)
}

// checked has what is checked as late as at COMMIT be checked now: before that, no
// statement may alter the table in the same transaction.
func (p postgres) checked(t *table) []Statement {
	if !t.deferred {
		return nil
	}
	return []Statement{{SQL: "SET CONSTRAINTS ALL IMMEDIATE", Why: "in a transaction, has what is deferred be checked now, so that the table can be altered"}}
}
