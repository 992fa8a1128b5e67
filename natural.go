package m2msafe

import (
	"slices"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// natural is a unique key of the targets' table by which a target can be known
// without the reference values of the relation.
type natural struct {
	name    string
	fields  []*schema.Field
	columns []dialect.Column
	named   bool     // by the app: its zeros are values
	living  bool     // it covers living rows only: a dead one takes nothing
	arbiter []string // all columns of the index
	where   string   // and its predicate
}

// planNaturals finds the natural keys: the unique keys that the database
// enforces on the targets' table, on plain columns that the model has, but for
// the one that the relation refers to. An option or a tag names one of them.
func (l *links) planNaturals(p *plan) (err error) {
	if p.target == nil {
		return nil
	}
	model := l.rel.FieldSchema
	if p.living, p.wake, err = l.softDelete(model); err != nil {
		return err
	}
	for _, field := range model.Fields {
		if field.DBName != "" && field.Readable && p.target.Column(field.DBName) != nil {
			p.columns = append(p.columns, field)
		}
	}
	named := l.namedKey()
	for i := range p.target.Keys {
		key := &p.target.Keys[i]
		// The key that the relation refers to tells nothing, unless it is not
		// the primary key: then that is missing in memory.
		refers := catalog.SameColumns(key.Columns, p.link.Target.Keys) && catalog.SameColumns(key.Columns, model.PrimaryFieldDBNames)
		if key.Deferrable || refers ||
			named != nil && !catalog.SameColumns(key.Columns, named) {
			continue
		}
		n, ok := l.naturalOf(p, key)
		if !ok {
			continue
		}
		n.named = named != nil
		covers, err := l.coversLiving(p, key)
		if err != nil {
			return err
		}
		if covers {
			p.naturals = append(p.naturals, n)
		}
	}
	if named != nil && len(p.naturals) == 0 {
		return l.fail(ErrNoUniqueKey, nil, "the natural key named for "+model.Name+" is no unique key of "+model.Table+
			"; mend it with: CREATE UNIQUE INDEX "+l.db.Statement.Quote(l.indexName(model.Table, named))+
			" ON "+l.db.Statement.Quote(clause.Table{Name: model.Table})+" ("+l.quoted(named)+")")
	}
	return nil
}

func (l *links) quoted(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = l.db.Statement.Quote(clause.Column{Name: c})
	}
	return strings.Join(quoted, ", ")
}

// naturalOf makes a natural key of a unique key, if all of its columns are the
// model's, besides soft-delete columns that are equal in all living rows.
func (l *links) naturalOf(p *plan, key *catalog.Key) (natural, bool) {
	n := natural{name: key.Name, living: key.Where != "", arbiter: key.Columns, where: key.Where}
	for i, column := range key.Columns {
		field, stored := l.rel.FieldSchema.FieldsByDBName[column], p.target.Column(column)
		if field == nil || stored == nil || !field.Readable || strings.HasSuffix(stored.Type, "[]") {
			return n, false // an array of arrays can't be asked for
		}
		soft := slices.IndexFunc(p.living, func(a dialect.Assign) bool { return a.Column == column })
		switch {
		case soft >= 0 && p.living[soft].Value == nil && !key.NullsEqual:
			return n, false // NULLs differ: it keeps no two living rows apart
		case soft >= 0:
			n.living = true
		default:
			n.fields = append(n.fields, field)
			n.columns = append(n.columns, dialect.Column{Name: column, Type: stored.Type, Collation: key.Collation(i)})
		}
	}
	return n, len(n.fields) > 0
}

// coversLiving says whether a key of the targets' table holds for every living
// row.
func (l *links) coversLiving(p *plan, key *catalog.Key) (bool, error) {
	if key.Where == "" {
		return true, nil
	}
	columns, values := assigned(p.living)
	return p.target.Holds(querier(l.db), key, columns, values)
}

// namedKey are the columns of the natural key that the app has named, nil if
// it has not.
func (l *links) namedKey() []string {
	model := l.rel.FieldSchema
	names := l.settings.naturalKeys[model.ModelType]
	if names == nil {
		for _, field := range model.Fields {
			if field.Tag.Get("m2msafe") == "naturalKey" {
				names = append(names, field.Name)
			}
		}
	}
	var columns []string
	for _, name := range names {
		if field := model.LookUpField(name); field != nil {
			name = field.DBName
		}
		columns = append(columns, name)
	}
	return columns
}
