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

// Audit looks at the join tables of the models' many-to-many relations in the live
// database, and at the tables of targets with a natural key that a tag or [NaturalKey]
// names: what can't be safe there, what happens because of it, and the SQL that mends it.
// Without models it looks at all join tables that it can tell by their foreign keys and
// names. It only reads.
//
//	report, err := m2msafe.Audit(ctx, db, &User{}, &Group{})
//
// db may have the plugin or not; with it, and [DeletedLinks] at [Revive], a unique key
// that deleted links take is a note. A join table that does not exist, or that the role
// can't read, is in Report.Unseen with the reason, and no error: the others are looked at.
//
// It returns [ErrUnsupportedDatabase] for anything but PostgreSQL, the MySQL family and
// SQLite, GORM's error for what is no model, and the database's if its catalogue can't be
// read. It takes a connection of its own from the pool, and is safe for concurrent use.
func Audit(ctx context.Context, db *gorm.DB, models ...any) (*audit.Report, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
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
