// Package lab measures what becomes of many-to-many writes when several
// writers make them at once: by hand, on stock GORM and with m2msafe. It makes
// the calls, and then counts the rows that the database holds.
package lab

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// Experiment is one situation: tables, rounds of calls on them, and what the
// database must hold afterwards. Everything that differs between experiments is
// in its fields, so that a new one is one more value in [All].
type Experiment struct {
	Name  string
	About string // one sentence: what is being shown
	Asked string // issues of go-gorm/gorm that ask for it

	Relation Relation
	// Setup makes the tables and the rows that are there before the first
	// round. It runs on stock GORM in an empty database.
	Setup func(db *gorm.DB, size Size) error
	// Reset brings the tables back to where a round starts. nil: the join
	// table is emptied.
	Reset func(db *gorm.DB, size Size) error
	// Rounds is how many rounds there are.
	Rounds func(size Size) int
	// Calls is what each writer calls in a round, in order. It depends on its
	// arguments alone, so that each way makes the same calls.
	Calls func(rng *rand.Rand, size Size) [][]Append

	// Expected is the kind of error that is the right answer here, once for
	// each call that cannot have its link; "" where every call can.
	Expected string
	// Links is how many living links a round must leave at least, for
	// experiments whose right answer is an error; nil otherwise.
	Links func(size Size) int
	// Effect is a side effect that should not be there, counted in the
	// database; nil for none.
	Effect *Effect
	// Only is the engine that can show it, "" for all, and Reason says why.
	Only, Reason string
}

// Effect is something that calls leave besides links.
type Effect struct {
	Column string // heading, six letters at most
	Name   string // what it counts
	Count  func(db *gorm.DB) (int64, error)
}

// Size is how large an experiment is run.
type Size struct {
	Writers int
	Quick   bool
}

// pick returns full, or quick if the size is.
func (s Size) pick(full, quick int) int {
	if s.Quick {
		return quick
	}
	return full
}

// Relation is the many-to-many relation that an experiment writes, named as in
// the database: the counters must not depend on what GORM makes of the models.
type Relation struct {
	Field, Inverse       string // fields of the owner's and of the target's model
	OwnerTable, OwnerKey string // OwnerKey and TargetKey are columns of the join table
	TargetTable          string
	TargetKey            string
	JoinTable            string
	Live                 string // SQL condition of living join rows, "" for all
	// Rows makes join rows for the hand-written way; see [rowsOf].
	Rows func(owner uint, targets []uint, inverse bool) any
	// NewTargets says that targets may not be stored yet; the hand-written way
	// then checks and inserts them too.
	NewTargets bool
	// ByName says that targets come with a name and no ID, and that names are
	// unique in the database; the hand-written way then looks for the name.
	ByName bool
}

// rowsOf makes a slice of join rows, as the hand-written way creates them, from
// a function that makes one.
func rowsOf[J any](row func(owner, target uint) J) func(uint, []uint, bool) any {
	return func(one uint, others []uint, inverse bool) any {
		rows := make([]J, len(others))
		for i, other := range others {
			if inverse {
				rows[i] = row(other, one)
			} else {
				rows[i] = row(one, other)
			}
		}
		return &rows
	}
}

// Append is one call: owner.Association(field).Append(targets...). Inverse
// says that it comes from the other side: Owner is then one of the relation's
// targets. Its rows are in memory only, and belong to this call alone.
type Append struct {
	Owner   Entity
	Targets []Entity
	Inverse bool
	Maps    bool // the targets are given as maps
}

// Entity is a model with a [Row] in it.
type Entity interface{ row() *Row }

// Row is what the counters know a row by. The name tells which row was meant,
// whatever ID the row in memory ends with; names are unique within a table.
type Row struct {
	ID   uint
	Name string
}

func (r *Row) row() *Row { return r }

// named is the n-th row of a table as [seed] stores it.
func named(prefix string, n int) Row {
	return Row{ID: uint(n), Name: fmt.Sprintf("%s%d", prefix, n)}
}

// seed stores rows 1 to n of a table, with the names that named gives them.
func seed(db *gorm.DB, table, prefix string, n int) error {
	return db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO `+table+` (name) SELECT '`+prefix+`' || i FROM n ORDER BY i`, n).Error
}

// empty deletes all rows of tables.
func empty(db *gorm.DB, tables ...string) error {
	for _, table := range tables {
		if err := db.Exec("DELETE FROM " + table).Error; err != nil {
			return err
		}
	}
	return nil
}

// targets are rows of a model, one for each number, in that order.
func targets[E Entity](numbers []int, make func(n int) E) []Entity {
	rows := []Entity{}
	for _, n := range numbers {
		rows = append(rows, make(n))
	}
	return rows
}

// upTo is 1 to n.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

// shuffled is 1 to n in a random order.
func shuffled(rng *rand.Rand, n int) []int {
	numbers := upTo(n)
	rng.Shuffle(n, func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	return numbers
}

// writers makes the calls of each writer.
func writers(size Size, calls func(writer int) []Append) [][]Append {
	all := make([][]Append, size.Writers)
	for w := range all {
		all[w] = calls(w)
	}
	return all
}

// always is a number that no size changes.
func always(n int) func(Size) int { return func(Size) int { return n } }

// All is the list of experiments, in the order of the report.
func All() []*Experiment {
	return slices.Concat(originExperiments(), raceExperiments(), naturalKeyExperiments(), joinTableExperiments(), costExperiments())
}

// Choose returns the experiments of those names, in the report's order; all of
// them if no name is given.
func Choose(names []string) ([]*Experiment, error) {
	all := All()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, e := range all {
		known = append(known, e.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no experiment is called %q; there are: %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(e *Experiment) bool { return !slices.Contains(names, e.Name) }), nil
}
