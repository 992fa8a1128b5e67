package audit

import (
	"context"
	"database/sql"
	"strings"
)

const mysqlStrangers = `SELECT DISTINCT k.referenced_table_name, concat(k.table_schema, '.', k.table_name), coalesce(r.delete_rule, '` + unshown + `')
FROM information_schema.key_column_usage AS k LEFT JOIN information_schema.referential_constraints AS r
ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
WHERE k.referenced_table_schema = database() AND k.table_schema <> database()`

// mysqlRights says whether the role is shown all tables, all of this database, and the
// triggers of all of its tables.
const mysqlRights = `SELECT
EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'SELECT' AND replace(grantee, '''', '') = current_user()),
EXISTS (SELECT 1 FROM information_schema.schema_privileges WHERE database() LIKE table_schema AND privilege_type = 'SELECT' AND replace(grantee, '''', '') = current_user()),
EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER' AND replace(grantee, '''', '') = current_user())
OR EXISTS (SELECT 1 FROM information_schema.schema_privileges WHERE database() LIKE table_schema AND privilege_type = 'TRIGGER' AND replace(grantee, '''', '') = current_user())`

// mysqlTriggers are what runs when a row is deleted, of tables whose triggers the role is
// shown; mysqlShown are those, where they are not all.
const mysqlTriggers = `SELECT event_object_table, trigger_name FROM information_schema.triggers
WHERE event_object_schema = database() AND event_manipulation = 'DELETE' ORDER BY event_object_table, action_order, trigger_name`

const mysqlShown = `SELECT table_name FROM information_schema.table_privileges
WHERE table_schema = database() AND privilege_type = 'TRIGGER' AND replace(grantee, '''', '') = current_user()`

const mysqlChecks = `SELECT table_name, constraint_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = database() AND level = 'Column'`

// mysqlPartitions are the columns that partitions go by, or expressions of them.
const mysqlPartitions = `SELECT DISTINCT table_name, concat(coalesce(partition_expression, ''), ' ', coalesce(subpartition_expression, ''))
FROM information_schema.partitions WHERE table_schema = database() AND partition_name IS NOT NULL`

// referrers asks other databases, which read does not: on MariaDB all of their tables are
// opened for it. With it come a column's own checks there, which a MODIFY without them
// drops; old servers don't tell which are.
func (m *mysql) referrers(ctx context.Context, s *session, d *database) error {
	if m.maria {
		err := s.query(ctx, mysqlChecks, nil, func(rows *sql.Rows) error {
			var table, column, clause string
			err := rows.Scan(&table, &column, &clause)
			if t := d.find(table); t != nil && t.column(column) != nil {
				t.column(column).modify += " CHECK (" + clause + ")"
			}
			return err
		})
		if err != nil && !isUnknownColumn(err) {
			return err
		}
	}
	var all, here, triggers bool
	if err := s.query(ctx, mysqlRights, nil, func(rows *sql.Rows) error { return rows.Scan(&all, &here, &triggers) }); err != nil {
		return err
	}
	switch {
	case !all && !here:
		d.unseen = "This role has privileges on single tables, and is not shown the others, of which one may refer to its rows: none is removed. Audit as one who may SELECT in the whole database."
	case !all:
		d.hidden = true
	}
	if err := m.readTriggers(ctx, s, d, triggers); err != nil {
		return err
	}
	return s.query(ctx, mysqlStrangers, nil, func(rows *sql.Rows) error {
		var name string
		f := new(foreignKey)
		err := rows.Scan(&name, &f.name, &f.onDelete)
		for _, t := range d.tables {
			if t.name == name {
				t.strangers = append(t.strangers, f)
			}
		}
		return err
	})
}

// readTriggers needs to know whether the role is shown those of all tables.
func (m *mysql) readTriggers(ctx context.Context, s *session, d *database, all bool) error {
	byName := map[string]*table{}
	for _, t := range d.tables {
		byName[t.name], t.untold = t, !all
	}
	err := s.query(ctx, mysqlTriggers, nil, func(rows *sql.Rows) error {
		var on, name string
		err := rows.Scan(&on, &name)
		if t := byName[on]; t != nil {
			t.triggers = append(t.triggers, name)
		}
		return err
	})
	if err != nil || all {
		return err
	}
	return s.query(ctx, mysqlShown, nil, func(rows *sql.Rows) error {
		var on string
		err := rows.Scan(&on)
		if t := byName[on]; t != nil {
			t.untold = false
		}
		return err
	})
}

// isUnknownColumn says that an old server's catalogue has not what was asked for.
func isUnknownColumn(err error) bool { return err != nil && strings.Contains(err.Error(), "1054") }

func readPartition(rows *sql.Rows, tables map[string]*table) error {
	var name, by string
	err := rows.Scan(&name, &by)
	if t := tables[name]; t != nil {
		t.partition = t.mentioned(by)
	}
	return err
}
