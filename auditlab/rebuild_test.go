package auditlab

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shape is a table of SQLite's, read from its catalogue, that can be made anew.
type shape struct {
	columns    []*shapeColumn
	primary    []string   // if it is of several columns
	unique     [][]string // the table's own others
	references map[string]string
}

type shapeColumn struct {
	name, typ string
	notNull   bool
	fallback  string
	key       bool // INTEGER PRIMARY KEY AUTOINCREMENT, or another key of one column
}

func (s *shape) column(name string) *shapeColumn {
	return s.columns[slices.IndexFunc(s.columns, func(c *shapeColumn) bool { return c.name == name })]
}

// drop takes out the keys on exactly these columns.
func (s *shape) drop(columns ...string) {
	slices.Sort(columns)
	is := func(key []string) bool { return slices.Equal(slices.Sorted(slices.Values(key)), columns) }
	s.unique = slices.DeleteFunc(s.unique, is)
	if is(s.primary) {
		s.primary = nil
	}
}

// rebuild makes a table anew as SQLite's documentation advises: a new one, the rows into it,
// and its name.
func (d *database) rebuild(t testing.TB, table string, change func(s *shape)) {
	t.Helper()
	s := d.readShape(t, table)
	change(s)
	indexes := d.strings(t, "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?", table)
	var parts, names []string
	for _, c := range s.columns {
		part := fmt.Sprintf("%q %s", c.name, c.typ)
		if c.notNull {
			part += " NOT NULL"
		}
		if c.fallback != "" {
			part += " DEFAULT " + c.fallback
		}
		if c.key {
			part += " PRIMARY KEY"
		}
		parts, names = append(parts, part), append(names, fmt.Sprintf("%q", c.name))
	}
	for _, c := range s.columns {
		if s.references[c.name] != "" {
			parts = append(parts, s.references[c.name])
		}
	}
	if s.primary != nil {
		parts = append(parts, fmt.Sprintf(`PRIMARY KEY ("%s")`, strings.Join(s.primary, `", "`)))
	}
	for _, key := range s.unique {
		parts = append(parts, fmt.Sprintf(`UNIQUE ("%s")`, strings.Join(key, `", "`)))
	}
	all := strings.Join(names, ", ")
	d.unchecked(t, append([]string{
		fmt.Sprintf("CREATE TABLE lab_new (%s)", strings.Join(parts, ", ")),
		fmt.Sprintf("INSERT INTO lab_new (%s) SELECT %s FROM %q", all, all, table),
		fmt.Sprintf("DROP TABLE %q", table),
		fmt.Sprintf("ALTER TABLE lab_new RENAME TO %q", table),
	}, indexes...)...)
}

func (d *database) readShape(t testing.TB, table string) *shape {
	t.Helper()
	s := &shape{references: map[string]string{}}
	rows, err := d.pool.QueryContext(t.Context(), `SELECT name, type, "notnull", coalesce(dflt_value, ''), pk,
(SELECT max(pk) FROM pragma_table_info(?1)) = 1 FROM pragma_table_info(?1) ORDER BY cid`, table)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		c := new(shapeColumn)
		var pk int
		var single bool
		require.NoError(t, rows.Scan(&c.name, &c.typ, &c.notNull, &c.fallback, &pk, &single))
		c.key = single && pk == 1
		if pk > 0 && !single {
			s.primary = append(s.primary, c.name)
			c.notNull = true
		}
		s.columns = append(s.columns, c)
	}
	require.NoError(t, rows.Err())
	for _, key := range d.strings(t, `SELECT (SELECT group_concat(name, char(10)) FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno))
FROM pragma_index_list(?) AS l WHERE l.origin = 'u'`, table) {
		s.unique = append(s.unique, strings.Split(key, "\n"))
	}
	sql := d.strings(t, "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", table)[0]
	for _, c := range s.columns {
		name := "fk_lab_" + c.name
		if named := regexp.MustCompile("(?i)CONSTRAINT [`\"]?(\\w+)[`\"]?\\s+FOREIGN KEY *\\([`\"]?" + c.name + "[`\"]?\\)").FindStringSubmatch(sql); named != nil {
			name = named[1] // ORMs know theirs by it
		}
		for _, to := range d.strings(t, `SELECT ' REFERENCES "' || "table" || '" ("' || "to" || '") ON DELETE ' || on_delete || ' ON UPDATE ' || on_update
FROM pragma_foreign_key_list(?) WHERE "from" = ?`, table, c.name) {
			s.references[c.name] = fmt.Sprintf("CONSTRAINT %q FOREIGN KEY (%q)%s", name, c.name, to)
		}
	}
	return s
}
