package auditlab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// TestPlantedDefects mends what each maker has left undone, plants defects, and sees that
// the audit finds just these, that its statements mend them and lose no link, that the
// maker's own programs still work, and that Undo brings back what was. Each maker's tables
// have each defect once, if all are asked for, and else as many as there are join tables.
func TestPlantedDefects(t *testing.T) {
	onMakers(t, func(t *testing.T, kind string, m *maker) {
		for i, batch := range batches(t, kind)[m.name] {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) { testDefects(t, m.database(t, kind), m, batch) })
		}
	})
}

// TestOldestRowStays plants pairs that are stored twice where rows say when they were made:
// those that were inserted last say that they are the oldest.
func TestOldestRowStays(t *testing.T) {
	i := slices.IndexFunc(defects, func(f defect) bool { return f.name == "no key on the pair, and pairs stored twice" })
	onMakers(t, func(t *testing.T, kind string, m *maker) {
		testDefects(t, m.database(t, kind), m, []planted{{m.joins[0], &defects[i]}})
	}, "sequelize")
}

// TestEveryRuleIsPlanted sees that on each kind of database each defect is planted somewhere,
// and by that each rule of the audit, but for those that can't be true there.
func TestEveryRuleIsPlanted(t *testing.T) {
	cannot := map[string][]audit.Rule{
		"mysql":  {audit.PartialUniqueKey, audit.ExpressionUniqueKey, audit.DeferrableUniqueKey}, // MariaDB has no such keys
		"sqlite": {audit.DeferrableUniqueKey},                                                    // nor has SQLite
	}
	for kind := range engines {
		where := map[audit.Rule][]string{}
		never := map[string]bool{}
		for _, f := range defects {
			never[f.name] = applies(f.on, kind)
		}
		for maker, all := range batches(t, kind) {
			for _, p := range slices.Concat(all...) {
				never[p.name] = false
				for _, x := range p.finds {
					where[x.rule] = append(where[x.rule], maker+"'s "+p.table)
				}
			}
		}
		for _, c := range lookupColumns {
			if applies(c.on, kind) {
				where[audit.LookupNotUnique] = append(where[audit.LookupNotUnique], c.maker+"'s "+c.table)
			}
		}
		for name, is := range never {
			require.False(t, is, "%s is planted nowhere on %s", name, kind)
		}
		for _, rule := range rules(t) {
			require.Equal(t, slices.Contains(cannot[kind], rule), where[rule] == nil, "%s on %s", rule, kind)
			slices.Sort(where[rule])
			t.Logf("%s: %s: %s", kind, rule, strings.Join(slices.Compact(where[rule]), ", "))
		}
	}
}

// rules are all that package audit declares.
func rules(t testing.TB) (all []audit.Rule) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "audit", "finding.go"))
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(`Rule += "([a-z-]+)"`).FindAllSubmatch(text, -1) {
		all = append(all, audit.Rule(found[1]))
	}
	require.Greater(t, len(all), 10)
	return all
}

// allDefects has each maker's tables have each defect, which takes minutes.
var allDefects = os.Getenv("M2MSAFE_SCHEMAS") == "all"

// planted is a defect and the join table for it.
type planted struct {
	join
	*defect
}

// batches are what is planted in each maker's tables on a kind of database: each batch in
// a database of its own, each defect of it in a join table of its own. If not all are asked
// for there is one for each maker, and defects that no maker has yet come first.
func batches(t testing.TB, kind string) map[string][][]planted {
	t.Helper()
	made := map[string][][]planted{}
	var queue []*defect
	for i := range defects {
		if applies(defects[i].on, kind) {
			queue = append(queue, &defects[i])
		}
	}
	for i := range makers {
		m := &makers[i]
		if !applies(m.on, kind) {
			continue
		}
		left := queue
		for len(left) > 0 && (allDefects || made[m.name] == nil) {
			var batch []planted
			batch, left = m.batch(kind, left)
			require.NotEmpty(t, batch, "%s has no join table for a defect", m.name)
			made[m.name] = append(made[m.name], batch)
			if !allDefects {
				queue = left
				for _, p := range batch {
					queue = append(queue, p.defect)
				}
			}
		}
	}
	return made
}

// batch takes as many defects as the maker has join tables, and returns the others.
func (m *maker) batch(kind string, queue []*defect) (batch []planted, left []*defect) {
	for _, f := range queue {
		i := slices.IndexFunc(m.joins, func(j join) bool {
			j = m.in(kind, j)
			return !(f.bare && (j.mute || j.rename && kind == "sqlite") || f.keyless && j.keyed || j.soft) &&
				!slices.ContainsFunc(batch, func(p planted) bool { return p.table == j.table })
		})
		if i < 0 {
			left = append(left, f)
		} else {
			batch = append(batch, planted{m.in(kind, m.joins[i]), f})
		}
	}
	return batch, left
}

func testDefects(t *testing.T, d *database, m *maker, batch []planted) {
	d.mend(t)
	for _, p := range batch {
		d.seed(t, p.join)
	}
	var want, known []string
	for _, p := range batch {
		t.Logf("%s: %s", p.table, p.name)
		p.plant(t, d, p.join)
		if known = append(known, p.lines()...); !p.known {
			want = append(want, p.lines()...)
		}
	}
	slices.Sort(want)
	slices.Sort(known)

	report := d.audit(t, audit.Options{})
	require.Equal(t, append([]string{}, want...), lines(report.Findings), describe(report.Findings))
	report = d.audit(t, audit.Options{Joins: d.known})
	require.Equal(t, known, lines(report.Findings), describe(report.Findings))
	for _, p := range batch {
		for _, x := range p.finds {
			n := slices.IndexFunc(report.Findings, func(g audit.Finding) bool { return g.Rule == x.rule && g.Table == p.table })
			if x.rows >= 0 {
				require.Equal(t, x.rows, report.Findings[n].Rows, describe(report.Findings[n:n+1]))
			}
		}
	}
	for _, p := range batch {
		if p.decide != nil {
			p.decide(t, d, p.join)
		}
	}
	before := d.state(t)
	var links []map[string]string
	for _, p := range batch {
		links = append(links, d.links(t, p.join))
	}
	mended := d.mend(t)
	for i, p := range batch {
		require.NotEmpty(t, links[i])
		require.Equal(t, links[i], d.links(t, p.join), "%s has its links, and of each the oldest row\n%s", p.table, describe(mended))
		require.LessOrEqual(t, len(d.pairKeys(t, p.join)), 1, "%s has a key that is no use any more\n%s", p.table, describe(mended))
	}
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
