package audit

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// database is a catalogue, as far as an audit goes.
type database struct {
	product string // and its version
	tables  []*table
	views   []*table        // what is called like a table and is none: views, foreign tables; of each the names alone
	taken   map[string]bool // names that a new table or index can't have; see [names]
	hidden  bool            // other databases may have tables that refer to its rows
	exact   bool            // its names are told apart by their case
	unseen  string          // why nobody knows what refers to its tables, if so
}

// table is a table of the catalogue.
type table struct {
	id           int64
	schema, name string
	home         bool // it needs no schema in front of it
	rank         int  // PostgreSQL: of its schema in search_path, from 1 on; 0 for none
	scope        bool // it is to be looked at, and not only referred to
	columns      []column
	indexes      []*index
	foreign      []*foreignKey
	rows         int64  // the database's estimate, -1 if it has none
	readable     bool   // the role may read every row
	unreadable   string // why not
	locked       string // why its indexes could not be read, and nothing of it is said
	undeletable  string // why the database deletes no row of it, if so
	partitioned  bool
	partition    []string      // the columns that PostgreSQL's partitions go by, "" for an expression
	foreignless  string        // why there can't be a foreign key, if so
	heirs        bool          // PostgreSQL: tables inherit from it, and its keys don't cover their rows
	secured      bool          // PostgreSQL: policies can hide rows of it
	deferred     bool          // PostgreSQL: something is checked as late as at COMMIT when its rows change
	unalterable  string        // the MySQL family: why neither columns nor unique keys of it can be changed, if so
	made         int64         // the MySQL family: when, in seconds, 0 if it does not say
	untold       bool          // the MySQL family: what its triggers are, the role is not shown
	triggers     []string      // what runs when a row of it is deleted, and is the user's own: triggers and rules, by their names
	published    bool          // PostgreSQL: logical replication tells its rows by its primary key
	strangers    []*foreignKey // of tables that were not read, by whose names they go
	planned      planned       // what the fixes so far make of it
}

// column is a column of a table.
type column struct {
	name, typ string
	nullable  bool
	generated string // the expression of a generated column
	identity  bool   // it takes a value only by OVERRIDING SYSTEM VALUE
	primary   bool   // in SQLite's primary key, where NULL may stand without anyone meaning it
	value     string // the default's clause in a definition of the MySQL family
	modify    string // and what else stands behind NULL or NOT NULL
	collation string
	length    int      // of a text, 0 for none
	loose     bool     // PostgreSQL: by its collation different texts are equal
	used      []string // PostgreSQL: what keeps the column from another type
	domain    string   // the type's own name, where typ is what it is made of
	before    *column  // the MySQL family: as it was before a fix changed its type or NULL, nil where none did
}

// index is an index of a table.
type index struct {
	name       string
	columns    []string // "" for an expression, or a prefix
	uses       []string // columns in the expressions
	unique     bool
	primary    bool
	invalid    bool
	idle       bool // the MySQL family: nobody finds rows by it: FULLTEXT and SPATIAL ones, HASH, what the optimizer ignores
	where      string
	deferrable bool
	nullsEqual bool
	excludes   bool     // PostgreSQL: an exclusion constraint's, of which each operator is =
	overlaps   bool     // or not each is
	replica    bool     // PostgreSQL: logical replication tells the table's rows by it
	included   []string // PostgreSQL: columns that it has beside its key
	needed     []string // PostgreSQL: what keeps it from being dropped: views, foreign keys
	foreign    bool     // PostgreSQL: it runs functions that are not the database's own
	parts      string   // the MySQL family: its columns in a definition
	prefixed   bool     // the MySQL family: of a column the beginning alone counts
	constraint string   // the constraint that it belongs to
	definition string   // what makes it: an index's statement, a constraint's clause; none if the table's own does
}

// foreignKey is a reference of a table.
type foreignKey struct {
	name        string
	columns     []string
	table       *table // nil for one that was not read
	refers      string // its name
	references  []string
	unvalidated bool
	definition  string
	id          int    // SQLite's number
	onDelete    string // CASCADE, SET NULL, …; "" for the default
	deferral    string // " DEFERRABLE INITIALLY DEFERRED" and the like, "" for none
}

// full is the table's name as the report has it.
func (t *table) full() string {
	if t.home || t.schema == "" {
		return t.name
	}
	return t.schema + "." + t.name
}

// written is the column's type in a definition.
func (c *column) written() string {
	if c.domain != "" {
		return c.domain
	}
	return c.typ
}

func (t *table) column(name string) *column {
	if i := t.position(name); i >= 0 {
		return &t.columns[i]
	}
	return nil
}

func (t *table) position(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
}

// stored are the columns that an INSERT may name.
func (t *table) stored() []string {
	var names []string
	for _, c := range t.columns {
		if c.generated == "" {
			names = append(names, c.name)
		}
	}
	return names
}

// primaryKey is the table's primary key, nil if it has none.
func (t *table) primaryKey() *index {
	i := slices.IndexFunc(t.indexes, func(x *index) bool { return x.primary })
	if i < 0 {
		return nil
	}
	return t.indexes[i]
}

// identity are columns that tell each row from all others: nil if there are none.
func (t *table) identity() []string {
	for _, x := range t.indexes {
		if x.unique && !x.invalid && x.where == "" && !slices.ContainsFunc(x.columns, func(name string) bool {
			c := t.column(name)
			return c == nil || c.nullable
		}) {
			return x.columns
		}
	}
	return nil
}

// keyed says whether a foreign key may refer to the columns.
func (t *table) keyed(columns []string) bool {
	return slices.ContainsFunc(t.indexes, func(x *index) bool {
		return x.unique && !x.invalid && !x.deferrable && x.where == "" && catalog.SameColumns(x.columns, columns)
	})
}

// reference is the foreign key of columns, in any order, to a table; to any if that is nil.
func (t *table) reference(columns []string, to *table) *foreignKey {
	for _, f := range t.foreign {
		if (to == nil || f.table == to) && catalog.SameColumns(f.columns, columns) {
			return f
		}
	}
	return nil
}

// leads says whether an index begins with the columns, in any order.
func (x *index) leads(columns []string) bool {
	return !x.invalid && !x.idle && len(x.columns) >= len(columns) && catalog.SameColumns(x.columns[:len(columns)], columns)
}

// find is the table of a name, with its schema or without: then by the search path.
func (d *database) find(name string) *table {
	for _, t := range d.tables {
		if t.full() == name {
			return t
		}
	}
	for _, t := range d.tables {
		if t.schema != "" && t.schema+"."+t.name == name {
			return t
		}
	}
	var first *table
	for _, t := range d.tables {
		if t.name == name && t.rank > 0 && (first == nil || t.rank < first.rank) {
			first = t
		}
	}
	for _, t := range d.tables {
		if first == nil && !d.exact && strings.EqualFold(t.full(), name) {
			first = t
		}
	}
	return first
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func contains(all, some []string) bool { return len(minus(some, all)) == 0 }
