package m2msafe

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// plan is how a relation's join table takes a link: made once from GORM's
// schema and the live catalogue.
type plan struct {
	link    dialect.Link
	dialect dialect.Dialect
	table   *catalog.Table
	refs    []reference // in the order of link.Refs
	revived []dialect.Assign
	bare    bool // the join row has no columns but the pair's
	hooks   bool // the join model has create hooks
}

// reference is a column of the join row and where its value comes from.
type reference struct {
	*schema.Reference
	convert bool // the join model's field has a type of its own
}

// plans caches plans by relation and join model: SetupJoinTable replaces the
// latter, before db.Use or after.
type plans struct {
	made   sync.Map // planKey to *plan
	warned sync.Map // planKey to nothing
}

type planKey struct {
	rel  *schema.Relationship
	join *schema.Schema
}

// planned finds the relation's plan, or makes it.
func (l *links) planned() error {
	key := planKey{l.rel, l.rel.JoinTable}
	if p, ok := l.plans.made.Load(key); ok {
		l.plan = p.(*plan)
		return nil
	}
	// Where reading first spoils the transaction for writing. An error will be
	// seen again: there is no such table, or it is locked.
	if _, inside := l.db.Statement.ConnPool.(gorm.TxCommitter); inside && !l.db.DryRun {
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
	l.plans.made.Store(key, p)
	return nil
}

// forget drops a plan that the database may have proved wrong.
func (l *links) forget() { l.plans.made.Delete(planKey{l.rel, l.rel.JoinTable}) }

func (l *links) makePlan() (*plan, error) {
	join := l.rel.JoinTable
	p := &plan{dialect: dialect.Of(l.db.Dialector.Name())}
	p.hooks = join.BeforeCreate || join.BeforeSave || join.AfterCreate || join.AfterSave
	p.link.Table, p.link.Quoted = join.Table, l.db.Statement.Quote(clause.Table{Name: join.Table})

	var err error
	if p.table, err = l.describe(join.Table); err != nil {
		return nil, err
	}
	if p.table == nil {
		return nil, l.fail(ErrNoJoinTable, nil, "create it with AutoMigrate or a migration")
	}
	if err := l.planSoftDelete(p); err != nil {
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
	// An insert that ON CONFLICT stops has evaluated the defaults (a sequence
	// moves), fired BEFORE triggers and checked NOT NULL by then. A row with
	// more than the pair is looked for first.
	p.link.Probe = p.link.Guarded || len(p.table.Columns) > len(columns)
	if p.link.Owner, err = l.planSide(p, true); err != nil {
		return nil, err
	}
	p.link.Target, err = l.planSide(p, false)
	return p, err
}

// describe reads a table from the catalogue, on the statement's own connection:
// what its transaction has made is there.
func (l *links) describe(table string) (*catalog.Table, error) {
	query := querier(l.db)
	if l.db.Dialector.Name() == "postgres" {
		return catalog.Postgres(query, l.db.Statement.Quote(clause.Table{Name: table}))
	}
	return catalog.SQLite(query, table, l.rel.JoinTable.DBNames)
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
		}
	}
	return found
}

// planSide looks at the table that one end of the pair refers to. A table of
// another database, or one whose rows the role can't all see, is not checked.
func (l *links) planSide(p *plan, own bool) (dialect.Side, error) {
	side := dialect.Side{Table: l.rel.FieldSchema.Table}
	if own {
		side.Table = l.rel.Schema.Table
	}
	var columns []string
	for _, ref := range l.rel.References {
		if ref.OwnPrimaryKey != own || ref.PrimaryKey == nil {
			continue
		}
		columns = append(columns, ref.ForeignKey.DBName)
		side.Keys = append(side.Keys, ref.PrimaryKey.DBName)
		side.Refs = append(side.Refs, slices.IndexFunc(p.link.Refs, func(c dialect.Column) bool { return c.Name == ref.ForeignKey.DBName }))
	}
	table, err := l.describe(side.Table)
	if err != nil || table == nil || len(side.Keys) == 0 {
		return side, err
	}
	side.Check = table.CanSelect
	side.Lock = table.CanSelect && table.CanLock && p.table.References(table.ID, columns)
	return side, nil
}

// arbiter finds the unique key that makes a pair of living rows unique, and
// that an ON CONFLICT may name: exactly the pair's columns, all of them plain,
// besides soft-delete columns that are equal in all living rows; without a
// predicate, or with one that holds for all living rows. A deferrable key over
// the same columns rules it out (55000).
func (l *links) arbiter(table *catalog.Table, pair []string, live []dialect.Assign) (*catalog.Key, error) {
	var columns []string
	var values []any
	for _, a := range live {
		columns, values = append(columns, a.Column), append(values, a.Value)
	}
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
		// A key of the pair alone is better than one that leaves dead rows be.
		if covers && (found == nil || len(key.Columns) < len(found.Columns)) {
			found = key
		}
	}
	return found, nil
}

// planSoftDelete finds the columns that soft deletion uses, whichever plugin it
// comes from: GORM asks a field's type for the clause that selects living rows,
// and so does this.
func (l *links) planSoftDelete(p *plan) error {
	join := l.rel.JoinTable
	for _, field := range join.Fields {
		value := reflect.New(field.IndirectFieldType).Interface()
		queries, ok := value.(schema.QueryClausesInterface)
		if _, deletes := value.(schema.DeleteClausesInterface); !ok || !deletes {
			continue
		}
		stmt := l.db.Session(&gorm.Session{NewDB: true, Initialized: true}).Statement
		stmt.Unscoped = false
		stmt.Schema, stmt.Table = join, join.Table
		for _, c := range queries.QueryClauses(field) {
			stmt.AddClause(c)
		}
		where, _ := stmt.Clauses["WHERE"].Expression.(clause.Where)
		for _, expr := range where.Exprs {
			eq, _ := expr.(clause.Eq)
			column, ok := eq.Column.(clause.Column)
			if !ok {
				return l.fail(nil, nil, fmt.Sprintf("field %s soft-deletes in a way that is not understood; use m2msafe.With(db, m2msafe.Off())", field.Name))
			}
			if valuer, ok := eq.Value.(driver.Valuer); ok {
				var err error
				if eq.Value, err = valuer.Value(); err != nil {
					return err
				}
			}
			p.link.Live = append(p.link.Live, dialect.Assign{Column: column.Name, Value: eq.Value})
		}
		// soft_delete's flag mode keeps the time in a column of its own.
		if name := schema.ParseTagSetting(field.TagSettings["SOFTDELETE"], ",")["DELETEDATFIELD"]; name != "" {
			if at := join.LookUpField(name); at != nil {
				v, _ := at.ValueOf(l.db.Statement.Context, reflect.New(join.ModelType))
				p.revived = append(p.revived, dialect.Assign{Column: at.DBName, Value: v})
			}
		}
	}
	p.revived = append(slices.Clone(p.link.Live), p.revived...)
	return nil
}
