package auditlab

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// TestPlantedDefects mends what each maker has left undone, plants each defect, as many at a
// time as there are join tables, and sees that the audit finds just these, that its
// statements mend them, that the maker's own programs still work, and that Undo brings the
// findings back.
func TestPlantedDefects(t *testing.T) {
	onMakers(t, func(t *testing.T, kind string, m *maker) {
		for i, batch := range m.batches(t, kind) {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) { testDefects(t, m.database(t, kind), m, batch) })
		}
	})
}

// planted is a defect and the join table for it.
type planted struct {
	join
	*defect
}

// batches are all defects that a kind of database can have, each in a join table, and none
// in the same as another of its batch.
func (m *maker) batches(t testing.TB, kind string) (batches [][]planted) {
	t.Helper()
	for i := range defects {
		if f := &defects[i]; applies(f.on, kind) {
			batches = m.put(t, batches, kind, f)
		}
	}
	return batches
}

func (m *maker) put(t testing.TB, batches [][]planted, kind string, f *defect) [][]planted {
	t.Helper()
	fits := func(batch []planted) *planted {
		for _, j := range m.joins {
			j = m.in(kind, j)
			if f.bare && (j.mute || j.rename && kind == "sqlite") || f.keyless && j.keyed || j.soft {
				continue
			}
			if !slices.ContainsFunc(batch, func(p planted) bool { return p.table == j.table }) {
				return &planted{j, f}
			}
		}
		return nil
	}
	for i, batch := range batches {
		if p := fits(batch); p != nil {
			batches[i] = append(batch, *p)
			return batches
		}
	}
	p := fits(nil)
	require.NotNil(t, p, "no join table for %s", f.name)
	return append(batches, []planted{*p})
}

func testDefects(t *testing.T, d *database, m *maker, batch []planted) {
	d.mend(t)
	for _, p := range batch {
		d.seed(t, p.join)
	}
	var want []string
	for _, p := range batch {
		t.Logf("%s: %s", p.table, p.name)
		p.plant(t, d, p.join)
		want = append(want, p.lines()...)
	}
	slices.Sort(want)

	report := d.audit(t, audit.Options{})
	require.Equal(t, want, lines(report.Findings), describe(report.Findings))
	for _, p := range batch {
		for _, x := range p.finds {
			n := slices.IndexFunc(report.Findings, func(g audit.Finding) bool { return g.Rule == x.rule && g.Table == p.table })
			if x.rows >= 0 {
				require.Equal(t, x.rows, report.Findings[n].Rows, describe(report.Findings[n:n+1]))
			}
		}
	}
	before := d.state(t)
	mended := d.mend(t)
	d.takeBack(t, mended)
	require.Equal(t, before, d.state(t), "undone:\n%s", describe(mended))

	d.mend(t)
	for i, p := range batch {
		d.usable(t, p.join, i)
	}
	if m.smoke != nil {
		m.smoke(t, d)
		// Ent and GORM make a table of SQLite's anew if it is not as they declare it, and it
		// has no index then that they don't know of.
		report := d.audit(t, audit.Options{})
		require.Subset(t, m.lines(t, d), lines(report.Findings), "the maker's own programs have undone it: %s", describe(report.Findings))
	}
}

func (d *database) requireClean(t testing.TB, when string) {
	t.Helper()
	report := d.audit(t, audit.Options{})
	if len(report.Findings) > 0 {
		require.Fail(t, fmt.Sprintf("the audit finds\n%s%s", describe(report.Findings), when))
	}
}
