package contender

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Model is a pair of tables with a join table between them.
type Model string

// The models.
const (
	Plain   Model = "plain"   // without updated_at
	Stamped Model = "stamped" // with updated_at on both sides, as of gorm.Model
)

// Models are both.
var Models = []Model{Plain, Stamped}

// PlainUser has nothing to keep up to date.
type PlainUser struct {
	ID     int64
	Name   string
	Groups []PlainGroup `gorm:"many2many:plain_user_groups;joinForeignKey:UserID;joinReferences:GroupID"`
}

// PlainGroup is its target.
type PlainGroup struct {
	ID    int64
	Name  string
	Users []PlainUser `gorm:"many2many:plain_user_groups;joinForeignKey:GroupID;joinReferences:UserID"`
}

// StampedUser has the time of its last change.
type StampedUser struct {
	ID        int64
	Name      string
	UpdatedAt time.Time
	Groups    []StampedGroup `gorm:"many2many:stamped_user_groups;joinForeignKey:UserID;joinReferences:GroupID"`
}

// StampedGroup is its target.
type StampedGroup struct {
	ID        int64
	Name      string
	UpdatedAt time.Time
	Users     []StampedUser `gorm:"many2many:stamped_user_groups;joinForeignKey:GroupID;joinReferences:UserID"`
}

// Note has no relation at all.
type Note struct {
	ID    int64
	Title string
	Text  string
}

// Users and the others are the names of the model's tables.
func (m Model) Users() string  { return string(m) + "_users" }
func (m Model) Groups() string { return string(m) + "_groups" }
func (m Model) Links() string  { return string(m) + "_user_groups" }

// CreateTables makes the tables of all models, each side with so many rows.
func CreateTables(ctx context.Context, conn *pgx.Conn, users, groups int) error {
	if _, err := conn.Exec(ctx, "CREATE TABLE notes (id bigserial PRIMARY KEY, title text NOT NULL, text text NOT NULL)"); err != nil {
		return err
	}
	for _, m := range Models {
		stamp, value := "", ""
		if m == Stamped {
			stamp, value = ", updated_at timestamptz NOT NULL", ", now()"
		}
		for _, side := range []struct {
			table string
			rows  int
		}{{m.Users(), users}, {m.Groups(), groups}} {
			if _, err := conn.Exec(ctx, "CREATE TABLE "+side.table+" (id bigserial PRIMARY KEY, name text NOT NULL"+stamp+")"); err != nil {
				return err
			}
			fill := "INSERT INTO " + side.table + " SELECT nextval('" + side.table + "_id_seq'), 'name ' || i" + value + " FROM generate_series(1, $1::int) AS i"
			if _, err := conn.Exec(ctx, fill, side.rows); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, "CREATE TABLE "+m.Links()+" (user_id bigint NOT NULL REFERENCES "+m.Users()+
			", group_id bigint NOT NULL REFERENCES "+m.Groups()+", PRIMARY KEY (user_id, group_id))")
		if err != nil {
			return err
		}
		// The other side reads it by group.
		if _, err := conn.Exec(ctx, "CREATE INDEX ON "+m.Links()+" (group_id)"); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, "VACUUM ANALYZE")
	return err
}
