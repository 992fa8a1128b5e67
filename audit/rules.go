package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// found is a finding, and how to mend it. That is called when all findings of its table
// are in order, for a change may build on those before it.
type found struct {
	Finding
	mend func() change
	does string // what the fix does, for the story if there is one
	t    *table
}

// order is that of the rules, where the severity is the same: rows that are in the way
// go before what they are in the way of, types come before foreign keys.
var order = []Rule{
	DanglingLinks, KeyTypesDiffer, DuplicatePairs, NoUniqueKey, SoftDeleteNoKey, NoForeignKey, DeferrableUniqueKey,
	NullableUniqueKey, ExpressionUniqueKey, PartialUniqueKey, SoftDeleteFullKey, CopiedUniqueKey, LookupNotUnique, NoReverseIndex,
}

// tell reports what is wrong with a join table.
func (a *audit) tell(j *join) {
	var all []found
	all = append(all, a.dangling(j)...)
	all = append(all, a.duplicates(j)...)
	all = append(all, a.uniqueKey(j)...)
	all = append(all, a.softKey(j)...)
	all = append(all, a.copied(j)...)
	all = append(all, a.types(j)...)
	all = append(all, a.foreignKeys(j)...)
	all = append(all, a.reverse(j)...)
	a.add(all, j.relation)
}

// add puts findings of a table into the report, the worst first, with the statements
// that mend them.
func (a *audit) add(all []found, relation string) {
	slices.SortStableFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(slices.Index(order, a.Rule), slices.Index(order, b.Rule)))
	})
	for _, f := range all {
		f.Relation = relation
		indexed, columns := slices.Clone(f.t.planned.indexed), slices.Clone(f.t.columns)
		if c := f.mend(); c.cannot != "" {
			f.Story += " " + c.cannot
			f.t.planned.indexed = indexed // what is not done others can't count on
			copy(f.t.columns, columns)
		} else {
			if c.fix != nil {
				f.Story += f.does
			}
			f.Fix, f.Undo = c.fix, c.undo
		}
		a.report.Findings = append(a.report.Findings, f.Finding)
	}
}

// finding begins one about a join table, with all of its rows.
func (j *join) finding(r Rule, s Severity, columns []string) found {
	return found{Finding: Finding{Rule: r, Severity: s, Table: j.t.full(), Columns: columns, Rows: j.rows, Estimated: j.estimated && j.rows >= 0}, t: j.t}
}

// quoted are names for a text.
func quoted(names []string) string { return strings.Join(names, ", ") }

// counted is a number with its noun.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// number writes thousands apart.
func number(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// name is what an end is called: its table's name, or its columns.
func (l link) name() string {
	switch {
	case l.to != nil:
		return l.to.full()
	case l.foreign != nil:
		return l.foreign.refers
	}
	return quoted(l.columns)
}
