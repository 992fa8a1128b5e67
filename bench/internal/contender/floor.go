package contender

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func openFloor(ctx context.Context, server Server) (Linker, error) {
	config, err := server.config()
	if err != nil {
		return nil, err
	}
	settings, err := pgxpool.ParseConfig(server.DSN)
	if err != nil {
		return nil, err
	}
	settings.ConnConfig = config
	settings.MaxConns, settings.MinConns = int32(server.Conns), int32(server.Conns)
	settings.MaxConnIdleTime, settings.MaxConnLifetime = idle, idle
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	return floorLinker{pool, server.Model}, err
}

// floorLinker is what a person would write who has one table to link, knows it
// and knows PostgreSQL: nothing can do the same work in less.
type floorLinker struct {
	pool  *pgxpool.Pool
	model Model
}

func (l floorLinker) Close() error {
	l.pool.Close()
	return nil
}

func (l floorLinker) Prepare(link Link) Call {
	statement := l.model.Floor(link.Inverse)
	return func(ctx context.Context) error {
		if l.model == Stamped {
			_, err := l.pool.Exec(ctx, statement, link.Owner, link.Targets, time.Now())
			return err
		}
		_, err := l.pool.Exec(ctx, statement, link.Owner, link.Targets)
		return err
	}
}

// Floor is the hand-written statement. With updated_at it does that too, and
// only if a link was made. Both write in the order of the key: without it
// writers with the same rows in another order end in deadlocks.
func (m Model) Floor(inverse bool) string {
	owners, columns := m.Users(), "$1::bigint, id"
	if inverse {
		owners, columns = m.Groups(), "id, $1::bigint"
	}
	insert := "INSERT INTO " + m.Links() + " (user_id, group_id) SELECT " + columns +
		" FROM unnest($2::bigint[]) AS id ORDER BY id ON CONFLICT (user_id, group_id) DO NOTHING"
	if m == Plain {
		return insert
	}
	return "WITH made AS (" + insert + " RETURNING 1) UPDATE " + owners +
		" SET updated_at = $3 WHERE id = $1 AND EXISTS (SELECT 1 FROM made)"
}
