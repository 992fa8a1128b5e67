// Package catalog reads what the live database enforces on a table: its
// columns, unique keys and foreign keys.
package catalog

import (
	"database/sql"
	"slices"
	"strings"
)

// Table is a table as the database has it.
type Table struct {
	ID      int64 // the database's own number for it, 0 where it has none
	Columns []Column
	Keys    []Key // valid unique keys, the primary key first
	// ForeignKeys are those of the table itself.
	ForeignKeys []ForeignKey
	// CanSelect says that the role may read every row, CanLock that it may lock
	// them too.
	CanSelect, CanLock bool
	MaySelect          bool // it may read some of them
	// Triggers says that the table has some of its own: they fire for a row that
	// ON CONFLICT stops, too. Of PostgreSQL alone.
	Triggers bool
	// Uncommitted says that this transaction has made or altered the table or
	// one of its keys: what was read may never come to be.
	Uncommitted bool

	holds func(query Query, key *Key, columns []string, values []any) (bool, error)
}

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // SQL name for casts; see [MySQL]
}

// Key is a unique key.
type Key struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"` // "" stands for an expression
	Primary bool     `json:"primary"`
	// Collations are those of Columns where they have to be named.
	Collations []string `json:"-"`
	Where      string   `json:"where"` // predicate of a partial index
	// WhereColumns are the columns of the predicate; nil if they are not known.
	WhereColumns []string `json:"where_columns"`
	// Deferrable keys are checked late and can't be an arbiter.
	Deferrable bool `json:"deferrable"`
	// Counted says that the database counts a column of it up (AUTO_INCREMENT, of
	// the MySQL family alone): a row without a value for that never meets another.
	Counted bool `json:"-"`
	// NullsEqual says that NULLs count as equal (NULLS NOT DISTINCT).
	NullsEqual bool `json:"nulls_equal"`
}

// ForeignKey is a reference to another table.
type ForeignKey struct {
	Columns []string `json:"columns"`
	Table   int64    `json:"table"` // Table.ID of the table that is referred to
}

// Query runs a statement and gives its rows.
type Query func(query string, vars ...any) (*sql.Rows, error)

// probes ask for what a database calls itself, where one of GORM's names stands for
// several.
var probes = map[string]string{
	"mysql":    "SELECT version()",
	"postgres": "SELECT version() || coalesce((SELECT ' Citus' FROM pg_extension WHERE extname = 'citus'), '')",
}

// Version is what a database calls itself, given GORM's name of it; with " Citus"
// behind it where that extension is.
func Version(query Query, name string) (version string, err error) {
	if probes[name] == "" {
		return "", nil
	}
	rows, err := query(probes[name])
	err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&version) })
	return version, err
}

// Column returns the column of a name, nil if there is none.
func (t *Table) Column(name string) *Column {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

// Collation is that of a column, empty if it need not be named.
func (k *Key) Collation(column int) string {
	if column < len(k.Collations) {
		return k.Collations[column]
	}
	return ""
}

// Holds says whether a predicate of the table's is true of every row that has
// these values in these columns, whatever stands in the others.
func (t *Table) Holds(query Query, key *Key, columns []string, values []any) (bool, error) {
	if !t.Predicates() {
		return false, nil
	}
	for _, c := range key.WhereColumns {
		if !slices.Contains(columns, c) {
			return false, nil
		}
	}
	return t.holds(query, key, columns, values)
}

// Predicates says whether a key with a predicate is of any use: the database has such
// keys, and can be asked of which rows one is true.
func (t *Table) Predicates() bool { return t.holds != nil }

// References says whether a foreign key of columns, in any order, refers to
// the table of an ID.
func (t *Table) References(id int64, columns []string) bool {
	return slices.ContainsFunc(t.ForeignKeys, func(f ForeignKey) bool {
		return f.Table == id && SameColumns(f.Columns, columns)
	})
}

// SameColumns says whether two lists name the same columns, in any order.
func SameColumns(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// scan reads all rows with one function a row, and closes them.
func scan(rows *sql.Rows, err error, row func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// evaluate asks the database for the truth of a key's predicate on one row.
func evaluate(query Query, key *Key, row []string, values []any) (holds bool, err error) {
	rows, err := query("SELECT coalesce(("+key.Where+"), false) FROM (SELECT "+strings.Join(row, ", ")+") AS r", values...)
	err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&holds) })
	return holds, err
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
