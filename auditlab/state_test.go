package auditlab

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// stateSQL gives what the catalogue knows of all tables, as a text a thing: columns, keys,
// constraints, indexes, triggers, and what is left of others.
var stateSQL = map[string]string{
	"postgres": `SELECT format('%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
  a.attidentity::text || coalesce(pg_get_expr(d.adbin, d.adrelid), ''))
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'S') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT format('%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), CASE WHEN NOT convalidated THEN 'NOT VALID' END)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
UNION ALL SELECT format('%s %s %s', pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisvalid)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL SELECT pg_get_triggerdef(g.oid) FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal`,
	"sqlite": `SELECT type || ' ' || tbl_name || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master`,
}

// tablesSQL gives the names of all tables.
var tablesSQL = map[string]string{
	"postgres": `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'`,
	"mysql":    `SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE'`,
	"sqlite":   `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
}

var (
	// What makes no difference in SQLite's statements, which are kept as they were written.
	layout = regexp.MustCompile("[\\s\"`\\[\\]]+")
	// How far numbers have come.
	nextNumber = regexp.MustCompile(` AUTO_INCREMENT=\d+`)
)

// state is all that a database holds: its catalogue, and every row of every table.
func (d *database) state(t testing.TB) (all []string) {
	t.Helper()
	if d.kind != "mysql" {
		all = d.strings(t, stateSQL[d.kind])
	}
	for _, table := range d.strings(t, tablesSQL[d.kind]) {
		if d.kind == "mysql" {
			all = append(all, d.shown(t, table)...)
		}
		all = append(all, d.rows(t, table)...)
	}
	if d.kind == "sqlite" {
		for i, s := range all {
			all[i] = layout.ReplaceAllString(s, "")
		}
	}
	slices.Sort(all)
	return all
}

// shown is MySQL's own statement of a table, a line each: its keys have an order, of which
// nobody knows.
func (d *database) shown(t testing.TB, table string) []string {
	t.Helper()
	var name, text string
	require.NoError(t, d.pool.QueryRowContext(t.Context(), "SHOW CREATE TABLE "+d.quote(table)).Scan(&name, &text))
	lines := strings.Split(nextNumber.ReplaceAllString(text, ""), "\n")
	for i, line := range lines {
		lines[i] = table + ":" + strings.TrimSuffix(line, ",")
	}
	return lines
}

// rows are those of a table, a text each.
func (d *database) rows(t testing.TB, table string) (all []string) {
	t.Helper()
	columns, rows := d.query(t, "SELECT * FROM "+d.quote(table))
	for _, values := range rows {
		row := map[string]string{} // columns have no order either
		for i, name := range columns {
			row[name] = values[i]
		}
		all = append(all, fmt.Sprint(table, row))
	}
	return all
}

// query gives what a query does, as texts.
func (d *database) query(t testing.TB, query string) (columns []string, found [][]string) {
	t.Helper()
	var args []any
	if d.kind == "postgres" { // a fix may have changed the types in the meantime
		args = []any{pgx.QueryExecModeDescribeExec}
	}
	rows, err := d.pool.QueryContext(t.Context(), query, args...)
	require.NoError(t, err, query)
	defer rows.Close()
	columns, err = rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		row := make([]string, len(columns))
		for i, v := range values {
			if row[i] = "NULL"; v.Valid {
				row[i] = v.String
			}
		}
		found = append(found, row)
	}
	require.NoError(t, rows.Err())
	return columns, found
}

// takeBack applies what takes findings' fixes back, in which each has one if it has the other.
func (d *database) takeBack(t testing.TB, mended []audit.Finding) {
	t.Helper()
	for _, f := range slices.Backward(mended) {
		require.Equal(t, f.Fix == nil, f.Undo == nil, describe([]audit.Finding{f}))
		d.apply(t, f.Undo)
	}
}

// links are the pairs that a join table holds for its app, and of each what tells its
// oldest row from others: when it was made, then its number.
func (d *database) links(t testing.TB, j join) map[string]string {
	t.Helper()
	var made, number []string
	where := ""
	for _, c := range d.columns(t, j.table) {
		switch strings.ToLower(strings.ReplaceAll(c.name, "_", "")) {
		case "createdat":
			made = append(made, "x."+d.quote(c.name))
		case "id":
			number = append(number, "x."+d.quote(c.name))
		case "deletedat":
			where = " AND x." + d.quote(c.name) + " IS NULL"
		}
	}
	var pair []string
	for _, e := range j.ends {
		pair = append(pair, "x."+d.quote(e.column))
		where += fmt.Sprintf(" AND EXISTS (SELECT 1 FROM %s AS e WHERE e.%s = x.%s)", d.quote(e.table), d.quote(e.key), d.quote(e.column))
	}
	selected := strings.Join(slices.Concat(pair, made, number), ", ")
	_, rows := d.query(t, fmt.Sprintf("SELECT %s FROM %s AS x WHERE 1 = 1%s ORDER BY %s", selected, d.quote(j.table), where,
		strings.Join(slices.Concat(made, number, pair), ", ")))
	found := map[string]string{}
	for _, row := range rows {
		link := row[0] + " " + row[1]
		if _, there := found[link]; !there {
			found[link] = strings.Join(row[2:], " ")
		}
	}
	return found
}
