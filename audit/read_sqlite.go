package audit

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// sqlite reads and mends SQLite.
type sqlite struct{ enforced bool } // foreign keys are, on the audit's connection

// begin: drivers differ in what they make of a transaction that only reads, so SQLite is
// told itself. It has no time-out; contexts end statements.
func (q *sqlite) begin(ctx context.Context, conn *sql.Conn, s *session) error {
	var before int
	if err := conn.QueryRowContext(ctx, "PRAGMA query_only").Scan(&before); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "PRAGMA foreign_keys").Scan(&q.enforced); err != nil {
		return err
	}
	back := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = conn.ExecContext(ctx, "ROLLBACK")
		if before == 0 {
			_, _ = conn.ExecContext(ctx, "PRAGMA query_only = 0")
		}
	}
	for _, statement := range []string{"PRAGMA query_only = 1", "BEGIN"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			back()
			return err
		}
	}
	s.queries, s.end, s.local = conn, back, true
	return nil
}

func (*sqlite) within(time.Duration) string { return "" }

// referrers: those of a database are all that there are.
func (*sqlite) referrers(context.Context, *session, *database) error { return nil }

const sqliteTables = `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY type NOT IN ('table', 'view'), name`

// sqliteOwn are the tables that are rows and nothing else: virtual ones are another's.
const sqliteOwn = `sqlite_master AS m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.sql NOT LIKE 'create virtual%'`

const sqliteColumns = `SELECT t.name, c.name, coalesce(c.type, ''), c."notnull", c.pk, c.hidden
FROM (SELECT m.name FROM ` + sqliteOwn + `) AS t JOIN pragma_table_xinfo(t.name) AS c WHERE c.hidden <> 1 ORDER BY t.name, c.cid`

const sqliteIndexes = `SELECT t.name, l.name, l."unique", l.origin, l.partial, coalesce(x.name, '')
FROM (SELECT m.name FROM ` + sqliteOwn + `) AS t JOIN pragma_index_list(t.name) AS l JOIN pragma_index_xinfo(l.name) AS x
WHERE x.key = 1 ORDER BY t.name, l.origin <> 'pk', l.name, x.seqno`

const sqliteForeign = `SELECT t.name, f.id, f."table", f."from", coalesce(f."to", ''), f.on_delete
FROM (SELECT m.name FROM ` + sqliteOwn + `) AS t JOIN pragma_foreign_key_list(t.name) AS f ORDER BY t.name, f.id DESC, f.seq`

func (q *sqlite) read(ctx context.Context, s *session, _ []string) (*database, error) {
	d := &database{taken: map[string]bool{}}
	if err := s.query(ctx, "SELECT sqlite_version()", nil, func(rows *sql.Rows) error { return rows.Scan(&d.product) }); err != nil {
		return nil, err
	}
	d.product = "SQLite " + d.product
	tables, definitions := map[string]*table{}, map[string]string{}
	err := s.query(ctx, sqliteTables, nil, func(rows *sql.Rows) error {
		var kind, name, of, definition string
		if err := rows.Scan(&kind, &name, &of, &definition); err != nil {
			return err
		}
		d.taken["main."+strings.ToLower(name)] = true
		owner := tables[folded(of)] // a trigger's, as its maker wrote it
		switch virtual := strings.HasPrefix(strings.ToLower(definition), "create virtual"); {
		case strings.HasPrefix(name, "sqlite_"):
		case kind == "table" && !virtual:
			t := &table{schema: "main", name: name, home: true, scope: true, readable: true, rows: -1}
			t.planned.sql = definition
			d.tables, tables[folded(name)] = append(d.tables, t), t
		case kind == "table" || kind == "view":
			t := &table{schema: "main", name: name, home: true}
			t.planned.sql = definition
			d.views, tables[folded(name)] = append(d.views, t), t
		case definition == "" || owner == nil:
		case kind == "index" || kind == "trigger":
			if all := tokens(definition); len(all) > 0 { // a comment behind it would take in what is put there
				definition = definition[:all[len(all)-1].end]
			}
			definitions[name] = definition
			owner.planned.extras = append(owner.planned.extras, definition)
			if kind == "trigger" && runsOn(definition, "DELETE") {
				owner.triggers = append(owner.triggers, name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	keys := map[*table][]string{}
	return d, firstError(
		func() error {
			return s.query(ctx, sqliteColumns, nil, func(rows *sql.Rows) error { return readSQLiteColumn(rows, tables, keys) })
		},
		func() error {
			return s.query(ctx, sqliteIndexes, nil, func(rows *sql.Rows) error { return readSQLiteIndex(rows, tables, definitions) })
		},
		func() error { complete(d, keys); return nil },
		func() error {
			return s.query(ctx, sqliteForeign, nil, func(rows *sql.Rows) error { return readSQLiteForeign(rows, d, tables) })
		},
	)
}

func readSQLiteColumn(rows *sql.Rows, tables map[string]*table, keys map[*table][]string) error {
	var name string
	var c column
	var notNull bool
	var pk, hidden int
	if err := rows.Scan(&name, &c.name, &c.typ, &notNull, &pk, &hidden); err != nil {
		return err
	}
	t := tables[folded(name)]
	if t == nil {
		return nil
	}
	c.nullable = !notNull
	if pk > 0 {
		keys[t] = append(keys[t], c.name)
		c.primary = c.nullable
	}
	if hidden > 1 {
		c.generated = "generated"
		if made := parseCreate(t.planned.sql); made != nil {
			c.generated = made.definition(c.name)
		}
	}
	t.columns = append(t.columns, c)
	return nil
}

func readSQLiteIndex(rows *sql.Rows, tables map[string]*table, definitions map[string]string) error {
	var name, origin, column string
	var partial bool
	x := new(index)
	if err := rows.Scan(&name, &x.name, &x.unique, &origin, &partial, &column); err != nil {
		return err
	}
	t := tables[folded(name)]
	if t == nil {
		return nil
	}
	if n := len(t.indexes); n == 0 || t.indexes[n-1].name != x.name {
		x.primary, x.definition = origin == "pk", definitions[x.name]
		if partial {
			x.where = predicate(x.definition)
		}
		t.indexes = append(t.indexes, x)
	}
	x = t.indexes[len(t.indexes)-1]
	x.columns = append(x.columns, column)
	if column == "" {
		_, keys, _ := strings.Cut(strings.TrimSuffix(x.definition, x.where), "(")
		x.uses = t.mentioned(keys)
	}
	return nil
}

// complete adds what SQLite keeps to itself: of texts the collation, the primary key that
// is the rowid, which has no index, and that no primary key of a table WITHOUT ROWID
// permits NULL.
func complete(d *database, keys map[*table][]string) {
	for _, t := range d.tables {
		if made := parseCreate(t.planned.sql); made != nil {
			for i := range t.columns {
				if c := &t.columns[i]; affinity(c.typ) != "number" {
					c.collation = made.collation(c.name)
				}
			}
		}
		columns := keys[t]
		if len(columns) == 0 {
			continue
		}
		rowid := len(columns) == 1 && strings.EqualFold(t.column(columns[0]).typ, "integer") && t.primaryKey() == nil
		if rowid {
			t.indexes = append([]*index{{name: "PRIMARY KEY", columns: columns, unique: true, primary: true}}, t.indexes...)
		}
		if rowid || withoutRowid(t) {
			for _, name := range columns {
				c := t.column(name)
				c.nullable, c.primary = false, false
			}
		}
	}
}

func readSQLiteForeign(rows *sql.Rows, d *database, tables map[string]*table) error {
	var name, from, to, action string
	var id int
	f := new(foreignKey)
	if err := rows.Scan(&name, &id, &f.refers, &from, &to, &action); err != nil {
		return err
	}
	t := tables[folded(name)]
	if t == nil {
		return nil
	}
	if last := len(t.foreign) - 1; last >= 0 && t.foreign[last].id == id {
		f = t.foreign[last]
	} else {
		f.id, f.name = id, foreignName(t, from)
		f.table = d.find(f.refers)
		if action != "NO ACTION" && action != "RESTRICT" {
			f.onDelete = action
		}
		t.foreign = append(t.foreign, f)
	}
	if to == "" && f.table != nil && f.table.primaryKey() != nil { // the primary key, in its order
		if key := f.table.primaryKey(); len(f.references) < len(key.columns) {
			to = key.columns[len(f.references)]
		}
	}
	f.columns, f.references = append(f.columns, t.spelled(from)), append(f.references, f.table.spelled(to))
	return nil
}

// spelled is a column as the table itself spells it.
func (t *table) spelled(name string) string {
	if t != nil {
		for _, c := range t.columns {
			if strings.EqualFold(c.name, name) {
				return c.name
			}
		}
	}
	return name
}

// estimate is what SQLite knows without counting: the highest rowid is no less than the
// rows that were ever there, mostly.
func (q *sqlite) estimate(ctx context.Context, s *session, t *table) (rows int64, err error) {
	if withoutRowid(t) {
		return -1, nil
	}
	return rows, s.numbers(ctx, "SELECT coalesce(max("+rowid(t)+"), 0) FROM "+q.table(t), &rows)
}
