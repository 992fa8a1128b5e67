package auditlab

import (
	"testing"
)

// TestMakers has each maker make its tables, and sees that they take what they are for.
func TestMakers(t *testing.T) {
	onMakers(t, func(t *testing.T, d *database, m *maker) {
		for _, j := range m.joins {
			d.columns(t, j.inDatabase(d, m).table)
		}
		if m.smoke != nil {
			m.smoke(t, d)
		}
		for _, j := range m.joins {
			d.seed(t, j.inDatabase(d, m))
			break
		}
	})
}

// onMakers runs a test on a new database of each maker and kind.
func onMakers(t *testing.T, run func(t *testing.T, d *database, m *maker)) {
	t.Helper()
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			for _, kind := range []string{"postgres", "mysql", "sqlite"} {
				if !applies(m.on, &database{kind: kind}) {
					continue
				}
				t.Run(kind, func(t *testing.T) {
					d := engines[kind](t)
					m.make(t, d)
					run(t, d, &m)
				})
			}
		})
	}
}
