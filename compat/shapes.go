package compat

import (
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"pgregory.net/rapid"
)

// shapes compare random calls on random models and tables with sets of pairs in memory.
// A failure prints the shape and the calls, shrunk, and the seed that brings them back.
// More of them:
//
//	go test -run 'TestEngine/sqlite/suite/Shapes' -rapid.checks=10000 .
var shapes = []behaviour{
	{"random keys, join tables and calls do as a set of pairs does", func(t *testing.T, e Engine) {
		if e.Dialect != "sqlite" {
			fewerChecks(t, "50") // each has a database, or a schema, of its own
		}
		rapid.Check(t, func(r *rapid.T) {
			s := drawShape(r, e)
			scope := &scope{TB: t}
			defer scope.end()
			w := s.build(scope, r, e)
			w.check(w.db)
			for range rapid.IntRange(1, 8).Draw(r, "calls") {
				w.step(w.db)
				w.check(w.db)
			}
		})
	}},
}

// fewerChecks has rapid make so many, unless the command line says how many.
func fewerChecks(t *testing.T, n string) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	require.NoError(t, checks.Value.Set(n))
	t.Cleanup(func() { require.NoError(t, checks.Value.Set(checks.DefValue)) })
}

// scope is a test that ends before the test does: a pool, and a database, for each shape.
type scope struct {
	testing.TB
	ends []func()
}

func (s *scope) Cleanup(f func()) { s.ends = append(s.ends, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.ends) {
		f()
	}
}

// unique is a key of the join table.
type unique struct {
	order   []int  // of the pair's columns
	wider   bool   // with a column more
	where   string // of a partial one
	primary bool
}

// shape is a family with a join table.
type shape struct {
	family    string
	sides     [2]side
	bound     bool // foreign keys
	surrogate bool // an id of its own
	noted     bool // columns beyond the pair
	deletes   bool // softly
	model     bool // SetupJoinTable
	keys      []unique
}

func drawShape(r *rapid.T, e Engine) shape {
	s := shape{family: rapid.SampledFrom(slices.Sorted(maps.Keys(families))).Draw(r, "family")}
	s.sides = families[s.family]
	s.bound, s.surrogate = rapid.Bool().Draw(r, "foreign keys"), rapid.Bool().Draw(r, "surrogate id")
	s.deletes = rapid.IntRange(0, 2).Draw(r, "deletes softly") == 0
	s.noted = s.deletes || rapid.Bool().Draw(r, "more columns")
	s.model = s.deletes || rapid.Bool().Draw(r, "join model")
	// The statements for PostgreSQL's kin do without these.
	plain := e.Name == "postgres-plain"
	for i := range rapid.IntRange(map[bool]int{true: 1}[plain], 2).Draw(r, "unique keys") {
		u := unique{order: rapid.Permutation(s.pairNumbers()).Draw(r, "order")}
		what := "pair"
		if !plain || i > 0 {
			what = rapid.SampledFrom([]string{"pair", "pair", "wider", "partial", "living"}).Draw(r, "key")
		}
		switch {
		case what == "wider" && s.noted:
			u.wider = true
		case what == "partial" && s.noted && e.partial() && !plain:
			u.where = "note = 'some'"
		case what == "living" && s.deletes && e.partial() && !plain:
			u.where = "deleted_at IS NULL"
		case i == 0 && !s.surrogate:
			u.primary = rapid.Bool().Draw(r, "primary")
		}
		s.keys = append(s.keys, u)
	}
	return s
}

// partial says that the engine has partial indexes.
func (e Engine) partial() bool { return e.Dialect != "mysql" }

// pairNumbers number the join table's columns of the pair, the left ones first.
func (s shape) pairNumbers() []int {
	numbers := make([]int, len(s.sides[0].kinds)+len(s.sides[1].kinds))
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

func (s shape) pairColumns() (columns, fields []string) {
	for end, side := range s.sides {
		c, f := side.columns(end)
		columns, fields = append(columns, c...), append(fields, f...)
	}
	return columns, fields
}

// ddl makes the tables.
func (s shape) ddl(db *gorm.DB) []string {
	var all, links []string
	if s.surrogate {
		links = append(links, portable(db, "id {id}"))
	}
	names := [2]string{"shape_lefts", "shape_rights"}
	var foreign []string
	for end, side := range s.sides {
		var columns, keys []string
		inLinks, _ := side.columns(end)
		for i, k := range side.kinds {
			keys = append(keys, string("abc"[i]))
			columns = append(columns, keys[i]+" "+k.sqlType(db, true)+" NOT NULL")
			links = append(links, inLinks[i]+" "+k.sqlType(db, false)+" NOT NULL")
		}
		all = append(all, fmt.Sprintf("CREATE TABLE %s (%s, num bigint, PRIMARY KEY (%s))", names[end], strings.Join(columns, ", "), strings.Join(keys, ", ")))
		if s.bound {
			foreign = append(foreign, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", strings.Join(inLinks, ", "), names[end], strings.Join(keys, ", ")))
		}
	}
	if s.noted {
		links = append(links, "note varchar(20)", "created_at "+moment.sqlType(db, false))
	}
	if s.deletes {
		links = append(links, "deleted_at "+moment.sqlType(db, false)+" NULL")
	}
	pair, _ := s.pairColumns()
	var indexes []string
	for i, u := range s.keys {
		var columns []string
		for _, n := range u.order {
			columns = append(columns, pair[n])
		}
		if u.wider {
			columns = slices.Insert(columns, 1, "note")
		}
		on := "(" + strings.Join(columns, ", ") + ")"
		switch {
		case u.primary:
			links = append(links, "PRIMARY KEY "+on)
		case u.where != "":
			indexes = append(indexes, fmt.Sprintf("CREATE UNIQUE INDEX shape_%d ON shape_links %s WHERE %s", i, on, u.where))
		default:
			indexes = append(indexes, fmt.Sprintf("CREATE UNIQUE INDEX shape_%d ON shape_links %s", i, on))
		}
	}
	return append(append(all, "CREATE TABLE shape_links ("+strings.Join(append(links, foreign...), ", ")+")"), indexes...)
}

// joinModel is a struct for the join table, made at run time.
func (s shape) joinModel() any {
	_, names := s.pairColumns()
	var fields []reflect.StructField
	add := func(name string, of reflect.Type, tag reflect.StructTag) {
		fields = append(fields, reflect.StructField{Name: name, Type: of, Tag: tag})
	}
	if s.surrogate {
		add("ID", reflect.TypeFor[uint](), "")
	}
	n := 0
	for _, side := range s.sides {
		for i := range side.kinds {
			tag := `gorm:"primaryKey;autoIncrement:false"`
			if s.surrogate {
				tag = ""
			}
			add(names[n], side.model.Field(i).Type, reflect.StructTag(tag))
			n++
		}
	}
	if s.noted {
		add("Note", reflect.TypeFor[*string](), "")
		add("CreatedAt", reflect.TypeFor[time.Time](), "")
	}
	if s.deletes {
		add("DeletedAt", reflect.TypeFor[gorm.DeletedAt](), "")
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// build makes a database of the shape, with some rows and links stored.
func (s shape) build(t testing.TB, r *rapid.T, e Engine) *world {
	db := e.With(t, &gorm.Config{Logger: logger.Discard, NamingStrategy: shapeNamer{}})
	for _, statement := range s.ddl(db) {
		r.Log(statement)
		require.NoError(r, db.Exec(statement).Error)
	}
	if s.model {
		for _, side := range s.sides {
			require.NoError(r, db.SetupJoinTable(reflect.New(side.model).Interface(), side.relation, s.joinModel()))
		}
	}
	w := &world{shape: s, db: db, r: r}
	w.links = map[[2]int]bool{}
	for end := range s.sides {
		w.rows[end] = map[int][]any{}
		for num := range rapid.IntRange(1, 3).Draw(r, "rows") {
			row := w.element(end, num)
			require.NoError(r, db.Create(row.Interface()).Error)
			w.stored(end, num, row)
		}
	}
	return w
}
