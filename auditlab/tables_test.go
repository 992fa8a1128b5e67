package auditlab

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// column is what a row has to give a value to, or need not.
type column struct {
	name, typ string
	needed    bool // NOT NULL, without a default, and not counted up
}

var columnSQL = map[string]string{
	"postgres": `SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`,
	"mysql": `SELECT column_name, column_type, is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%'
FROM information_schema.columns WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position`,
	"sqlite": `SELECT name, type, "notnull" AND dflt_value IS NULL AND NOT (pk = 1 AND lower(type) = 'integer') FROM pragma_table_info(?) ORDER BY cid`,
}

func (d *database) columns(t testing.TB, table string) (found []column) {
	t.Helper()
	rows, err := d.pool.QueryContext(t.Context(), columnSQL[d.kind], table)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var c column
		require.NoError(t, rows.Scan(&c.name, &c.typ, &c.needed))
		found = append(found, c)
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, found, table)
	return found
}

// value is one for a column that nobody cares for.
func (c column) value(n int) string {
	typ := strings.ToLower(c.typ)
	for _, of := range []struct {
		types []string
		value string
	}{
		{[]string{"bool", "tinyint"}, "'0'"},
		{[]string{"int", "serial", "numeric"}, fmt.Sprint(1 + n%5)}, // it may be a foreign key
		// What is written later says that it is older.
		{[]string{"time", "date"}, time.Date(2026, 1, 2, 3, 4, -n, 0, time.UTC).Format("'2006-01-02 15:04:05'")},
		{[]string{"char", "text"}, fmt.Sprintf("'x%d'", n)},
	} {
		if slices.ContainsFunc(of.types, func(t string) bool { return strings.Contains(typ, t) }) {
			return of.value
		}
	}
	return "NULL"
}

// into makes an INSERT of the n-th row, with values of its own, as SQL, for some columns.
func (d *database) into(t testing.TB, table string, n int, values map[string]string) string {
	t.Helper()
	var names, given []string
	for _, c := range d.columns(t, table) {
		value, ok := values[c.name]
		switch {
		case ok:
		case c.needed:
			value = c.value(n)
		default:
			continue
		}
		names, given = append(names, d.quote(c.name)), append(given, value)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", d.quote(table), strings.Join(names, ", "), strings.Join(given, ", "))
}

// join is a join table, as its maker meant it, between tables whose keys are single columns.
type join struct {
	table string
	ends  [2]end
	mute  bool // its names don't tell what it joins
	keyed bool // nothing but its unique key tells that it is one
	soft  bool // its rows are deleted softly, as they were made
	// rename: where a foreign key of a name that it does not know stands for its own, the
	// maker's program adds its own, and on SQLite loses the indexes by that.
	rename bool
}

type end struct {
	column, table, key string
	text               bool // the key is a text, and not a number
}

// literal is the key of the n-th row of the end's table, clear of rows that its maker has
// put there, and small enough for a smallint.
func (e end) literal(n int) string {
	if e.text {
		return fmt.Sprintf("'k%d'", n)
	}
	return fmt.Sprint(1000 + n)
}

// link is the INSERT that links the a-th and the b-th row. It has its own number, for the
// columns that nobody cares for.
func (d *database) link(t testing.TB, j join, a, b int) string {
	t.Helper()
	values := map[string]string{j.ends[0].column: j.ends[0].literal(a), j.ends[1].column: j.ends[1].literal(b)}
	return d.into(t, j.table, 100*a+b, values)
}

// seeded are how many rows each end has, and each links to one of the other end.
const seeded = 5

// seed gives the ends rows, where another join table has not, and a link to each.
func (d *database) seed(t testing.TB, j join) {
	t.Helper()
	for _, e := range j.ends {
		if d.count(t, fmt.Sprintf("%s WHERE %s = %s", d.quote(e.table), d.quote(e.key), e.literal(1))) > 0 {
			continue
		}
		for n := 1; n <= seeded; n++ {
			d.exec(t, d.row(t, e, n))
		}
	}
	for n := 1; n <= seeded; n++ {
		d.exec(t, d.link(t, j, n, seeded+1-n))
	}
}

// row is the INSERT of the n-th row of an end's table.
func (d *database) row(t testing.TB, e end, n int) string {
	t.Helper()
	return d.into(t, e.table, n, map[string]string{e.key: e.literal(n)})
}

// strings gives the one column of a query.
func (d *database) strings(t testing.TB, query string, args ...any) (found []string) {
	t.Helper()
	rows, err := d.pool.QueryContext(t.Context(), query, args...)
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var s sql.NullString
		require.NoError(t, rows.Scan(&s))
		found = append(found, s.String)
	}
	require.NoError(t, rows.Err())
	return found
}
