package m2msafe

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// softDelete finds the columns that soft deletion uses, whichever plugin it
// comes from: GORM asks a field's type for the clause that selects living rows,
// and so does this. live is what a living row has, revived what makes a dead
// one like it.
func (l *links) softDelete(model *schema.Schema) (live, revived []dialect.Assign, err error) {
	for _, field := range model.Fields {
		value := reflect.New(field.IndirectFieldType).Interface()
		queries, ok := value.(schema.QueryClausesInterface)
		if _, deletes := value.(schema.DeleteClausesInterface); !ok || !deletes {
			continue
		}
		stmt := l.db.Session(&gorm.Session{NewDB: true, Initialized: true}).Statement
		stmt.Unscoped = false
		stmt.Schema, stmt.Table = model, model.Table
		for _, c := range queries.QueryClauses(field) {
			stmt.AddClause(c)
		}
		where, _ := stmt.Clauses["WHERE"].Expression.(clause.Where)
		for _, expr := range where.Exprs {
			eq, _ := expr.(clause.Eq)
			column, ok := eq.Column.(clause.Column)
			if !ok {
				return nil, nil, l.fail(nil, nil, fmt.Sprintf("field %s soft-deletes in a way that is not understood; use m2msafe.With(db, m2msafe.Off())", field.Name))
			}
			if valuer, ok := eq.Value.(driver.Valuer); ok {
				if eq.Value, err = valuer.Value(); err != nil {
					return nil, nil, err
				}
			}
			live = append(live, dialect.Assign{Column: column.Name, Value: eq.Value})
		}
		// soft_delete's flag mode keeps the time in a column of its own.
		if name := schema.ParseTagSetting(field.TagSettings["SOFTDELETE"], ",")["DELETEDATFIELD"]; name != "" {
			if at := model.LookUpField(name); at != nil {
				v, _ := at.ValueOf(l.db.Statement.Context, reflect.New(model.ModelType))
				revived = append(revived, dialect.Assign{Column: at.DBName, Value: v})
			}
		}
	}
	return live, append(slices.Clone(live), revived...), nil
}
