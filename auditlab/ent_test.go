package auditlab

import (
	"testing"

	"entgo.io/ent/dialect/entsql"
	entdb "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"
	"github.com/stretchr/testify/require"
)

// entDialects are Ent's names.
var entDialects = map[string]string{"postgres": "postgres", "mysql": "mysql", "sqlite": "sqlite3"}

// entTables are what Ent generates (in ent/migrate/schema.go) for
//
//	User{name}:  edge.To("groups", Group.Type), edge.To("friends", User.Type)
//	Group{name}: edge.From("users", User.Type).Ref("groups"), the name unique
func entTables() []*schema.Table {
	id := func(extra ...*schema.Column) []*schema.Column {
		return append([]*schema.Column{{Name: "id", Type: field.TypeInt, Increment: true}}, extra...)
	}
	table := func(name string, columns []*schema.Column, primary ...*schema.Column) *schema.Table {
		return &schema.Table{Name: name, Columns: columns, PrimaryKey: primary, Annotation: &entsql.Annotation{Table: name}}
	}
	groupColumns := id(&schema.Column{Name: "name", Type: field.TypeString, Unique: true})
	groups := table("groups", groupColumns, groupColumns[0])
	userColumns := id(&schema.Column{Name: "name", Type: field.TypeString})
	users := table("users", userColumns, userColumns[0])
	join := func(name, a, b string, to *schema.Table) *schema.Table {
		columns := []*schema.Column{{Name: a, Type: field.TypeInt}, {Name: b, Type: field.TypeInt}}
		j := table(name, columns, columns...)
		for i, ref := range []*schema.Table{users, to} {
			j.ForeignKeys = append(j.ForeignKeys, &schema.ForeignKey{
				Symbol: name + "_" + columns[i].Name, Columns: columns[i : i+1], RefTable: ref,
				RefColumns: ref.PrimaryKey, OnDelete: schema.Cascade,
			})
		}
		return j
	}
	return []*schema.Table{groups, users, join("user_groups", "user_id", "group_id", groups), join("user_friends", "user_id", "friend_id", users)}
}

// migrateEnt makes the tables as client.Schema.Create does, or finds them made.
func migrateEnt(t testing.TB, d *database) {
	t.Helper()
	migrate, err := schema.NewMigrate(entdb.OpenDB(entDialects[d.kind], d.pool))
	require.NoError(t, err)
	require.NoError(t, migrate.Create(t.Context(), entTables()...))
}
