package m2msafe

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// planSide looks at the table that one end of the pair refers to. A table of
// another database, or one whose rows the role can't all see, is not checked.
func (l *links) planSide(p *plan, own bool) (dialect.Side, error) {
	model := l.rel.FieldSchema
	if own {
		model = l.rel.Schema
	}
	side := dialect.Side{Table: model.Table}
	var columns []string
	for _, ref := range l.rel.References {
		if ref.OwnPrimaryKey != own || ref.PrimaryKey == nil {
			continue
		}
		columns = append(columns, ref.ForeignKey.DBName)
		side.Keys = append(side.Keys, ref.PrimaryKey.DBName)
		side.Refs = append(side.Refs, slices.IndexFunc(p.link.Refs, func(c dialect.Column) bool { return c.Name == ref.ForeignKey.DBName }))
	}
	table, err := l.describe(model)
	if err != nil || table == nil || len(side.Keys) == 0 {
		return side, err
	}
	if !own && table.CanSelect {
		p.target = table
	}
	side.Check = table.CanSelect && l.comparable(p, side, table)
	side.Bound = side.Check && p.table.References(table.ID, columns)
	if side.Bound && table.CanLock {
		side.Lock = "KEY SHARE"
	}
	if own {
		p.lockOwner = side.Check && table.CanLock
	}
	return side, nil
}

// comparable says whether the database compares the join table's columns with
// those that they refer to. Without a foreign key they may be of any types, which
// PostgreSQL alone minds.
func (l *links) comparable(p *plan, side dialect.Side, table *catalog.Table) bool {
	for i, ref := range side.Refs {
		column := table.Column(side.Keys[i])
		if column == nil || l.db.Dialector.Name() == "postgres" && typeFamily(column.Type) != typeFamily(p.link.Refs[ref].Type) {
			return false
		}
	}
	return true
}

// typeFamily is a name for the types that PostgreSQL compares with each other.
func typeFamily(typ string) string {
	name, _, _ := strings.Cut(typ, "(")
	switch name {
	case "smallint", "integer", "bigint", "numeric":
		return "number"
	case "text", "character varying", "bpchar", "citext":
		return "text"
	}
	return typ
}
