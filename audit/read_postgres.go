package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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

func (p postgres) read(ctx context.Context, s *session, wanted []string) (*database, error) {
	d := &database{taken: map[string]bool{}, exact: true}
	var version, schemas int64
	var path string
	if err := s.query(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::bigint, current_setting('search_path'), cardinality(current_schemas(false))", nil, func(rows *sql.Rows) error {
		return rows.Scan(&d.product, &version, &path, &schemas)
	}); err != nil {
		return nil, err
	}
	d.product, _, _ = strings.Cut("PostgreSQL "+d.product, " (")
	names, _ := json.Marshal(wanted)
	byID, oids, err := p.readTables(ctx, s, d, string(names))
	if err != nil {
		return nil, err
	}
	if schemas == 0 && path != postgresPath && len(d.tables) == 0 {
		return nil, fmt.Errorf("search_path is %q, and there is no such schema, or no privilege on it", path)
	}
	if err := s.query(ctx, postgresViews, nil, func(rows *sql.Rows) error {
		v := new(table)
		d.views = append(d.views, v)
		return rows.Scan(&v.schema, &v.name)
	}); err != nil {
		return nil, err
	}
	for {
		// Within s.try the settings go when it ends. What shows a definition has the names of
		// all schemas but pg_catalog in front of what is in them.
		err := s.try(ctx, func() error {
			return firstError(
				func() error { return s.exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", s.timeout.Milliseconds())) },
				func() error { return s.exec(ctx, "SET LOCAL search_path = pg_catalog") },
				func() error { return p.readParts(ctx, s, version, byID, oids) },
			)
		})
		if err == nil {
			return d, p.readTaken(ctx, s, d)
		}
		if more, failed := p.lockedNow(ctx, s, err, byID, oids); failed != nil || !more {
			return nil, errors.Join(failed, err)
		}
	}
}

// readTables are the tables, by their oids, and an array of these.
func (postgres) readTables(ctx context.Context, s *session, d *database, wanted string) (byID map[int64]*table, oids string, err error) {
	byID = map[int64]*table{}
	var all []string
	err = s.query(ctx, postgresTables, []any{wanted}, func(rows *sql.Rows) error {
		t := new(table)
		var security bool
		if err := rows.Scan(&t.id, &t.schema, &t.name, &t.home, &t.rank, &t.scope, &t.partitioned, list{&t.partition}, &t.rows, &t.readable, &security,
			&t.secured, &t.heirs, &t.deferred); err != nil {
			return err
		}
		switch {
		case !t.readable:
			t.unreadable = "no privilege to read its rows"
		case security:
			t.readable, t.unreadable = false, "row-level security hides rows from this role"
		}
		d.tables, byID[t.id] = append(d.tables, t), t
		all = append(all, fmt.Sprint(t.id))
		return nil
	})
	return byID, "{" + strings.Join(all, ",") + "}", err
}

// lockedNow marks the tables for whose locks a statement has waited in vain: what is left
// out of the next one. It says whether that is worth a try.
func (postgres) lockedNow(ctx context.Context, s *session, err error, byID map[int64]*table, oids string) (more bool, _ error) {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() != "55P03" || ctx.Err() != nil {
		return false, nil
	}
	return more, s.query(ctx, postgresLocked, []any{oids}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		if t := byID[id]; err == nil && t.locked == "" {
			t.locked, more = fmt.Sprintf("another transaction has it locked for longer than %v", s.timeout), true
		}
		return err
	})
}

// readParts reads what the tables have and what hangs on them, from the beginning.
func (p postgres) readParts(ctx context.Context, s *session, version int64, byID map[int64]*table, oids string) error {
	locked := []string{}
	for id, t := range byID {
		t.columns, t.indexes, t.foreign, t.strangers, t.triggers = nil, nil, nil, nil, nil
		if t.locked != "" {
			locked = append(locked, fmt.Sprint(id))
		}
	}
	all, alsoLocked := []any{oids}, []any{oids, "{" + strings.Join(locked, ",") + "}"}
	published := ""
	if version >= 15_00_00 {
		published = postgresPublishedSchemas
	}
	return firstError(
		func() error { return s.query(ctx, postgresColumns, alsoLocked, readColumns(byID)) },
		func() error { return s.query(ctx, postgresIndexes, alsoLocked, readIndexes(byID)) },
		func() error {
			return s.query(ctx, postgresNeeded, all, readNames(func(id int64, name, by string) {
				for _, x := range byID[id].indexes {
					if x.name == name {
						x.needed = append(x.needed, by)
					}
				}
			}))
		},
		func() error { return s.query(ctx, postgresForeign, all, readForeign(byID)) },
		func() error {
			return s.query(ctx, postgresOwn, all, readNames(func(id int64, name, _ string) {
				byID[id].triggers = append(byID[id].triggers, name)
			}))
		},
		func() error {
			return s.query(ctx, postgresUses, all, readNames(func(id int64, name, by string) {
				if c := byID[id].column(name); c != nil {
					c.used = append(c.used, by)
				}
			}))
		},
		func() error {
			return s.query(ctx, fmt.Sprintf(postgresPublished, published), all, func(rows *sql.Rows) error {
				var id int64
				var byKey, untold bool
				err := rows.Scan(&id, &byKey, &untold)
				byID[id].published = byKey
				if untold {
					byID[id].undeletable = "The table is published, and has no replica identity, so PostgreSQL refuses to delete a row of it: give it one first, as by REPLICA IDENTITY FULL."
				}
				return err
			})
		},
	)
}

func (postgres) readTaken(ctx context.Context, s *session, d *database) error {
	schemas := []string{}
	for _, t := range d.tables {
		if !slices.Contains(schemas, t.schema) {
			schemas = append(schemas, t.schema)
		}
	}
	names, _ := json.Marshal(schemas)
	return s.query(ctx, postgresNames, []any{string(names)}, func(rows *sql.Rows) error {
		var schema, name string
		err := rows.Scan(&schema, &name)
		d.taken[schema+"."+name] = true
		return err
	})
}

// estimate goes by the size of a table that was never analyzed, and of a partitioned one by
// what is known of each partition. It waits where the table is locked, and so has no place
// in a statement about all tables.
func (p postgres) estimate(ctx context.Context, s *session, t *table) (rows int64, err error) {
	return rows, s.numbers(ctx, fmt.Sprintf("SELECT CAST(coalesce(sum(CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE pg_relation_size(c.oid) / 64 END), 0) AS bigint) "+
		"FROM pg_partition_tree(%d) AS p JOIN pg_class c ON c.oid = p.relid WHERE p.isleaf", t.id), &rows)
}

// readNames reads rows of a table's oid and two names.
func readNames(add func(id int64, name, by string)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id int64
		var name, by string
		err := rows.Scan(&id, &name, &by)
		if err == nil {
			add(id, name, by)
		}
		return err
	}
}

func readColumns(tables map[int64]*table) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id int64
		var c column
		err := rows.Scan(&id, &c.name, &c.typ, &c.domain, &c.nullable, &c.generated, &c.identity, &c.collation, &c.loose)
		tables[id].columns = append(tables[id].columns, c)
		return err
	}
}

func readIndexes(tables map[int64]*table) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id int64
		x := new(index)
		err := rows.Scan(&id, &x.name, &x.unique, &x.primary, &x.invalid, &x.where, &x.deferrable, &x.nullsEqual,
			&x.constraint, &x.definition, list{&x.columns}, list{&x.uses}, &x.overlaps, &x.excludes, &x.foreign, &x.replica, list{&x.included})
		x.overlaps = x.overlaps && !x.excludes
		tables[id].indexes = append(tables[id].indexes, x)
		return err
	}
}

func readForeign(tables map[int64]*table) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var from, to int64
		var owner string
		var roots []string
		f := new(foreignKey)
		if err := rows.Scan(&from, &f.name, &to, &f.refers, list{&f.columns}, list{&f.references}, &f.unvalidated, &f.onDelete, &f.definition, &f.deferral, &owner, list{&roots}); err != nil {
			return err
		}
		f.table = tables[to]
		stranger := *f
		stranger.name = owner
		if t := tables[from]; t != nil {
			t.foreign = append(t.foreign, f)
		} else if f.table != nil {
			f.table.strangers = append(f.table.strangers, &stranger)
		}
		for _, root := range roots { // its table's rows are lost with those of a partition
			id, _ := strconv.ParseInt(root, 10, 64)
			tables[id].strangers = append(tables[id].strangers, &stranger)
		}
		return nil
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
