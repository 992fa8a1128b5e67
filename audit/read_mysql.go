package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// mysql reads and mends databases of the MySQL family.
type mysql struct{ maria bool }

func (m *mysql) begin(ctx context.Context, conn *sql.Conn, s *session) error {
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	m.maria = strings.Contains(version, "MariaDB")
	set, back := "SET @m2msafe_time = @@SESSION.max_execution_time", "SET SESSION max_execution_time = @m2msafe_time, @m2msafe_time = NULL"
	if m.maria {
		set = "SET @m2msafe_time = @@SESSION.max_statement_time, @m2msafe_switch = @@SESSION.optimizer_switch, SESSION " + uncached
		back = "SET SESSION max_statement_time = @m2msafe_time, SESSION optimizer_switch = @m2msafe_switch, @m2msafe_time = NULL, @m2msafe_switch = NULL"
	}
	if _, err := conn.ExecContext(ctx, set); err != nil {
		return err
	}
	restore := func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), back) }
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		restore()
		return err
	}
	s.queries = tx
	s.end = func() {
		_ = tx.Rollback()
		restore()
	}
	return nil
}

func (m *mysql) within(bound time.Duration) string {
	if m.maria {
		return fmt.Sprintf("SET SESSION max_statement_time = %v", bound.Seconds())
	}
	return fmt.Sprintf("SET SESSION max_execution_time = %d", bound.Milliseconds())
}

const mysqlTables = `SELECT table_name, table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'), table_type = 'SYSTEM VERSIONED', coalesce(engine, ''), coalesce(table_rows, -1),
coalesce(create_options, '') LIKE '%partitioned%', coalesce(unix_timestamp(create_time), 0)
FROM information_schema.tables WHERE table_schema = database() ORDER BY table_name`

const mysqlColumns = `SELECT table_name, column_name, column_type, is_nullable = 'YES', coalesce(generation_expression, ''),
coalesce(collation_name, ''), coalesce(character_maximum_length, 0), extra, column_default, column_comment, privileges
FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position`

// mysqlIndexes: a part of a key that is an expression has no column. MariaDB has none of
// these, and no column that tells them. A HASH one finds rows by all of its columns.
const mysqlIndexes = `SELECT table_name, index_name, non_unique = 0, coalesce(column_name, ''), coalesce(sub_part, 0), %s,
index_type IN ('FULLTEXT', 'SPATIAL', 'RTREE') OR index_type = 'HASH' AND seq_in_index > 1 OR %s
FROM information_schema.statistics WHERE table_schema = database()
ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index`

const mysqlForeign = `SELECT table_name, constraint_name, column_name, referenced_table_schema = database(), referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage WHERE table_schema = database() AND referenced_table_name IS NOT NULL
ORDER BY table_name, constraint_name, ordinal_position`

const mysqlActions = `SELECT table_name, constraint_name, delete_rule FROM information_schema.referential_constraints
WHERE constraint_schema = database()`

func (m *mysql) read(ctx context.Context, s *session, _ []string) (*database, error) {
	d := &database{taken: map[string]bool{}}
	var schema sql.NullString
	if err := s.query(ctx, "SELECT version(), database()", nil, func(rows *sql.Rows) error { return rows.Scan(&d.product, &schema) }); err != nil {
		return nil, err
	}
	if !schema.Valid {
		return nil, errors.New("no database is chosen: name one in the DSN")
	}
	d.product, _, _ = strings.Cut(d.product, "-")
	d.product = map[bool]string{true: "MariaDB ", false: "MySQL "}[m.maria] + d.product
	tables := map[string]*table{}
	err := s.query(ctx, mysqlTables, nil, func(rows *sql.Rows) error {
		t := &table{schema: schema.String, home: true, scope: true, readable: true}
		var real, versioned bool
		var engine string
		if err := rows.Scan(&t.name, &real, &versioned, &engine, &t.rows, &t.partitioned, &t.made); err != nil {
			return err
		}
		d.taken[t.schema+"."+strings.ToLower(t.name)] = true
		switch strings.ToLower(engine) {
		case "myisam", "aria", "memory", "csv", "archive":
			t.foreignless = "Tables of the engine " + engine + " have no foreign keys: make it InnoDB first."
		}
		if t.partitioned {
			t.foreignless = "A partitioned table can't have foreign keys here."
		}
		if versioned {
			t.unalterable = "The table is WITH SYSTEM VERSIONING, and as long as it has a history the server refuses to change its columns and to give it a unique key (4119): what mends it has to be written by hand."
		}
		if real {
			d.tables, tables[t.name] = append(d.tables, t), t
		} else {
			d.views = append(d.views, &table{schema: t.schema, name: t.name, home: true})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, firstError(
		func() error {
			return s.query(ctx, mysqlColumns, nil, func(rows *sql.Rows) error { return m.readColumn(rows, tables) })
		},
		func() error {
			expression, ignored := "coalesce(expression, '')", "is_visible = 'NO'"
			if m.maria {
				expression, ignored = "''", "ignored = 'YES'"
			}
			row := func(rows *sql.Rows) error { return readIndexPart(rows, d, tables) }
			err := s.query(ctx, fmt.Sprintf(mysqlIndexes, expression, ignored), nil, row)
			if isUnknownColumn(err) { // an old server has no such indexes
				err = s.query(ctx, fmt.Sprintf(mysqlIndexes, "''", "false"), nil, row)
			}
			return err
		},
		func() error {
			return s.query(ctx, mysqlForeign, nil, func(rows *sql.Rows) error { return readForeignPart(rows, d, tables) })
		},
		func() error {
			return s.query(ctx, mysqlActions, nil, func(rows *sql.Rows) error { return readAction(rows, tables) })
		},
		func() error {
			if !slices.ContainsFunc(d.tables, func(t *table) bool { return t.partitioned }) {
				return nil
			}
			return s.query(ctx, mysqlPartitions, nil, func(rows *sql.Rows) error { return readPartition(rows, tables) })
		},
	)
}

// estimate: the catalogue has one, but of what is no InnoDB.
func (*mysql) estimate(context.Context, *session, *table) (int64, error) { return -1, nil }

func (m *mysql) readColumn(rows *sql.Rows, tables map[string]*table) error {
	var c column
	var name, extra, comment, privileges string
	var value sql.NullString
	if err := rows.Scan(&name, &c.name, &c.typ, &c.nullable, &c.generated, &c.collation, &c.length, &extra, &value, &comment, &privileges); err != nil {
		return err
	}
	t := tables[name]
	if t == nil {
		return nil
	}
	extra = strings.ToLower(extra)
	switch {
	case !value.Valid || m.maria && value.String == "NULL":
	case m.maria:
		c.value = " DEFAULT " + value.String
	case strings.Contains(extra, "default_generated"):
		c.value = " DEFAULT (" + value.String + ")"
	default:
		c.value = " DEFAULT " + text(value.String)
	}
	if _, update, ok := strings.Cut(extra, "on update "); ok {
		c.modify += " ON UPDATE " + strings.FieldsFunc(update, func(r rune) bool { return r == ',' || r == ' ' })[0]
	}
	if strings.Contains(extra, "auto_increment") {
		c.modify += " AUTO_INCREMENT"
	}
	if strings.Contains(extra, "invisible") {
		c.modify += " INVISIBLE"
	}
	if comment != "" {
		c.modify += " COMMENT " + text(comment)
	}
	if privileges != "" && !strings.Contains(strings.ToLower(privileges), "select") {
		t.readable, t.unreadable = false, "no privilege to read its rows"
	}
	t.columns = append(t.columns, c)
	return nil
}

// text is a literal of the MySQL family.
func text(s string) string {
	return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(s) + "'"
}

func readIndexPart(rows *sql.Rows, d *database, tables map[string]*table) error {
	var name, column, expression string
	var prefix int
	var idle bool
	x := new(index)
	if err := rows.Scan(&name, &x.name, &x.unique, &column, &prefix, &expression, &idle); err != nil {
		return err
	}
	t := tables[name]
	if t == nil {
		return nil
	}
	d.taken[t.schema+"."+strings.ToLower(x.name)] = true
	if n := len(t.indexes); n == 0 || t.indexes[n-1].name != x.name {
		x.primary = x.name == "PRIMARY"
		t.indexes = append(t.indexes, x)
	}
	x = t.indexes[len(t.indexes)-1]
	x.uses, x.idle = append(x.uses, t.mentioned(expression)...), x.idle || idle
	part := new(mysql).quote(column)
	if prefix > 0 {
		part += fmt.Sprintf("(%d)", prefix)
		x.uses, column = append(x.uses, column), ""
	}
	x.prefixed = x.prefixed || prefix > 0
	if x.parts != "" {
		part = ", " + part
	}
	x.parts += part
	x.columns = append(x.columns, column)
	return nil
}

func readForeignPart(rows *sql.Rows, d *database, tables map[string]*table) error {
	var from, column, reference string
	var here bool
	f := &foreignKey{onDelete: unshown}
	if err := rows.Scan(&from, &f.name, &column, &here, &f.refers, &reference); err != nil {
		return err
	}
	t := tables[from]
	if t == nil {
		return nil
	}
	d.taken[t.schema+"."+strings.ToLower(f.name)] = true
	if n := len(t.foreign); n == 0 || t.foreign[n-1].name != f.name {
		if here {
			f.table = tables[f.refers]
		}
		t.foreign = append(t.foreign, f)
	}
	f = t.foreign[len(t.foreign)-1]
	f.columns, f.references = append(f.columns, column), append(f.references, reference)
	return nil
}

func readAction(rows *sql.Rows, tables map[string]*table) error {
	var from, name, action string
	if err := rows.Scan(&from, &name, &action); err != nil {
		return err
	}
	if t := tables[from]; t != nil {
		for _, f := range t.foreign {
			if f.name == name {
				f.onDelete = ""
				if slices.Contains(lost, action) {
					f.onDelete = action
				}
			}
		}
	}
	return nil
}
