// Package schema describes the tables of the model without updated_at to ent.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// User is the owner of the links.
type User struct{ ent.Schema }

// Annotations names the table.
func (User) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "plain_users"}}
}

// Fields are the columns.
func (User) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("name")}
}

// Edges is the relation.
func (User) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("groups", Group.Type).
			StorageKey(edge.Table("plain_user_groups"), edge.Columns("user_id", "group_id")),
	}
}

// Group is the target.
type Group struct{ ent.Schema }

// Annotations names the table.
func (Group) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "plain_groups"}}
}

// Fields are the columns.
func (Group) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("name")}
}

// Edges is the relation from the other side.
func (Group) Edges() []ent.Edge {
	return []ent.Edge{edge.From("users", User.Type).Ref("groups")}
}
