package auditlab

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/m2msafe/m2msafe/audit"
)

// defect is one that a migration can leave a sound join table with.
type defect struct {
	name string
	on   string // the kinds of databases that have such a thing, all if empty
	// bare is without foreign keys, and only names tell what is joined; keyless without a
	// key on all pairs.
	bare, keyless bool
	plant         func(t testing.TB, d *database, j join)
	// known is one that models tell, and the catalogue does not.
	known bool
	// decide does what no fix can, once it is found.
	decide func(t testing.TB, d *database, j join)
	// finds are the rules and the columns, a and b, of what is true then; the pair's if
	// there are none.
	finds []finds
}

type finds struct {
	rule    audit.Rule
	columns string
	on      string
	rows    int64 // -1 if it does not matter
}

// deletedAt is the type of a column for soft deletion.
var deletedAt = map[string]string{"postgres": "timestamptz", "mysql": "datetime(3)", "sqlite": "datetime"}

var defects = []defect{
	{
		name: "no key on the pair", keyless: true,
		plant: func(t testing.TB, d *database, j join) { d.dropPairKeys(t, j) },
		finds: []finds{{rule: audit.NoUniqueKey, rows: seeded}},
	},
	{
		name: "no key on the pair, and pairs stored twice", keyless: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.again(t, j, 1, 1, 2)
		},
		finds: []finds{{rule: audit.NoUniqueKey, rows: seeded + 3}, {rule: audit.DuplicatePairs, rows: 3}},
	},
	{
		name: "a key on some pairs", on: "postgres sqlite", keyless: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.uniquePair(t, j, " WHERE "+d.quote(j.ends[0].column)+" > "+j.ends[0].literal(2))
		},
		finds: []finds{{rule: audit.PartialUniqueKey, rows: -1}},
	},
	{
		name: "a key on some pairs, and others stored twice", on: "postgres sqlite", keyless: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.uniquePair(t, j, " WHERE "+d.quote(j.ends[0].column)+" > "+j.ends[0].literal(2))
			d.again(t, j, 1)
		},
		finds: []finds{{rule: audit.PartialUniqueKey, rows: -1}, {rule: audit.DuplicatePairs, rows: 1}},
	},
	{
		name: "a deferrable key", on: "postgres", keyless: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.exec(t, fmt.Sprintf("ALTER TABLE %q ADD CONSTRAINT %q UNIQUE (%s) DEFERRABLE INITIALLY DEFERRED", j.table, "lab_"+j.table, d.pair(j)))
			d.index(t, j.table, j.ends[1].column)
		},
		finds: []finds{{rule: audit.DeferrableUniqueKey, rows: -1}},
	},
	{
		name: "a key on expressions", on: "postgres sqlite", keyless: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			a, b := d.quote(j.ends[0].column), d.quote(j.ends[1].column)
			d.uniqueIndex(t, j.table, fmt.Sprintf("(%s || ''), %s", a+map[string]string{"postgres": "::text"}[d.kind], b), "")
			d.index(t, j.table, j.ends[1].column)
		},
		finds: []finds{{rule: audit.ExpressionUniqueKey, rows: -1}},
	},
	{
		name: "a key that NULL goes past",
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.uniquePair(t, j, "")
			d.permitNull(t, j.table, j.ends[1].column)
		},
		finds: []finds{{rule: audit.NullableUniqueKey, columns: "b", rows: -1}},
	},
	{
		name: "a key that NULL has gone past",
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.uniquePair(t, j, "")
			d.permitNull(t, j.table, j.ends[1].column)
			for n := range 2 {
				d.exec(t, d.into(t, j.table, 500+n, map[string]string{j.ends[0].column: j.ends[0].literal(1), j.ends[1].column: "NULL"}))
			}
		},
		decide: func(t testing.TB, d *database, j join) {
			d.exec(t, "DELETE FROM "+d.quote(j.table)+" WHERE "+d.quote(j.ends[1].column)+" IS NULL")
		},
		finds: []finds{{rule: audit.NullableUniqueKey, columns: "b", rows: 2}},
	},
	{
		name: "no foreign key at one end", bare: true,
		plant: func(t testing.TB, d *database, j join) { d.dropForeignKey(t, j.table, j.ends[1].column) },
		finds: []finds{{rule: audit.NoForeignKey, columns: "b", rows: -1}},
	},
	{
		name: "links to nothing, and no foreign keys", bare: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropForeignKey(t, j.table, j.ends[0].column)
			d.dropForeignKey(t, j.table, j.ends[1].column)
			d.exec(t, d.link(t, j, 1, 77), d.link(t, j, 78, 2), d.link(t, j, 78, 77))
		},
		finds: []finds{
			{rule: audit.NoForeignKey, columns: "a", rows: -1}, {rule: audit.NoForeignKey, columns: "b", rows: -1},
			{rule: audit.DanglingLinks, columns: "a b", rows: -1},
		},
	},
	{
		// A dump that was loaded without checks leaves this.
		name: "links to nothing, under foreign keys", on: "mysql sqlite",
		plant: func(t testing.TB, d *database, j join) { d.unchecked(t, d.link(t, j, 1, 77)) },
		finds: []finds{{rule: audit.DanglingLinks, columns: "b", rows: 1}},
	},
	{
		name:  "links are deleted softly",
		plant: func(t testing.TB, d *database, j join) { d.addColumn(t, j.table, "deleted_at", deletedAt[d.kind]) },
		finds: []finds{{rule: audit.SoftDeleteFullKey, rows: -1}},
	},
	{
		name: "links are deleted softly, and nothing keeps living ones apart", keyless: true,
		plant: func(t testing.TB, d *database, j join) {
			d.addColumn(t, j.table, "deleted_at", deletedAt[d.kind])
			d.dropPairKeys(t, j)
			d.again(t, j, 1)
			// Dead ones may be there as often as they like.
			for n := range 2 {
				d.again(t, j, 2)
				d.exec(t, fmt.Sprintf("UPDATE %s SET deleted_at = '2026-01-02 03:04:0%d' WHERE %s = %s", d.quote(j.table), n, d.quote(j.ends[0].column), j.ends[0].literal(2)))
			}
		},
		finds: []finds{{rule: audit.SoftDeleteNoKey, rows: -1}, {rule: audit.DuplicatePairs, rows: 1}},
	},
	{
		name: "no index for one end", on: "postgres sqlite",
		plant: func(t testing.TB, d *database, j join) {
			d.dropPairKeys(t, j)
			d.dropIndexes(t, j.table, j.ends[0].column)
			d.dropIndexes(t, j.table, j.ends[1].column)
			d.uniqueIndex(t, j.table, d.pair(j), "")
		},
		finds: []finds{{rule: audit.NoReverseIndex, columns: "b", rows: -1}},
	},
	{
		// InnoDB lets no index go that a foreign key needs.
		name: "no index for one end, and no foreign key", on: "mysql", bare: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropForeignKey(t, j.table, j.ends[0].column)
			d.dropForeignKey(t, j.table, j.ends[1].column)
			d.dropPairKeys(t, j)
			d.dropIndexes(t, j.table, j.ends[0].column)
			d.dropIndexes(t, j.table, j.ends[1].column)
			d.uniqueIndex(t, j.table, d.pair(j), "")
		},
		finds: []finds{
			{rule: audit.NoForeignKey, columns: "a", rows: -1}, {rule: audit.NoForeignKey, columns: "b", rows: -1},
			{rule: audit.NoReverseIndex, columns: "b", rows: -1},
		},
	},
	{
		name: "a unique key on one end alone", known: true,
		plant: func(t testing.TB, d *database, j join) { d.uniqueIndex(t, j.table, d.quote(j.ends[0].column), "") },
		finds: []finds{{rule: audit.CopiedUniqueKey, columns: "a", rows: -1}},
	},
	{
		name: "a join column of a smaller type", on: "postgres",
		plant: func(t testing.TB, d *database, j join) { d.setType(t, j.table, j.ends[1].column, "smallint") },
		finds: []finds{{rule: audit.KeyTypesDiffer, columns: "b", rows: -1}},
	},
	{
		name: "a join column of a smaller type, and no foreign key", on: "mysql", bare: true,
		plant: func(t testing.TB, d *database, j join) {
			d.dropForeignKey(t, j.table, j.ends[1].column)
			d.setType(t, j.table, j.ends[1].column, "smallint")
		},
		finds: []finds{{rule: audit.KeyTypesDiffer, columns: "b", rows: -1}, {rule: audit.NoForeignKey, columns: "b", rows: -1}},
	},
	{
		name: "a join column that is a text", on: "sqlite",
		plant: func(t testing.TB, d *database, j join) { d.setType(t, j.table, j.ends[1].column, "text") },
		finds: []finds{{rule: audit.KeyTypesDiffer, columns: "b", rows: -1}},
	},
}

// again stores the link of each n-th row of one end, as seed made it, once more.
func (d *database) again(t testing.TB, j join, which ...int) {
	t.Helper()
	for i, n := range which {
		values := map[string]string{j.ends[0].column: j.ends[0].literal(n), j.ends[1].column: j.ends[1].literal(seeded + 1 - n)}
		d.alike(t, j, values)
		d.exec(t, d.into(t, j.table, 600+10*n+i+d.count(t, d.quote(j.table)), values))
	}
}

// alike adds what else a row has that has these values, but for its number and its times.
func (d *database) alike(t testing.TB, j join, values map[string]string) {
	t.Helper()
	var where []string
	for name, value := range values {
		where = append(where, d.quote(name)+" = "+value)
	}
	for _, c := range d.columns(t, j.table) {
		if _, ok := values[c.name]; ok || !c.needed || c.name == "id" || strings.Contains(strings.ToLower(c.typ), "time") || strings.Contains(strings.ToLower(c.typ), "date") {
			continue
		}
		values[c.name] = "'" + d.strings(t, "SELECT "+d.quote(c.name)+" FROM "+d.quote(j.table)+" WHERE "+strings.Join(where, " AND "))[0] + "'"
	}
}

// lines are what the audit has to find in a join table.
func (p planted) lines() []string {
	var all []string
	for _, x := range p.finds {
		columns := []string{}
		for i, name := range []string{"a", "b"} {
			if x.columns == "" || slices.Contains(strings.Fields(x.columns), name) {
				columns = append(columns, p.ends[i].column)
			}
		}
		all = append(all, line(x.rule, p.table, columns...))
	}
	slices.Sort(all)
	return all
}
