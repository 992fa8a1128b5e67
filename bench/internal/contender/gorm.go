package contender

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// openPool opens database/sql on pgx.
func openPool(server Server) (*sql.DB, error) {
	config, err := server.config()
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(server.Conns)
	pool.SetMaxIdleConns(server.Conns)
	return pool, nil
}

// OpenGORM opens GORM with what it comes with, apart from the logger, and with
// the plugin if that is asked for.
func OpenGORM(server Server, plugin bool) (*gorm.DB, error) {
	pool, err := openPool(server)
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
	if err == nil && plugin {
		err = db.Use(m2msafe.New())
	}
	if err != nil {
		_ = pool.Close()
		return nil, err
	}
	return db, nil
}

func openStock(_ context.Context, server Server) (Linker, error) {
	db, err := OpenGORM(server, false)
	return gormLinker{db, server.Model}, err
}

func openPlugin(_ context.Context, server Server) (Linker, error) {
	db, err := OpenGORM(server, true)
	return gormLinker{db, server.Model}, err
}

type gormLinker struct {
	db    *gorm.DB
	model Model
}

func (l gormLinker) Close() error {
	pool, err := l.db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Prepare makes the structs that an app would have loaded.
func (l gormLinker) Prepare(link Link) Call {
	if l.model == Plain {
		if link.Inverse {
			return l.append(&PlainGroup{ID: link.Owner, Name: "name"}, "Users",
				elements(link.Targets, func(id int64) PlainUser { return PlainUser{ID: id, Name: "name"} }))
		}
		return l.append(&PlainUser{ID: link.Owner, Name: "name"}, "Groups",
			elements(link.Targets, func(id int64) PlainGroup { return PlainGroup{ID: id, Name: "name"} }))
	}
	if link.Inverse {
		return l.append(&StampedGroup{ID: link.Owner, Name: "name"}, "Users",
			elements(link.Targets, func(id int64) StampedUser { return StampedUser{ID: id, Name: "name"} }))
	}
	return l.append(&StampedUser{ID: link.Owner, Name: "name"}, "Groups",
		elements(link.Targets, func(id int64) StampedGroup { return StampedGroup{ID: id, Name: "name"} }))
}

func (l gormLinker) append(owner any, field string, targets any) Call {
	return func(ctx context.Context) error {
		return l.db.WithContext(ctx).Model(owner).Association(field).Append(targets)
	}
}

func elements[T any](ids []int64, element func(int64) T) []T {
	list := make([]T, len(ids))
	for i, id := range ids {
		list[i] = element(id)
	}
	return list
}

// plainLink is the join table as a model of its own.
type plainLink struct {
	UserID  int64 `gorm:"primaryKey"`
	GroupID int64 `gorm:"primaryKey"`
}

func (plainLink) TableName() string { return Plain.Links() }

func openCheck(_ context.Context, server Server) (Linker, error) {
	db, err := OpenGORM(server, false)
	return checkLinker{gormLinker{db, server.Model}}, err
}

// checkLinker is the pattern that most write by hand. Between its two statements
// anything may happen.
type checkLinker struct{ gormLinker }

func (l checkLinker) Prepare(link Link) Call {
	own, other := "user_id", "group_id"
	if link.Inverse {
		own, other = other, own
	}
	return func(ctx context.Context) error {
		db := l.db.WithContext(ctx)
		var there []int64
		err := db.Model(&plainLink{}).Where(own+" = ? AND "+other+" IN ?", link.Owner, link.Targets).Pluck(other, &there).Error
		if err != nil {
			return err
		}
		linked := make(map[int64]bool, len(there))
		for _, id := range there {
			linked[id] = true
		}
		var missing []plainLink
		for _, id := range link.Targets {
			if !linked[id] {
				missing = append(missing, pair(link, id))
			}
		}
		if len(missing) == 0 {
			return nil
		}
		return db.Create(&missing).Error
	}
}

func pair(link Link, target int64) plainLink {
	if link.Inverse {
		return plainLink{UserID: target, GroupID: link.Owner}
	}
	return plainLink{UserID: link.Owner, GroupID: target}
}
