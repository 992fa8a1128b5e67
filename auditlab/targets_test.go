package auditlab

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// lookupColumn is one by which an app looks a target up: unique, as its maker made it.
type lookupColumn struct {
	maker         string
	table, column string
	on            string            // the kinds of databases that write it so, all if empty
	drop          map[string]string // what takes its key away, by kind
}

var lookupColumns = []lookupColumn{
	{"django", "shop_publication", "title", "", map[string]string{
		"postgres": `ALTER TABLE shop_publication DROP CONSTRAINT shop_publication_title_key`,
		"mysql":    "ALTER TABLE shop_publication DROP INDEX title",
		"sqlite":   "", // it stands in the table's own statement: see rebuild
	}},
	{"sequelize", "Projects", "title", "", map[string]string{
		"postgres": `ALTER TABLE "Projects" DROP CONSTRAINT "Projects_title_key"`, "mysql": "ALTER TABLE `Projects` DROP INDEX title", "sqlite": "",
	}},
	{"hibernate", "team", "name", "postgres", map[string]string{"postgres": `ALTER TABLE team DROP CONSTRAINT team_name_key`}},
	{"hibernate", "Team", "name", "mysql", map[string]string{"mysql": "ALTER TABLE Team DROP INDEX name"}},
	{"prisma6", "Tag", "name", "", map[string]string{"postgres": `DROP INDEX "Tag_name_key"`}},
	{"prisma5", "Tag", "name", "", map[string]string{
		"postgres": `DROP INDEX "Tag_name_key"`, "mysql": "ALTER TABLE `Tag` DROP INDEX `Tag_name_key`", "sqlite": `DROP INDEX "Tag_name_key"`,
	}},
	{"gorm", "shelves", "name", "", map[string]string{
		"postgres": `DROP INDEX idx_shelves_name`, "mysql": "ALTER TABLE shelves DROP INDEX idx_shelves_name", "sqlite": `DROP INDEX idx_shelves_name`,
	}},
	{"ent", "groups", "name", "", map[string]string{
		"postgres": `DROP INDEX groups_name_key`, "mysql": "ALTER TABLE `groups` DROP INDEX `name`", "sqlite": `DROP INDEX groups_name_key`,
	}},
}

// TestLookupColumns names a unique column of a target, which is sound, and takes its key
// away, which is found and mended; with two rows of one name nobody can say which is the
// right one, and there is no fix.
func TestLookupColumns(t *testing.T) {
	onMakers(t, func(t *testing.T, kind string, m *maker) {
		for _, c := range lookupColumns {
			if c.maker == m.name && applies(c.on, kind) {
				testLookup(t, m.database(t, kind), c)
			}
		}
	}, "django", "sequelize", "prisma5", "prisma6", "hibernate", "gorm", "ent")
}

func testLookup(t *testing.T, d *database, c lookupColumn) {
	d.mend(t)
	o := audit.Options{Lookups: []string{c.table + "." + c.column}}
	report := d.audit(t, o)
	require.Empty(t, report.Findings, describe(report.Findings))

	if drop := c.drop[d.kind]; drop != "" {
		d.exec(t, drop)
	} else {
		d.rebuild(t, c.table, func(s *shape) { s.drop(c.column) })
	}
	for n := 1; n <= 2; n++ {
		d.exec(t, d.into(t, c.table, n, map[string]string{c.column: fmt.Sprintf("'name %d'", n)}))
	}
	want := []string{line(audit.LookupNotUnique, c.table, c.column)}
	report = d.audit(t, o)
	require.Equal(t, want, lines(report.Findings))
	require.Equal(t, audit.Warning, report.Findings[0].Severity)
	before := d.state(t)
	d.apply(t, report.Findings[0].Fix)
	require.Empty(t, d.audit(t, o).Findings)
	twice := d.into(t, c.table, 3, map[string]string{c.column: "'name 1'"})
	_, err := d.pool.ExecContext(t.Context(), twice)
	require.Error(t, err, "the name is taken")

	d.takeBack(t, report.Findings)
	require.Equal(t, before, d.state(t))
	d.exec(t, twice)
	report = d.audit(t, o)
	require.Equal(t, want, lines(report.Findings))
	require.Equal(t, audit.Error, report.Findings[0].Severity)
	require.EqualValues(t, 1, report.Findings[0].Rows)
	require.Empty(t, report.Findings[0].Fix)
}

// TestCopiedColumn gives the join table a copy of its target's unique column, and the key
// with it, as GORM does with a join model that embeds its target.
func TestCopiedColumn(t *testing.T) {
	onMakers(t, func(t *testing.T, kind string, m *maker) {
		d := m.database(t, kind)
		d.mend(t)
		j := map[string]join{"gorm": gormJoins[3], "ent": m.joins[0], "sequelize": m.joins[0]}[m.name]
		name := map[string]string{"gorm": "name", "ent": "name", "sequelize": "title"}[m.name]
		d.seed(t, j)
		d.addColumn(t, j.table, name, "varchar(50)")
		d.exec(t, fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s (%s)", d.quote("lab_copied"), d.quote(j.table), d.quote(name)))

		report := d.audit(t, audit.Options{Joins: d.known})
		want := []string{line(audit.CopiedUniqueKey, j.table, name)}
		require.Equal(t, want, lines(report.Findings), describe(report.Findings))
		before := d.state(t)
		d.apply(t, report.Findings[0].Fix)
		d.requireClean(t, describe(report.Findings))
		d.takeBack(t, report.Findings)
		require.Equal(t, before, d.state(t))
		d.mend(t)
		d.usable(t, j, 0)
	}, "gorm", "ent", "sequelize")
}
