package catalog

import (
	"database/sql"
	"encoding/json"
	"fmt"
)

// postgres is one statement, so that the answer is of one moment. A table is
// found as a statement would find it: by its quoted name, through search_path.
//
// format_type with a type modifier of -1 leaves lengths out (a cast to
// varchar(3) would cut silently) and names bpchar and bit unambiguously. Times
// and numbers keep theirs: the column rounds, and a key must be looked up as it
// is stored. The columns of a predicate are the Vars in its expression tree.
// Expressions of an index have attribute number 0 and become "". Only valid,
// ready indexes count: CREATE INDEX CONCURRENTLY leaves invalid ones behind.
// indnullsnotdistinct exists from PostgreSQL 15 on, hence the way by JSON.
const postgres = `SELECT CAST(json_build_object(
'ID', CAST(c.oid AS bigint),
'Columns', (SELECT json_agg(json_build_object(
    'name', a.attname,
    'type', format_type(a.atttypid, CASE WHEN t.typcategory IN ('D', 'N', 'T') THEN a.atttypmod ELSE -1 END)) ORDER BY a.attnum)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
'Keys', (SELECT json_agg(json_build_object(
    'name', k.relname,
    'columns', (SELECT json_agg(coalesce(a.attname, '') ORDER BY u.ord)
      FROM unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS u (attnum, ord)
      LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum AND u.attnum > 0
      WHERE u.ord <= i.indnkeyatts),
    'primary', i.indisprimary,
    'where_columns', (SELECT coalesce(json_agg(a.attname), '[]')
      FROM regexp_matches(CAST(i.indpred AS text), ':varattno (\d+)', 'g') AS v (match)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = CAST(v.match[1] AS int2)),
    'where', coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
    'deferrable', NOT i.indimmediate,
    'nulls_equal', coalesce(CAST(to_jsonb(i)->>'indnullsnotdistinct' AS boolean), false)
  ) ORDER BY i.indisprimary DESC, k.relname)
  FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indisready),
'ForeignKeys', (SELECT json_agg(json_build_object(
    'columns', (SELECT json_agg(a.attname) FROM unnest(f.conkey) AS u (attnum)
      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.attnum),
    'table', CAST(f.confrelid AS bigint)))
  FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'),
'Triggers', EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),
'MaySelect', has_any_column_privilege(c.oid, 'SELECT'),
'Uncommitted', EXISTS (SELECT 1 FROM (SELECT c.xmin AS xmin UNION ALL
    SELECT i.xmin FROM pg_index i WHERE i.indrelid = c.oid) AS made
  WHERE CAST(CAST(made.xmin AS text) AS bigint) = txid_current_if_assigned() % 4294967296),
'CanSelect', has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid),
'CanLock', c.relkind IN ('r', 'p') AND has_any_column_privilege(c.oid, 'UPDATE')
) AS text) FROM pg_class c WHERE c.oid = to_regclass($1)`

// Postgres reads a table by its quoted name. It returns nil without an error if
// there is none.
func Postgres(query Query, quoted string) (*Table, error) {
	var table *Table
	rows, err := query(postgres, quoted)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		table = new(Table)
		table.holds = table.holdsPostgres
		return json.Unmarshal([]byte(text), table)
	})
	return table, err
}

// holdsPostgres evaluates the predicate on a row of these columns, the only ones
// that it needs.
func (t *Table) holdsPostgres(query Query, key *Key, columns []string, values []any) (bool, error) {
	var row []string
	for i, c := range columns {
		column := t.Column(c)
		if column == nil {
			return false, nil
		}
		row = append(row, fmt.Sprintf("CAST($%d AS %s) AS %s", i+1, column.Type, quote(c)))
	}
	return evaluate(query, key, row, values)
}
