package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Why statements of a table that is made anew are there.
const (
	itsRows   = "its rows"
	legacyWhy = "leaves views and other tables' references alone"
	stopWhy   = "what a statement below writes to where the others would do harm, and fails"
)

// stopTable has nothing in it: a row is refused, or it is as if it had not been there. It
// is the connection's own, and stays, for its end would clear what is owed: the row that
// keeps a transaction from being committed in which foreign keys are enforced.
const stopTable = `CREATE TEMP TABLE IF NOT EXISTS m2msafe_stop (id integer PRIMARY KEY, owed integer REFERENCES m2msafe_stop (id) DEFERRABLE INITIALLY DEFERRED,
  enforced integer CONSTRAINT "foreign keys are on, as they stay in a transaction: end that first" CHECK (NOT enforced),
  copied integer CONSTRAINT "not each row could be copied" CHECK (copied),
  sound integer CONSTRAINT "rows would point at nothing" CHECK (sound),
  known integer CONSTRAINT "the table has columns, indexes or triggers that were not there: audit again" CHECK (known),
  whole integer CONSTRAINT "not all that was to be done could be" CHECK (whole))`

// stop takes all of a transaction back unless a condition is true. What follows then finds
// no table of the name that it would drop.
func stop(column, condition string) string {
	return "INSERT OR ROLLBACK INTO temp.m2msafe_stop (" + column + ") SELECT " + condition
}

// off and on are what SQLite does nothing about in a transaction. There a table that is
// dropped takes the rows with it that refer to it, so off fails there, and owed has the
// transaction fail of a client that goes on.
func (*sqlite) off() []Statement {
	return []Statement{
		{SQL: "PRAGMA foreign_keys = OFF", Why: "this connection's alone, and not in a transaction", Solo: true},
		{SQL: stopTable, Why: stopWhy, Solo: true},
		{SQL: "INSERT INTO temp.m2msafe_stop (enforced) SELECT 1 FROM pragma_foreign_keys WHERE foreign_keys", Why: "fails where they are on, as they stay in a transaction", Solo: true},
	}
}

// owed comes behind a statement that writes: who reads first can't wait for others.
func (*sqlite) owed() Statement {
	return Statement{SQL: "INSERT INTO temp.m2msafe_stop (owed) SELECT -1 FROM pragma_foreign_keys WHERE foreign_keys", Why: "if they are on all the same, this transaction can't be committed"}
}

func (q *sqlite) on() []Statement {
	if !q.enforced {
		return nil
	}
	return []Statement{{SQL: "PRAGMA foreign_keys = ON", Why: "as it was", Solo: true}}
}

// rebuild is the way to what ALTER TABLE can't do: the old table under another name, the
// new one under its own, the rows copied, the old one dropped, and its indexes and triggers
// made again. www.sqlite.org/lang_altertable.html has it the other way round, which loses
// all rows where a statement fails and the client goes on. Here each that fails has those
// fail that would lose something: they need the old table's new name, which is the
// transaction's, and stop ends that.
func (q *sqlite) rebuild(m *maker, t *table, edit func(*create) bool) change {
	old := t.planned
	made := parseCreate(old.sql)
	if made == nil || !edit(made) {
		return cannot("SQLite can't alter it in place, and the statement that made the table is not understood well enough to write it anew: that has to be done by hand.")
	}
	legacy := !t.namesItself()
	if !legacy && m.d.mentioned(t) {
		return cannot("SQLite can't alter it in place. To make it anew takes renaming the old one, but its statement or an index's names the table itself, and so does something else, which would follow the old one: that has to be done by hand.")
	}
	t.planned.sql = made.statement(q.table(t))
	return change{fix: q.replace(m, t, old, t.planned, legacy), undo: q.replace(m, t, t.planned, old, legacy)}
}

// replace makes a table anew by a plan. ROLLBACK counts before what the table's own
// constraints say, which may have rows left out: ON CONFLICT IGNORE.
func (q *sqlite) replace(m *maker, t *table, from, by planned, legacy bool) []Statement {
	name := m.name(t.schema, "m2msafe_old_"+t.name)
	old, columns := q.quote(name), t.stored()
	all := q.off()
	if legacy {
		all = append(all, Statement{SQL: "PRAGMA legacy_alter_table = ON", Why: legacyWhy, Solo: true})
	}
	all = append(all,
		Statement{SQL: "ALTER TABLE " + q.table(t) + " RENAME TO " + old, Why: "makes room"},
		q.owed(),
		Statement{SQL: by.sql, Why: "the table as it is to be"},
		Statement{SQL: "INSERT OR ROLLBACK INTO " + q.table(t) + " (" + names(q, "", columns) + ") SELECT " + names(q, "o", columns) + " FROM " + old + " AS o", Why: itsRows},
		Statement{SQL: stop("copied", "EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = "+literal(t.name)+") AND changes() = (SELECT count(*) FROM "+old+")"), Why: "each of them, or nothing of this is done"})
	if parseCreate(by.sql).says("AUTOINCREMENT") {
		all = append(all, Statement{SQL: "UPDATE sqlite_sequence SET seq = coalesce((SELECT seq FROM sqlite_sequence WHERE name = " + literal(name) + "), seq) WHERE name = " + literal(t.name), Why: "and how far its numbers have come"})
	}
	if !t.mismatched() {
		all = append(all, Statement{SQL: stop("sound", "(SELECT count(*) FROM pragma_foreign_key_check("+literal(t.name)+")) <= (SELECT count(*) FROM pragma_foreign_key_check("+literal(name)+"))"), Why: "no more rows may point at nothing than did"})
	}
	all = append(all,
		Statement{SQL: stop("known", fmt.Sprintf("(SELECT count(*) FROM pragma_table_xinfo(%s)) = %d AND count(*) <= %d FROM %s", literal(name), len(t.columns), len(from.extras), hanging(name))), Why: "what the audit did not see would be lost"},
		Statement{SQL: "DROP TABLE " + old, Why: "with its indexes and triggers"})
	for _, extra := range by.extras {
		all = append(all, Statement{SQL: extra, Why: "as before"})
	}
	alone := "1"
	if legacy {
		alone = "(SELECT legacy_alter_table FROM pragma_legacy_alter_table)"
	}
	all = append(all, Statement{SQL: stop("whole", fmt.Sprintf("%s AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = %s) AND count(*) = %d FROM %s", alone, literal(name), len(by.extras), hanging(t.name))), Why: "all of this is done, or nothing"})
	if legacy {
		all = append(all, Statement{SQL: "PRAGMA legacy_alter_table = OFF", Why: "as it was", Solo: true})
	}
	return append(all, q.on()...)
}

// hanging are a table's indexes and triggers, but for those of its own statement.
func hanging(table string) string {
	return "sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND lower(tbl_name) = lower(" + literal(table) + ")"
}

// mismatched says that SQLite refuses to check the table's foreign keys, for what one
// refers to has no unique key.
func (t *table) mismatched() bool {
	return slices.ContainsFunc(t.foreign, func(f *foreignKey) bool { return f.table != nil && !f.table.keyed(f.references) })
}

// namesItself says that a table has what a rename has to follow, or it is not a table any
// more: CHECK (user_groups.user_id > 0), also in an index. It does that if other things
// follow too.
func (t *table) namesItself() bool {
	made := parseCreate(t.planned.sql)
	return made != nil && qualifies(strings.Join(made.parts, ","), t.name) ||
		slices.ContainsFunc(t.planned.extras, func(extra string) bool { return !isTrigger(extra) && qualifies(extra, t.name) })
}

// mentioned says whether something else names a table: a foreign key, a view or a trigger.
func (d *database) mentioned(t *table) bool {
	for _, other := range slices.Concat(d.tables, d.views) {
		if other == t {
			continue
		}
		all := append(slices.Clone(other.planned.extras), other.planned.sql)
		if slices.ContainsFunc(all, func(definition string) bool { return mentions(definition, t.name) }) {
			return true
		}
	}
	return false
}
