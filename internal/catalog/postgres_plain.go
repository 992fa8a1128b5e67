package catalog

import "database/sql"

// The parts of pg_catalog that CockroachDB, YugabyteDB and Citus document. An
// expression of an index has no column.
const (
	plainColumns = `SELECT a.attname, format_type(a.atttypid, CASE WHEN t.typcategory IN ('D', 'N', 'T') THEN a.atttypmod ELSE -1 END),
has_table_privilege(a.attrelid, 'SELECT')
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
	plainKeys = `SELECT k.relname, i.indisprimary, NOT i.indimmediate, coalesce(pg_get_expr(i.indpred, i.indrelid), ''), coalesce(a.attname, '')
FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS u (attnum, ord)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum AND u.attnum > 0
WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND u.ord <= i.indnkeyatts
ORDER BY i.indisprimary DESC, k.relname, u.ord`
)

// PostgresPlain reads a table of a database that speaks PostgreSQL's protocol, by
// its quoted name. It returns nil without an error if there is none. No partial
// index is taken for an arbiter, nothing is locked, and foreign keys play no part.
func PostgresPlain(query Query, quoted string) (*Table, error) {
	table := &Table{CanSelect: true}
	rows, err := query(plainColumns, quoted)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var column Column
		err := rows.Scan(&column.Name, &column.Type, &table.CanSelect)
		table.MaySelect = table.CanSelect
		table.Columns = append(table.Columns, column)
		return err
	})
	if err != nil || len(table.Columns) == 0 {
		return nil, err
	}
	rows, err = query(plainKeys, quoted)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var key Key
		var column string
		err := rows.Scan(&key.Name, &key.Primary, &key.Deferrable, &key.Where, &column)
		table.addKeyColumn(key, column)
		return err
	})
	return table, err
}

// addKeyColumn adds a column to the last key, or that as a new one.
func (t *Table) addKeyColumn(key Key, column string) {
	if n := len(t.Keys); n == 0 || t.Keys[n-1].Name != key.Name {
		t.Keys = append(t.Keys, key)
	}
	last := &t.Keys[len(t.Keys)-1]
	last.Columns = append(last.Columns, column)
}
