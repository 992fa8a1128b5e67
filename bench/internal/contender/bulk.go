package contender

import (
	"context"
	"iter"
	"runtime"

	"github.com/jackc/pgx/v5"

	"github.com/m2msafe/m2msafe"
)

// The ways to link any number of pairs, by their names in the raw results.
const (
	Copy     = "copy"
	CopyTemp = "copy-temp"
)

// Pair is a user's key and a group's.
type Pair [2]int64

// Bulk are the contenders for any number of pairs, in the order of reports.
func Bulk() []Contender {
	return []Contender{
		{Name: Copy, Title: "COPY", About: "pgx's CopyFrom into the join table: fails on a pair that is linked, and says so at its end"},
		{Name: CopyTemp, Title: "COPY, then INSERT", About: "CopyFrom into a temporary table, then one `INSERT … SELECT … ORDER BY … ON CONFLICT DO NOTHING`"},
		{Name: Plugin, Title: "m2msafe", About: "`m2msafe.LinkPairs(ctx, db, &User{}, \"Groups\", pairs)`"},
	}
}

// Linked is what a contender says of its bulk call.
type Linked struct {
	Created int64
	// Bytes of the heap that are in use after the first quarter of the pairs and at
	// the end; 0 where nobody is asked in between.
	Early, Late uint64
}

// BulkCall links all pairs.
type BulkCall func(ctx context.Context, pairs []Pair) (Linked, error)

// BulkUser and BulkGroup are the ends.
type BulkUser struct {
	ID     int64
	Groups []BulkGroup `gorm:"many2many:bulk_user_groups;joinForeignKey:UserID;joinReferences:GroupID"`
}

// BulkGroup is the target.
type BulkGroup struct{ ID int64 }

// OpenBulk opens a contender for bulk calls.
func OpenBulk(ctx context.Context, name string, server Server) (call BulkCall, closed func() error, err error) {
	if name == Plugin {
		return openLinkPairs(server)
	}
	config, err := server.config()
	if err != nil {
		return nil, nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	call = func(ctx context.Context, pairs []Pair) (Linked, error) {
		n, err := copyPairs(ctx, conn, "bulk_user_groups", pairs)
		return Linked{Created: n}, err
	}
	if name == CopyTemp {
		call = func(ctx context.Context, pairs []Pair) (l Linked, err error) {
			err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE pairs (user_id bigint, group_id bigint) ON COMMIT DROP"); err != nil {
					return err
				}
				if _, err := copyPairs(ctx, tx.Conn(), "pairs", pairs); err != nil {
					return err
				}
				tag, err := tx.Exec(ctx, "INSERT INTO bulk_user_groups SELECT user_id, group_id FROM pairs ORDER BY 1, 2 ON CONFLICT (user_id, group_id) DO NOTHING")
				l.Created = tag.RowsAffected()
				return err
			})
			return l, err
		}
	}
	return call, func() error { return conn.Close(ctx) }, nil
}

func copyPairs(ctx context.Context, conn *pgx.Conn, table string, pairs []Pair) (int64, error) {
	row := make([]any, 2)
	return conn.CopyFrom(ctx, pgx.Identifier{table}, []string{"user_id", "group_id"},
		pgx.CopyFromSlice(len(pairs), func(i int) ([]any, error) {
			row[0], row[1] = pairs[i][0], pairs[i][1]
			return row, nil
		}))
}

func openLinkPairs(server Server) (BulkCall, func() error, error) {
	db, err := OpenGORM(server, true)
	if err != nil {
		return nil, nil, err
	}
	pool, err := db.DB()
	call := func(ctx context.Context, pairs []Pair) (l Linked, err error) {
		done, err := m2msafe.LinkPairs(ctx, db, &BulkUser{}, "Groups", each(pairs),
			m2msafe.OnProgress(func(done m2msafe.Progress) error {
				if l.Early == 0 && done.Pairs >= int64(len(pairs)/4) {
					l.Early = inUse()
				}
				return nil
			}))
		l.Created, l.Late = done.Created, inUse()
		return l, err
	}
	return call, pool.Close, err
}

func each(pairs []Pair) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		for _, p := range pairs {
			if !yield(p[0], p[1]) {
				return
			}
		}
	}
}

// inUse is what the heap holds once the garbage is gone.
func inUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
