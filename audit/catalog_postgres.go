package audit

// postgresPath is the default of search_path.
const postgresPath = `"$user", public`

// postgresCollation is what a column has of which none is said.
const postgresCollation = `pg_catalog."default"`

// postgresScope are the schemas that an audit looks at: those of search_path, where it
// is set to anything but its default, else all.
const postgresScope = `SELECT n.oid FROM pg_namespace n
WHERE CASE WHEN current_setting('search_path') = '` + postgresPath + `'
  THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ELSE n.nspname = ANY (current_schemas(false)) END`

// postgresTables has the tables in scope, those that were asked for by name, and those
// that either refer to.
const postgresTables = `WITH scope AS (` + postgresScope + `), looked AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_toast'
  AND (c.relnamespace IN (SELECT oid FROM scope)
    OR n.nspname || '.' || c.relname IN (SELECT json_array_elements_text(CAST(CAST($1 AS text) AS json)))))
SELECT CAST(c.oid AS bigint), n.nspname, c.relname, n.nspname IS NOT DISTINCT FROM current_schema(),
  coalesce(array_position(current_schemas(false), n.nspname), 0), c.oid IN (SELECT oid FROM looked), c.relkind = 'p',
  coalesce((SELECT CAST(json_agg(coalesce(a.attname, '')) AS text) FROM pg_partitioned_table p
    CROSS JOIN LATERAL unnest(CAST(p.partattrs AS int2[])) AS u (attnum)
    LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = u.attnum AND u.attnum > 0
    WHERE p.partrelid = c.oid), '[]'),
  CASE WHEN c.reltuples > 0 THEN CAST(c.reltuples AS bigint) ELSE -1 END,
  has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid), c.relrowsecurity,
  c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid),
  EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tginitdeferred)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (SELECT oid FROM looked
  UNION SELECT f.confrelid FROM pg_constraint f JOIN looked ON f.conrelid = looked.oid WHERE f.contype = 'f')
ORDER BY 2, 3`

// postgresViews are what is called like a table and is none.
const postgresViews = `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'f') AND NOT c.relispartition AND n.oid IN (` + postgresScope + `)`

// postgresTree has the tables $1 as roots of what is partitioned, and what belongs to each.
const postgresTree = `WITH RECURSIVE tree (root, oid) AS (
  SELECT r.oid, r.oid FROM unnest(CAST(CAST($1 AS text) AS oid[])) AS r (oid)
  UNION SELECT t.root, h.inhrelid FROM tree t JOIN pg_inherits h ON h.inhparent = t.oid
    JOIN pg_class c ON c.oid = h.inhrelid AND c.relispartition)`

// postgresLocked are those of the tables $1 that nobody can read now, nor as long as one
// waits who wants them for itself.
const postgresLocked = `SELECT CAST(l.relation AS bigint) FROM pg_locks l JOIN pg_database b ON b.oid = l.database AND b.datname = current_database()
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.relation = ANY (CAST(CAST($1 AS text) AS oid[]))`

// postgresOwn are the triggers and rules by which more happens when a row is deleted.
const postgresOwn = postgresTree + ` SELECT CAST(tree.root AS bigint), g.tgname, '' FROM tree JOIN pg_trigger g ON g.tgrelid = tree.oid
WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND CAST(g.tgtype AS integer) & 8 <> 0
UNION SELECT CAST(tree.root AS bigint), r.rulename, '' FROM tree JOIN pg_rewrite r ON r.ev_class = tree.oid
WHERE r.ev_type = '4' AND r.ev_enabled IN ('O', 'A') ORDER BY 1, 2`

// postgresPublished are the tables that are published, whether by their primary key, and
// whether with something in them of which no row can be told. pg_publication_tables
// would wait for locks. %s is what PostgreSQL has from 15 on: all tables of a schema.
const postgresPublished = postgresTree + ` SELECT CAST(tree.root AS bigint), bool_or(c.relreplident = 'd'),
  bool_or(c.relkind = 'r' AND (c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)))
FROM tree JOIN pg_class c ON c.oid = tree.oid
WHERE tree.root IN (SELECT t.root FROM tree t JOIN pg_class m ON m.oid = t.oid AND m.relpersistence = 'p' JOIN pg_publication p ON (p.pubdelete OR p.pubupdate)
  AND (p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = t.oid)%s))
GROUP BY tree.root`

const postgresPublishedSchemas = " OR EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = m.relnamespace)"

// postgresUses are what is in the way of another type for a column: views, policies,
// generated columns, conditions of triggers and publications, functions, checks, and
// defaults that no cast takes along.
const postgresUses = postgresTree + ` SELECT DISTINCT CAST(tree.root AS bigint), a.attname,
  CASE WHEN d.classid = CAST('pg_rewrite' AS regclass)
    THEN (SELECT pg_describe_object(CAST('pg_class' AS regclass), w.ev_class, 0) FROM pg_rewrite w WHERE w.oid = d.objid)
    ELSE pg_describe_object(d.classid, d.objid, 0) END
FROM tree JOIN pg_depend d ON d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid = tree.oid AND d.refobjsubid > 0
JOIN pg_attribute a ON a.attrelid = tree.oid AND a.attnum = d.refobjsubid
JOIN pg_type y ON y.oid = a.atttypid
WHERE d.classid IN (CAST('pg_rewrite' AS regclass), CAST('pg_policy' AS regclass), CAST('pg_publication_rel' AS regclass), CAST('pg_proc' AS regclass))
  OR d.classid = CAST('pg_trigger' AS regclass) AND EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND NOT g.tgisinternal)
  OR d.classid = CAST('pg_constraint' AS regclass) AND EXISTS (SELECT FROM pg_constraint f WHERE f.oid = d.objid AND f.contype = 'c')
  OR d.classid = CAST('pg_attrdef' AS regclass) AND EXISTS (SELECT FROM pg_attrdef f WHERE f.oid = d.objid AND (f.adnum <> a.attnum OR y.typcategory = 'S'))
ORDER BY 1, 2, 3`

const postgresColumns = `SELECT CAST(a.attrelid AS bigint), a.attname,
  CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END,
  CASE t.typtype WHEN 'd' THEN format_type(a.atttypid, a.atttypmod) ELSE '' END, NOT (a.attnotnull OR t.typnotnull),
  CASE WHEN a.attgenerated = '' THEN '' WHEN locked.it THEN 'locked' ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END, a.attidentity = 'a',
  coalesce(quote_ident(ln.nspname) || '.' || quote_ident(l.collname), ''), NOT coalesce(l.collisdeterministic, true)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
CROSS JOIN LATERAL (SELECT a.attrelid = ANY (CAST(CAST($2 AS text) AS oid[])) AS it) AS locked
WHERE a.attrelid IN (SELECT unnest(CAST(CAST($1 AS text) AS oid[]))) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum`

// postgresIndexes: of a partial index or an expression the columns are the Vars in its
// tree. indnullsnotdistinct is there from PostgreSQL 15 on. What shows an expression waits
// for a lock of the table, and so is left out of $2.
const postgresIndexes = `SELECT CAST(i.indrelid AS bigint), k.relname, i.indisunique, i.indisprimary, NOT (i.indisvalid AND i.indisready),
  CASE WHEN i.indpred IS NULL THEN '' WHEN locked.it THEN 'locked' ELSE coalesce(pg_get_expr(i.indpred, i.indrelid), '') END, NOT i.indimmediate,
  coalesce(CAST(to_jsonb(i)->>'indnullsnotdistinct' AS boolean), false),
  coalesce(o.conname, ''), CASE WHEN locked.it THEN '' ELSE coalesce(pg_get_constraintdef(o.oid), pg_get_indexdef(i.indexrelid), '') END,
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
  i.indisreplident,
  (SELECT CAST(coalesce(json_agg(a.attname ORDER BY u.ord), '[]') AS text)
    FROM unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS u (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum WHERE u.ord > i.indnkeyatts)
FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
LEFT JOIN pg_constraint o ON o.conindid = i.indexrelid AND o.conrelid = i.indrelid AND o.contype IN ('p', 'u', 'x')
CROSS JOIN LATERAL (SELECT i.indrelid = ANY (CAST(CAST($2 AS text) AS oid[])) AS it) AS locked
WHERE i.indrelid IN (SELECT unnest(CAST(CAST($1 AS text) AS oid[]))) AND i.indislive
ORDER BY i.indrelid, i.indisprimary DESC, k.relname`

// postgresNeeded are what keeps unique indexes, or one of their partitions', from being
// dropped: foreign keys, and views that group by a primary key.
const postgresNeeded = `WITH RECURSIVE parts (root, oid) AS (
  SELECT i.indexrelid, i.indexrelid FROM pg_index i WHERE i.indisunique AND i.indrelid IN (SELECT unnest(CAST(CAST($1 AS text) AS oid[])))
  UNION SELECT p.root, h.inhrelid FROM parts p JOIN pg_inherits h ON h.inhparent = p.oid
), held (root, classid, objid) AS (
  SELECT root, CAST(CAST('pg_class' AS regclass) AS oid), oid FROM parts
  UNION ALL SELECT p.root, CAST('pg_constraint' AS regclass), q.oid FROM parts p JOIN pg_constraint q ON q.conindid = p.oid AND q.contype IN ('p', 'u')
)
SELECT DISTINCT CAST(i.indrelid AS bigint), k.relname, CASE WHEN d.classid = CAST('pg_rewrite' AS regclass)
  THEN (SELECT pg_describe_object(CAST('pg_class' AS regclass), w.ev_class, 0) FROM pg_rewrite w WHERE w.oid = d.objid)
  ELSE pg_describe_object(d.classid, d.objid, 0) END
FROM held JOIN pg_depend d ON d.refclassid = held.classid AND d.refobjid = held.objid AND d.deptype = 'n'
JOIN pg_index i ON i.indexrelid = held.root JOIN pg_class k ON k.oid = held.root
LEFT JOIN pg_constraint f ON d.classid = CAST('pg_constraint' AS regclass) AND f.oid = d.objid
WHERE f.conparentid IS NULL OR f.conparentid = 0
ORDER BY 1, 2, 3`

// postgresForeign: a foreign key to a partition is one to the table whose it is, too.
const postgresForeign = postgresTree + ` SELECT CAST(f.conrelid AS bigint), f.conname, CAST(f.confrelid AS bigint), CAST(CAST(f.confrelid AS regclass) AS text),
  (SELECT CAST(json_agg(a.attname ORDER BY u.ord) AS text) FROM unnest(f.conkey) WITH ORDINALITY AS u (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.attnum),
  (SELECT CAST(json_agg(a.attname ORDER BY u.ord) AS text) FROM unnest(f.confkey) WITH ORDINALITY AS u (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.attnum),
  NOT f.convalidated,
  CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' ELSE '' END,
  pg_get_constraintdef(f.oid), CASE WHEN f.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN f.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,
  CAST(CAST(f.conrelid AS regclass) AS text),
  (SELECT CAST(coalesce(json_agg(CAST(t.root AS text)), '[]') AS text) FROM tree t WHERE t.oid = f.confrelid AND t.root <> t.oid)
FROM pg_constraint f
WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.conrelid IN (SELECT root FROM tree) OR f.confrelid IN (SELECT oid FROM tree))
ORDER BY f.conrelid, f.conname`

// postgresNames are those of relations, which indexes share, and of constraints.
const postgresNames = `WITH looked AS (SELECT n.oid, n.nspname FROM pg_namespace n
  WHERE n.nspname IN (SELECT json_array_elements_text(CAST(CAST($1 AS text) AS json))))
SELECT n.nspname, c.relname FROM pg_class c JOIN looked n ON n.oid = c.relnamespace
UNION ALL SELECT n.nspname, f.conname FROM pg_constraint f JOIN looked n ON n.oid = f.connamespace`
