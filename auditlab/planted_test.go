package auditlab

import (
	"fmt"
	"slices"
	"strings"
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
		var joins []join
		for _, j := range m.joins {
			if !j.ends[0].text {
				joins = append(joins, m.in(kind, j))
			}
		}
		var all []*defect
		for i := range defects {
			if applies(defects[i].on, kind) {
				all = append(all, &defects[i])
			}
		}
		for batch := range slices.Chunk(all, len(joins)) {
			var names []string
			for _, f := range batch {
				names = append(names, f.name)
			}
			t.Run(strings.Join(names, "; "), func(t *testing.T) {
				testDefects(t, m.database(t, kind), m, joins, batch)
			})
		}
	})
}

// testDefects plants one defect in each join table.
func testDefects(t *testing.T, d *database, m *maker, joins []join, batch []*defect) {
	d.mend(t, audit.Options{})
	for _, j := range joins[:len(batch)] {
		d.seed(t, j)
	}
	var want []string
	for i, f := range batch {
		f.plant(t, d, joins[i])
		want = append(want, f.lines(joins[i])...)
	}
	slices.Sort(want)

	report := d.audit(t, audit.Options{})
	require.Equal(t, want, lines(report.Findings), describe(report.Findings))
	for i, f := range batch {
		for _, x := range f.finds {
			n := slices.IndexFunc(report.Findings, func(g audit.Finding) bool { return g.Rule == x.rule && g.Table == joins[i].table })
			if x.rows >= 0 {
				require.Equal(t, x.rows, report.Findings[n].Rows, describe(report.Findings[n:n+1]))
			}
		}
	}
	for _, g := range report.Findings {
		require.NotEmpty(t, g.Fix, describe([]audit.Finding{g}))
		d.apply(t, g.Fix)
	}
	d.requireClean(t, "after the fixes of\n"+describe(report.Findings))

	for _, g := range slices.Backward(report.Findings) {
		require.NotEmpty(t, g.Undo, describe([]audit.Finding{g}))
		d.apply(t, g.Undo)
	}
	again := d.audit(t, audit.Options{})
	require.Equal(t, want, lines(again.Findings), "undone:\n%s", describe(report.Findings))

	d.mend(t, audit.Options{})
	if m.smoke != nil {
		m.smoke(t, d)
		d.requireClean(t, "the maker's own programs have undone it")
	}
	for i, j := range joins[:len(batch)] {
		d.usable(t, j, i)
	}
}

func (d *database) requireClean(t testing.TB, when string) {
	t.Helper()
	report := d.audit(t, audit.Options{})
	if len(report.Findings) > 0 {
		require.Fail(t, fmt.Sprintf("the audit finds\n%s%s", describe(report.Findings), when))
	}
}
