package auditlab

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// TestAsMade has each maker make its tables: the audit finds the join tables, finds what is
// true of them and nothing else, mends that, after which the maker's own programs use them
// as before, and can take it back to the last index.
func TestAsMade(t *testing.T) {
	onMakers(t, func(t *testing.T, kind string, m *maker) {
		d := m.database(t, kind)
		report := d.audit(t, audit.Options{})
		require.Equal(t, m.lines(t, d), lines(report.Findings), describe(report.Findings))
		m.requireJoins(t, d, report)

		before := d.state(t)
		mended := d.mend(t)
		d.takeBack(t, mended)
		require.Equal(t, before, d.state(t), "undone:\n%s", describe(mended))

		d.mend(t)
		if m.smoke != nil {
			m.smoke(t, d)
			d.requireClean(t, "the maker's own programs have undone it")
		}
	})
}

// TestNamedTable asks about a table that is not recognized: it has a key of its own and two
// foreign keys, as a join table and as many a thing in its own right.
func TestNamedTable(t *testing.T) {
	for kind := range engines {
		t.Run(kind, func(t *testing.T) {
			d := engines[kind](t)
			fixture("sequelize")(t, d)
			report := d.audit(t, audit.Options{Tables: []string{"Loans"}})
			require.Len(t, report.Tables, 1)
			require.Contains(t, lines(report.Findings), line(audit.NoUniqueKey, "Loans", "RoleId", "UserId"))
			before := d.state(t)
			for _, f := range report.Findings {
				d.apply(t, f.Fix)
			}
			require.Empty(t, describe(d.audit(t, audit.Options{Tables: []string{"Loans"}}).Findings))
			d.takeBack(t, report.Findings)
			require.Equal(t, before, d.state(t))
		})
	}
}

// lines are the true findings of a kind of database, as lines makes them.
func (m *maker) lines(t testing.TB, d *database) []string {
	t.Helper()
	found := []string{}
	for _, k := range m.findings {
		require.NotEmpty(t, k.because, k.rule)
		if !applies(k.on, d.kind) {
			continue
		}
		for where := range strings.FieldsSeq(k.of) {
			table, column, single := strings.Cut(where, ".")
			j := m.join(t, table)
			if single {
				j.ends = [2]end{{column: column}, {column: column}}
			}
			j = m.in(d.kind, j)
			found = append(found, line(k.rule, j.table, slices.Compact([]string{j.ends[0].column, j.ends[1].column})...))
		}
	}
	slices.Sort(found)
	return found
}

// requireJoins sees that the maker's join tables, and no other tables, were taken for some.
func (m *maker) requireJoins(t testing.TB, d *database, report *audit.Report) {
	t.Helper()
	var want, found, conventions []string
	for _, j := range m.joins {
		j = m.in(d.kind, j)
		ends := []string{}
		for _, e := range j.ends {
			ends = append(ends, fmt.Sprintf("%s to %s.%s", e.column, e.table, e.key))
		}
		slices.Sort(ends)
		want = append(want, fmt.Sprint(j.table, ends))
	}
	for _, j := range report.Tables {
		conventions = append(conventions, j.Convention)
		// One that someone has named in his own way is known by its foreign keys, if it has any.
		own := "names"
		if j.Ends[0].Declared || j.Ends[1].Declared {
			own = "foreign keys"
		}
		require.Contains(t, []string{m.convention, own}, j.Convention, j.Name)
		ends := []string{}
		for _, e := range j.Ends {
			ends = append(ends, fmt.Sprintf("%s to %s.%s", strings.Join(e.Columns, ","), e.Table, strings.Join(e.References, ",")))
		}
		slices.Sort(ends)
		found = append(found, fmt.Sprint(j.Name, ends))
	}
	slices.Sort(want)
	slices.Sort(found)
	require.Equal(t, want, found)
	require.Contains(t, conventions, m.convention)
}

// onMakers runs a test for each maker, or for some, on each kind of database.
func onMakers(t *testing.T, run func(t *testing.T, kind string, m *maker), some ...string) {
	t.Helper()
	for _, m := range makers {
		if some != nil && !slices.Contains(some, m.name) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			for _, kind := range []string{"postgres", "mysql", "sqlite"} {
				if applies(m.on, kind) {
					t.Run(kind, func(t *testing.T) { run(t, kind, &m) })
				}
			}
		})
	}
}

// database is a new one with the maker's tables.
func (m *maker) database(t testing.TB, kind string) *database {
	t.Helper()
	d := engines[kind](t)
	m.make(t, d)
	for _, j := range m.joins {
		j = m.in(kind, j)
		known := audit.JoinTable{Name: j.table}
		for i, e := range j.ends {
			known.Ends[i] = audit.End{Columns: []string{e.column}, Table: e.table, References: []string{e.key}}
		}
		d.known = append(d.known, known)
	}
	return d
}
