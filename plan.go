package m2msafe

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// plan is how a relation's join table takes a link: made once from GORM's
// schema and the live catalogue.
type plan struct {
	link      dialect.Link
	dialect   dialect.Dialect
	table     *catalog.Table
	refs      []reference      // in the order of link.Refs
	revived   []dialect.Assign // what brings a dead join row back
	naturals  []natural        // the target's unique keys besides the one referred to
	columns   []*schema.Field  // what is read of a target: some fields have no column
	target    *catalog.Table   // nil if it can't be looked up
	living    []dialect.Assign // what a target has that is not soft-deleted
	wake      []dialect.Assign // what brings a dead target back
	lockOwner bool             // the owners' rows can be locked
	bare      bool             // the join row has no columns but the pair's
	hooks     bool             // the join model has create hooks
	indirect  string           // why an Append takes more than one statement, if it always does
	touch     []*schema.Field  // the owner's auto-update times
	apart     []*schema.Field  // of the targets' primary key, what the relation does not refer to
}

// reference is a column of the join row and where its value comes from.
type reference struct {
	*schema.Reference
	convert bool // the join model's field has a type of its own
	number  bool // it is a plain integer on both sides
}

// plans caches plans by relation and join model: SetupJoinTable replaces the
// latter, before db.Use or after.
type plans struct {
	made     sync.Map // planKey to *plan
	warned   sync.Map // planKey to nothing
	joins    sync.Map // reflect.Type of join models to nothing
	products sync.Map // gorm.Dialector to *product
}

type planKey struct {
	rel     *schema.Relationship // nil for the plan of a model alone
	join    *schema.Schema       // or the model
	natural string               // the natural key that an option names
}

func (l *links) planKey() planKey {
	named := strings.Join(l.settings.naturalKeys[l.rel.FieldSchema.ModelType], ",")
	if l.rel.Field == nil {
		return planKey{join: l.rel.FieldSchema, natural: named}
	}
	return planKey{l.rel, l.rel.JoinTable, named}
}

// planned finds the relation's plan, or makes it.
func (l *links) planned() error {
	key := l.planKey()
	if p, ok := l.plans.made.Load(key); ok {
		l.plan = p.(*plan)
		return nil
	}
	// Where reading first spoils the transaction for writing. An error will be
	// seen again: there is no such table, or it is locked.
	if inside(l.db) && !l.db.DryRun {
		_ = l.open()
	}
	p, err := l.makePlan()
	if err != nil {
		var known *LinkError
		if errors.As(err, &known) {
			return err
		}
		return l.fail(nil, err, "the catalogue of the database could not be read")
	}
	l.plan = p
	l.plans.joins.Store(l.rel.JoinTable.ModelType, true)
	if !p.table.Uncommitted {
		l.plans.made.Store(key, p)
	}
	return nil
}

// forget drops a plan that the database may have proved wrong.
func (l *links) forget() { l.plans.made.Delete(l.planKey()) }

func (l *links) makePlan() (*plan, error) {
	join := l.rel.JoinTable
	of, err := l.plans.productOf(l.db)
	if err != nil {
		return nil, err
	}
	p := &plan{dialect: of.Dialect}
	p.hooks = join.BeforeCreate || join.BeforeSave || join.AfterCreate || join.AfterSave
	p.link.Table, p.link.Quoted = join.Table, l.db.Statement.Quote(clause.Table{Name: join.Table})

	if p.table, err = l.describe(join); err != nil {
		return nil, err
	}
	if p.table == nil {
		return nil, l.fail(ErrNoJoinTable, nil, "create it with AutoMigrate or a migration")
	}
	if !p.table.MaySelect {
		return nil, l.fail(nil, errors.New("permission denied"), "links are looked for before they are written: GRANT SELECT ON "+p.link.Quoted)
	}
	if p.link.Live, p.revived, err = l.softDelete(join); err != nil {
		return nil, err
	}
	columns := pairColumns(l.rel)
	key, err := l.arbiter(p.table, columns, p.link.Live)
	if err != nil {
		return nil, err
	}
	if key != nil {
		p.link.Arbiter, p.link.Where = key.Columns, key.Where
		p.link.Dead = len(p.link.Live) > 0 && key.Where == "" && catalog.SameColumns(key.Columns, columns)
	}
	p.link.Guarded = p.link.Arbiter == nil
	p.link.Sole = !slices.ContainsFunc(p.table.Keys, func(k catalog.Key) bool {
		return !k.Counted && !catalog.SameColumns(k.Columns, p.link.Arbiter)
	})

	// One order of rows for all writers: that of the arbiter, which is the same
	// from both sides of the relation.
	slices.SortFunc(columns, func(a, b string) int {
		i, j := slices.Index(p.link.Arbiter, a), slices.Index(p.link.Arbiter, b)
		if i != j {
			return i - j
		}
		return strings.Compare(a, b)
	})
	for _, name := range columns {
		column := p.table.Column(name)
		if column == nil {
			return nil, l.fail(ErrNoJoinTable, nil, "it has no column "+name+"; run the migration")
		}
		p.link.Refs = append(p.link.Refs, dialect.Column{Name: name, Type: column.Type})
		p.refs = append(p.refs, l.referenceFor(name))
	}
	p.bare = len(join.DBNames) == len(columns)
	if p.link.Owner, err = l.planSide(p, true); err != nil {
		return nil, err
	}
	if p.link.Target, err = l.planSide(p, false); err != nil {
		return nil, err
	}
	l.planDirect(p)
	return p, l.planNaturals(p)
}

// pairColumns are the join table's columns that hold the pair, each once: a
// column may serve both sides (a tenant's).
func pairColumns(rel *schema.Relationship) []string {
	var columns []string
	for _, ref := range rel.References {
		if !slices.Contains(columns, ref.ForeignKey.DBName) {
			columns = append(columns, ref.ForeignKey.DBName)
		}
	}
	return columns
}

// referenceFor is the relation's reference for a column. Of two for one column
// the last wins, as in GORM.
func (l *links) referenceFor(column string) reference {
	var found reference
	for _, ref := range l.rel.References {
		if ref.ForeignKey.DBName == column {
			found.Reference = ref
			found.convert = ref.PrimaryKey != nil &&
				(ref.PrimaryKey.FieldType != ref.ForeignKey.FieldType || ref.ForeignKey.Serializer != nil)
			found.number = ref.PrimaryKey != nil && !found.convert && isNumber(ref.PrimaryKey)
		}
	}
	return found
}

// isNumber says whether a field's value is its text as a number, and nothing else.
func isNumber(f *schema.Field) bool {
	_, valuer := reflect.New(f.FieldType).Interface().(driver.Valuer)
	zero := reflect.Zero(f.FieldType)
	return !valuer && f.Serializer == nil && (zero.CanInt() || zero.CanUint())
}

// arbiter finds the unique key that makes a pair of living rows unique, and
// that an ON CONFLICT may name: exactly the pair's columns, all of them plain,
// besides soft-delete columns that are equal in all living rows; without a
// predicate, or with one that holds for all living rows. A deferrable key over
// the same columns rules it out (55000).
func (l *links) arbiter(table *catalog.Table, pair []string, live []dialect.Assign) (*catalog.Key, error) {
	columns, values := assigned(live)
	var found *catalog.Key
	for i := range table.Keys {
		key := &table.Keys[i]
		rest := slices.DeleteFunc(slices.Clone(key.Columns), func(c string) bool { return slices.Contains(pair, c) })
		if len(key.Columns)-len(rest) != len(pair) {
			continue
		}
		if key.Deferrable && len(rest) == 0 && key.Where == "" {
			return nil, nil
		}
		covers := !key.Deferrable && !slices.ContainsFunc(rest, func(c string) bool {
			i := slices.Index(columns, c)
			return i < 0 || values[i] == nil && !key.NullsEqual
		})
		if covers && key.Where != "" {
			var err error
			if covers, err = table.Holds(querier(l.db), key, columns, values); err != nil {
				return nil, err
			}
		}
		// A key that dead rows take comes first: PostgreSQL passes over its conflicts
		// too where the one named leaves dead rows be, and has the same columns.
		if covers && (found == nil || len(key.Columns) < len(found.Columns) || len(key.Columns) == len(found.Columns) && key.Where == "") {
			found = key
		}
	}
	return found, nil
}
