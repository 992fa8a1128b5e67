package auditlab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a careless migration does to a join table, in SQL. SQLite can alter hardly anything:
// there the table is made anew, see rebuild.

// pairKeys are the names of the unique keys on exactly the pair, whichever rows they are of.
func (d *database) pairKeys(t testing.TB, j join) []string {
	t.Helper()
	query := map[string]string{"postgres": pgKeys, "mysql": mysqlKeys, "sqlite": sqliteKeys}[d.kind]
	return d.strings(t, query, j.table, j.ends[0].column, j.ends[1].column)
}

// dropPairKeys drops each unique key that is on the pair.
func (d *database) dropPairKeys(t testing.TB, j join) {
	t.Helper()
	a, b := j.ends[0].column, j.ends[1].column
	switch d.kind {
	case "postgres":
		for _, key := range d.pairKeys(t, j) {
			if d.count(t, "pg_constraint WHERE connamespace = current_schema()::regnamespace AND conname = '"+key+"'") > 0 {
				d.exec(t, fmt.Sprintf("ALTER TABLE %q DROP CONSTRAINT %q", j.table, key))
			} else {
				d.exec(t, fmt.Sprintf("DROP INDEX %q", key))
			}
		}
	case "mysql":
		for _, key := range d.pairKeys(t, j) {
			drop := "INDEX " + d.quote(key)
			if key == "PRIMARY" {
				drop = "PRIMARY KEY"
			}
			// Foreign keys want an index.
			d.exec(t, fmt.Sprintf("ALTER TABLE `%s` ADD INDEX `lab_%s` (`%s`), ADD INDEX `lab_%s_too` (`%s`), DROP %s", j.table, a, a, b, b, drop))
		}
	case "sqlite":
		d.rebuild(t, j.table, func(s *shape) { s.drop(a, b) })
		for _, key := range d.pairKeys(t, j) {
			d.exec(t, fmt.Sprintf("DROP INDEX %q", key))
		}
	}
}

// The names of unique keys on exactly two columns.
const (
	pgKeys = `SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass(quote_ident($1)) AND i.indisunique AND i.indnkeyatts = 2
AND (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = ANY (i.indkey))
  = (SELECT array_agg(n ORDER BY n) FROM unnest(ARRAY[$2::name, $3::name]) AS n)`
	mysqlKeys = `SELECT index_name FROM information_schema.statistics
WHERE table_schema = database() AND table_name = ? AND non_unique = 0 GROUP BY index_name HAVING count(*) = 2 AND sum(column_name IN (?, ?)) = 2`
	sqliteKeys = `SELECT l.name FROM pragma_index_list(?) AS l WHERE l."unique"
AND (SELECT count(*) FROM pragma_index_info(l.name)) = 2
AND (SELECT count(*) FROM pragma_index_info(l.name) AS i WHERE i.name IN (?, ?)) = 2`
)

// dropForeignKey drops that of one column.
func (d *database) dropForeignKey(t testing.TB, table, column string) {
	t.Helper()
	switch d.kind {
	case "postgres":
		for _, key := range d.strings(t, `SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(quote_ident($1)) AND contype = 'f'
AND conkey = (SELECT ARRAY[attnum] FROM pg_attribute WHERE attrelid = conrelid AND attname = $2)`, table, column) {
			d.exec(t, fmt.Sprintf("ALTER TABLE %q DROP CONSTRAINT %q", table, key))
		}
	case "mysql":
		for _, key := range d.strings(t, `SELECT constraint_name FROM information_schema.key_column_usage
WHERE table_schema = database() AND table_name = ? AND column_name = ? AND referenced_table_name IS NOT NULL`, table, column) {
			d.exec(t, fmt.Sprintf("ALTER TABLE `%s` DROP FOREIGN KEY `%s`", table, key))
		}
	case "sqlite":
		d.rebuild(t, table, func(s *shape) { delete(s.references, column) })
	}
}

// dropIndexes drops each index, but unique ones, that begins with a column.
func (d *database) dropIndexes(t testing.TB, table, column string) {
	t.Helper()
	query := map[string]string{
		"postgres": `SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass(quote_ident($1)) AND NOT i.indisunique AND a.attname = $2`,
		"mysql": `SELECT index_name FROM information_schema.statistics
WHERE table_schema = database() AND table_name = ? AND non_unique = 1 AND seq_in_index = 1 AND column_name = ?`,
		"sqlite": `SELECT l.name FROM pragma_index_list(?) AS l WHERE NOT l."unique" AND (SELECT i.name FROM pragma_index_info(l.name) AS i WHERE i.seqno = 0) = ?`,
	}[d.kind]
	for _, index := range d.strings(t, query, table, column) {
		drop := "DROP INDEX " + d.quote(index)
		if d.kind == "mysql" {
			drop += " ON " + d.quote(table)
		}
		d.exec(t, drop)
	}
}

// uniqueIndex makes one, of columns or expressions, with whatever follows them.
func (d *database) uniqueIndex(t testing.TB, table, on, tail string) {
	t.Helper()
	d.exec(t, fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s (%s)%s", d.quote("lab_"+table), d.quote(table), on, tail))
}

// uniquePair makes one on the pair, and keeps an index for the other end.
func (d *database) uniquePair(t testing.TB, j join, tail string) {
	t.Helper()
	d.uniqueIndex(t, j.table, d.pair(j), tail)
	d.index(t, j.table, j.ends[1].column)
}

func (d *database) index(t testing.TB, table, column string) {
	t.Helper()
	d.exec(t, fmt.Sprintf("CREATE INDEX %s ON %s (%s)", d.quote("lab_"+table+"_"+column), d.quote(table), d.quote(column)))
}

// permitNull lets a column that stands in no primary key be NULL.
func (d *database) permitNull(t testing.TB, table, column string) {
	t.Helper()
	switch d.kind {
	case "postgres":
		d.exec(t, fmt.Sprintf("ALTER TABLE %q ALTER COLUMN %q DROP NOT NULL", table, column))
	case "mysql":
		for _, c := range d.columns(t, table) {
			if c.name == column {
				d.exec(t, fmt.Sprintf("ALTER TABLE `%s` MODIFY `%s` %s NULL", table, column, c.typ))
			}
		}
	case "sqlite":
		d.rebuild(t, table, func(s *shape) { s.column(column).notNull = false })
	}
}

// setType gives a column another type. MySQL takes none that a foreign key's target has not.
func (d *database) setType(t testing.TB, table, column, typ string) {
	t.Helper()
	switch d.kind {
	case "postgres":
		d.exec(t, fmt.Sprintf("ALTER TABLE %q ALTER COLUMN %q TYPE %s USING %q::%s", table, column, typ, column, typ))
	case "mysql":
		d.exec(t, fmt.Sprintf("ALTER TABLE `%s` MODIFY `%s` %s NOT NULL", table, column, typ))
	case "sqlite":
		d.rebuild(t, table, func(s *shape) { s.column(column).typ = typ })
	}
}

// addColumn adds one that may be NULL.
func (d *database) addColumn(t testing.TB, table, column, typ string) {
	t.Helper()
	d.exec(t, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s NULL", d.quote(table), d.quote(column), typ))
}

// unchecked runs statements without foreign keys being looked at.
func (d *database) unchecked(t testing.TB, statements ...string) {
	t.Helper()
	off, on := "SET foreign_key_checks = 0", "SET foreign_key_checks = 1"
	switch d.kind {
	case "postgres":
		off, on = "SET session_replication_role = replica", "RESET session_replication_role"
	case "sqlite":
		off, on = "PRAGMA foreign_keys = off", "PRAGMA foreign_keys = on"
	}
	conn, err := d.pool.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	for _, s := range append(append([]string{off}, statements...), on) {
		_, err := conn.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// pair is the two columns, quoted.
func (d *database) pair(j join) string {
	return strings.Join([]string{d.quote(j.ends[0].column), d.quote(j.ends[1].column)}, ", ")
}
