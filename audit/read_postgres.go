package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// postgres reads and mends PostgreSQL.
type postgres struct{}

// begin: a transaction of READ COMMITTED holds no snapshot between statements, so that
// an audit of an hour keeps VACUUM from nothing.
func (postgres) begin(ctx context.Context, conn *sql.Conn, s *session) error {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	s.queries, s.savepoints = tx, true
	s.end = func() { _ = tx.Rollback() }
	return nil
}

func (postgres) within(bound time.Duration) string {
	return fmt.Sprintf("SET LOCAL statement_timeout = %d", bound.Milliseconds())
}

// postgresScope are the schemas that an audit looks at: those of search_path, where it
// is set to anything but its default, else all.
const postgresScope = `SELECT n.oid FROM pg_namespace n
WHERE CASE WHEN current_setting('search_path') = '"$user", public'
  THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ELSE n.nspname = ANY (current_schemas(false)) END`

// postgresTables has the tables in scope, those that were asked for by name, and those
// that either refer to.
const postgresTables = `WITH scope AS (` + postgresScope + `), looked AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_toast'
  AND (c.relnamespace IN (SELECT oid FROM scope)
    OR n.nspname || '.' || c.relname IN (SELECT json_array_elements_text(CAST(CAST($1 AS text) AS json)))))
SELECT CAST(c.oid AS bigint), n.nspname, c.relname, n.nspname IS NOT DISTINCT FROM current_schema(),
  c.oid IN (SELECT oid FROM looked), c.relkind = 'p',
  coalesce((SELECT CAST(json_agg(coalesce(a.attname, '')) AS text) FROM pg_partitioned_table p
    CROSS JOIN LATERAL unnest(CAST(p.partattrs AS int2[])) AS u (attnum)
    LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = u.attnum AND u.attnum > 0
    WHERE p.partrelid = c.oid), '[]'),
  CASE WHEN c.reltuples > 0 THEN CAST(c.reltuples AS bigint) ELSE -1 END,
  has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid), c.relrowsecurity,
  c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid),
  EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tginitdeferred),
  c.relreplident = 'd' AND EXISTS (SELECT FROM pg_publication_tables b WHERE b.schemaname = n.nspname AND b.tablename = c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (SELECT oid FROM looked
  UNION SELECT f.confrelid FROM pg_constraint f JOIN looked ON f.conrelid = looked.oid WHERE f.contype = 'f')
ORDER BY 2, 3`

const postgresColumns = `SELECT CAST(a.attrelid AS bigint), a.attname,
  CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END,
  CASE t.typtype WHEN 'd' THEN format_type(a.atttypid, a.atttypmod) ELSE '' END, NOT (a.attnotnull OR t.typnotnull),
  CASE WHEN a.attgenerated <> '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), '') ELSE '' END, a.attidentity = 'a'
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid IN (SELECT unnest(CAST(CAST($1 AS text) AS oid[]))) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum`

// postgresIndexes: of a partial index or an expression the columns are the Vars in its
// tree. indnullsnotdistinct is there from PostgreSQL 15 on.
const postgresIndexes = `SELECT CAST(i.indrelid AS bigint), k.relname, i.indisunique, i.indisprimary, NOT (i.indisvalid AND i.indisready),
  coalesce(pg_get_expr(i.indpred, i.indrelid), ''), NOT i.indimmediate,
  coalesce(CAST(to_jsonb(i)->>'indnullsnotdistinct' AS boolean), false),
  coalesce(o.conname, ''), coalesce(pg_get_constraintdef(o.oid), pg_get_indexdef(i.indexrelid), ''),
  (SELECT CAST(coalesce(json_agg(coalesce(a.attname, '') ORDER BY u.ord), '[]') AS text)
    FROM unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS u (attnum, ord)
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum AND u.attnum > 0
    WHERE u.ord <= i.indnkeyatts),
  (SELECT CAST(coalesce(json_agg(DISTINCT a.attname), '[]') AS text)
    FROM regexp_matches(CAST(i.indexprs AS text), ':varattno (\d+)', 'g') AS v (match)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = CAST(v.match[1] AS int2)),
  coalesce(o.contype = 'x', false), coalesce(o.contype = 'x' AND NOT EXISTS (SELECT FROM unnest(o.conexclop) AS q (oid) JOIN pg_operator p ON p.oid = q.oid WHERE p.oprname <> '='), false),
  EXISTS (SELECT FROM pg_depend d WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = i.indexrelid
    AND d.refclassid IN (CAST('pg_proc' AS regclass), CAST('pg_operator' AS regclass))),
  i.indisreplident
FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
LEFT JOIN pg_constraint o ON o.conindid = i.indexrelid AND o.conrelid = i.indrelid AND o.contype IN ('p', 'u', 'x')
WHERE i.indrelid IN (SELECT unnest(CAST(CAST($1 AS text) AS oid[]))) AND i.indislive
ORDER BY i.indrelid, i.indisprimary DESC, k.relname`

const postgresForeign = `SELECT CAST(f.conrelid AS bigint), f.conname, CAST(f.confrelid AS bigint), CAST(CAST(f.confrelid AS regclass) AS text),
  (SELECT CAST(json_agg(a.attname ORDER BY u.ord) AS text) FROM unnest(f.conkey) WITH ORDINALITY AS u (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.attnum),
  (SELECT CAST(json_agg(a.attname ORDER BY u.ord) AS text) FROM unnest(f.confkey) WITH ORDINALITY AS u (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.attnum),
  NOT f.convalidated,
  CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' ELSE '' END,
  pg_get_constraintdef(f.oid), CASE WHEN f.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN f.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,
  CAST(CAST(f.conrelid AS regclass) AS text)
FROM pg_constraint f, LATERAL (SELECT CAST(CAST($1 AS text) AS oid[]) AS oids) AS read
WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.conrelid = ANY (read.oids) OR f.confrelid = ANY (read.oids)) ORDER BY f.conrelid, f.conname`

// postgresNames are those of relations, which indexes share, and of constraints.
const postgresNames = `WITH looked AS (SELECT n.oid, n.nspname FROM pg_namespace n
  WHERE n.nspname IN (SELECT json_array_elements_text(CAST(CAST($1 AS text) AS json))))
SELECT n.nspname, c.relname FROM pg_class c JOIN looked n ON n.oid = c.relnamespace
UNION ALL SELECT n.nspname, f.conname FROM pg_constraint f JOIN looked n ON n.oid = f.connamespace`

func (postgres) read(ctx context.Context, s *session, wanted []string) (*database, error) {
	d := &database{taken: map[string]bool{}}
	if err := s.query(ctx, "SELECT current_setting('server_version')", nil, func(rows *sql.Rows) error {
		return rows.Scan(&d.product)
	}); err != nil {
		return nil, err
	}
	d.product, _, _ = strings.Cut("PostgreSQL "+d.product, " (")
	names, _ := json.Marshal(wanted)
	byID := map[int64]*table{}
	var oids, schemas []string
	if err := s.query(ctx, postgresTables, []any{string(names)}, func(rows *sql.Rows) error {
		t := new(table)
		var security bool
		if err := rows.Scan(&t.id, &t.schema, &t.name, &t.home, &t.scope, &t.partitioned, list{&t.partition}, &t.rows, &t.readable, &security,
			&t.secured, &t.heirs, &t.deferred, &t.published); err != nil {
			return err
		}
		switch {
		case !t.readable:
			t.unreadable = "no privilege to read its rows"
		case security:
			t.readable, t.unreadable = false, "row-level security hides rows from this role"
		}
		d.tables, byID[t.id] = append(d.tables, t), t
		oids = append(oids, fmt.Sprint(t.id))
		if !slices.Contains(schemas, t.schema) {
			schemas = append(schemas, t.schema)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	all := []any{"{" + strings.Join(oids, ",") + "}"}
	return d, firstError(
		func() error { return s.query(ctx, postgresColumns, all, readColumns(byID)) },
		func() error { return s.query(ctx, postgresIndexes, all, readIndexes(byID)) },
		func() error {
			return s.query(ctx, postgresForeign, all, func(rows *sql.Rows) error {
				var from, to int64
				var owner string
				f := new(foreignKey)
				if err := rows.Scan(&from, &f.name, &to, &f.refers, list{&f.columns}, list{&f.references}, &f.unvalidated, &f.onDelete, &f.definition, &f.deferral, &owner); err != nil {
					return err
				}
				f.table = byID[to]
				if t := byID[from]; t != nil {
					t.foreign = append(t.foreign, f)
				} else {
					f.name = owner
					f.table.strangers = append(f.table.strangers, f)
				}
				return nil
			})
		},
		func() error {
			names, _ := json.Marshal(append([]string{}, schemas...))
			return s.query(ctx, postgresNames, []any{string(names)}, func(rows *sql.Rows) error {
				var schema, name string
				err := rows.Scan(&schema, &name)
				d.taken[schema+"."+name] = true
				return err
			})
		},
	)
}

// estimate goes by the size of a table that was never analyzed. It waits where the table
// is locked, and so has no place in a statement about all tables.
func (p postgres) estimate(ctx context.Context, s *session, t *table) (rows int64, err error) {
	if t.partitioned {
		return -1, nil
	}
	return rows, s.numbers(ctx, fmt.Sprintf("SELECT pg_relation_size(%d) / 64", t.id), &rows)
}

func readColumns(tables map[int64]*table) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id int64
		var c column
		err := rows.Scan(&id, &c.name, &c.typ, &c.domain, &c.nullable, &c.generated, &c.identity)
		tables[id].columns = append(tables[id].columns, c)
		return err
	}
}

func readIndexes(tables map[int64]*table) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id int64
		x := new(index)
		err := rows.Scan(&id, &x.name, &x.unique, &x.primary, &x.invalid, &x.where, &x.deferrable, &x.nullsEqual,
			&x.constraint, &x.definition, list{&x.columns}, list{&x.uses}, &x.overlaps, &x.excludes, &x.foreign, &x.replica)
		x.overlaps = x.overlaps && !x.excludes
		tables[id].indexes = append(tables[id].indexes, x)
		return err
	}
}

// list scans a JSON array of texts.
type list struct{ to *[]string }

// Scan implements sql.Scanner.
func (l list) Scan(value any) error {
	text, ok := value.(string)
	if b, is := value.([]byte); is {
		text, ok = string(b), true
	}
	if !ok {
		return fmt.Errorf("no list: %T", value)
	}
	return json.Unmarshal([]byte(text), l.to)
}

// firstError runs functions until one fails.
func firstError(fs ...func() error) error {
	for _, f := range fs {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
