package contender

import (
	"context"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/m2msafe/m2msafe/bench/internal/contender/ent"
)

func openEnt(_ context.Context, server Server) (Linker, error) {
	pool, err := openPool(server)
	if err != nil {
		return nil, err
	}
	return entLinker{ent.NewClient(ent.Driver(entsql.OpenDB("postgres", pool)))}, nil
}

type entLinker struct{ client *ent.Client }

func (l entLinker) Close() error { return l.client.Close() }

func (l entLinker) Prepare(link Link) Call {
	if link.Inverse {
		return func(ctx context.Context) error {
			return l.client.Group.UpdateOneID(link.Owner).AddUserIDs(link.Targets...).Exec(ctx)
		}
	}
	return func(ctx context.Context) error {
		return l.client.User.UpdateOneID(link.Owner).AddGroupIDs(link.Targets...).Exec(ctx)
	}
}

// bunLink is the join table as bun's model.
type bunLink struct {
	bun.BaseModel `bun:"table:plain_user_groups"`

	UserID  int64 `bun:",pk"`
	GroupID int64 `bun:",pk"`
}

func openBun(_ context.Context, server Server) (Linker, error) {
	pool, err := openPool(server)
	if err != nil {
		return nil, err
	}
	return bunLinker{bun.NewDB(pool, pgdialect.New())}, nil
}

type bunLinker struct{ db *bun.DB }

func (l bunLinker) Close() error { return l.db.Close() }

func (l bunLinker) Prepare(link Link) Call {
	return func(ctx context.Context) error {
		rows := make([]bunLink, len(link.Targets))
		for i, id := range link.Targets {
			p := pair(link, id)
			rows[i] = bunLink{UserID: p.UserID, GroupID: p.GroupID}
		}
		_, err := l.db.NewInsert().Model(&rows).On("CONFLICT (user_id, group_id) DO NOTHING").Returning("NULL").Exec(ctx)
		return err
	}
}
