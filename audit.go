package m2msafe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/catalog"
)

// Audit looks in the live database at the join tables of the models' many-to-many
// relations, and at the tables of targets with a natural key that a tag or [NaturalKey]
// names: what can't be safe there, what happens because of it, how many rows it concerns,
// and the SQL that mends it and takes that back.
//
//	report, err := m2msafe.Audit(ctx, db, &User{}, &Group{})
//
// A model is a pointer to a struct, as for AutoMigrate; a table that several relations
// have is looked at once. Without models all join tables are looked at that can be told by
// their foreign keys, keys and names. What is true comes from the database's catalogue, and
// from its rows where that leaves something open; package audit has the rules, and what may
// be expected of the SQL.
//
// Audit writes nothing: it reads in a transaction of its own that can't, by a connection of
// its own from db's pool, also where db is in a transaction, whose uncommitted rows it does
// not see. DryRun, conditions and the like of db do not matter. With the plugin in db, and
// [DeletedLinks] at [Revive], a unique key that deleted links take is a note.
//
// A join table that does not exist, or that the role can't read, is in Report.Unseen with
// the reason: that is no error, and the others are looked at. Errors are:
//
//   - [ErrUnsupportedDatabase] for anything but PostgreSQL, the MySQL family and SQLite;
//   - schema.ErrUnsupportedDataType, or what else GORM says of it, for what is no model;
//   - a [*LinkError], for a join model that is deleted softly in a way that is not known;
//   - gorm.ErrInvalidDB, if db is nil or its pool no *sql.DB;
//   - one that says so, if db is in a transaction that has the only connection of its pool;
//   - ctx's, once that ends;
//   - the driver's, if the database can't be reached or its catalogue not be read.
//
// It is safe for concurrent use.
func Audit(ctx context.Context, db *gorm.DB, models ...any) (*audit.Report, error) {
	if db == nil {
		return nil, gorm.ErrInvalidDB
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	if _, ok := db.Statement.ConnPool.(gorm.TxCommitter); ok && pool.Stats().MaxOpenConnections == 1 {
		return nil, errors.New("m2msafe: the audit needs a connection of its own, and a transaction has the pool's only one")
	}
	o, err := auditOptions(db.Session(&gorm.Session{NewDB: true, Context: ctx}), models)
	if err != nil {
		return nil, err
	}
	report, err := audit.Run(ctx, pool, db.Dialector.Name(), o)
	if errors.Is(err, audit.ErrUnsupportedDatabase) {
		return nil, unsupported(db)
	}
	return report, err
}

// auditOptions are what models say about their tables.
func auditOptions(db *gorm.DB, models []any) (o audit.Options, err error) {
	t := &taken{settings: &New().settings, plans: new(plans)}
	if plugin, ok := db.Plugins[pluginName].(*Plugin); ok {
		t.settings = &plugin.settings
		o.Revives = !t.settings.off && t.settings.deletedLinks == Revive
	}
	if len(models) > 0 {
		o.Joins = []audit.JoinTable{}
	}
	for _, model := range models {
		stmt := &gorm.Statement{DB: db}
		if err := stmt.Parse(model); err != nil {
			return o, fmt.Errorf("m2msafe: %T: %w", model, err)
		}
		lookUp(&o, modelLinks(db, stmt.Schema, t))
		for _, rel := range stmt.Schema.Relationships.Many2Many {
			join, err := auditedJoin(newLinks(db, t, rel))
			if err != nil {
				return o, err
			}
			lookUp(&o, modelLinks(db, rel.FieldSchema, t))
			// The other side of a relation that is known has the same table.
			same := slices.IndexFunc(o.Joins, func(j audit.JoinTable) bool { return j.Name == join.Name })
			if same < 0 {
				o.Joins = append(o.Joins, join)
				continue
			}
			if known := &o.Joins[same]; !slices.Contains(strings.Split(known.Relation, ", "), join.Relation) {
				known.Relation += ", " + join.Relation
			}
		}
	}
	return o, nil
}

// auditedJoin is a relation's join table, as the audit wants it.
func auditedJoin(l *links) (audit.JoinTable, error) {
	j := audit.JoinTable{Name: l.storedName(l.rel.JoinTable), Convention: "models", Relation: l.name(), SoftDelete: []string{}}
	j.Ends[0].Table, j.Ends[1].Table = l.storedName(l.rel.Schema), l.storedName(l.rel.FieldSchema)
	for _, ref := range l.rel.References {
		if ref.PrimaryKey == nil {
			continue
		}
		end := &j.Ends[1]
		if ref.OwnPrimaryKey {
			end = &j.Ends[0]
		}
		end.Columns, end.References = append(end.Columns, ref.ForeignKey.DBName), append(end.References, ref.PrimaryKey.DBName)
	}
	live, _, err := l.softDelete(l.rel.JoinTable)
	for _, assign := range live {
		j.SoftDelete = append(j.SoftDelete, assign.Column)
	}
	return j, err
}

// lookUp adds the natural key that is named for a model.
func lookUp(o *audit.Options, l *links) {
	columns := l.namedKey()
	if columns == nil {
		return
	}
	if entry := l.storedName(l.rel.FieldSchema) + "." + strings.Join(columns, ","); !slices.Contains(o.Lookups, entry) {
		o.Lookups = append(o.Lookups, entry)
	}
}

// storedName is a table's name in the catalogue, with its schema if the model has one.
func (l *links) storedName(s *schema.Schema) string {
	if names := catalog.Names(l.db.Statement.Quote(clause.Table{Name: s.Table})); names != nil {
		return strings.Join(names, ".")
	}
	return s.Table
}
