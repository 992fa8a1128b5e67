package compat

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

func transactionAll(t *testing.T, e Engine) {
	db, l := teams(t, e), lost(2)
	var report m2msafe.Report
	c, created := &Player{Name: "c"}, false
	require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) (err error) {
		if created, err = m2msafe.GetOrCreate(t.Context(), tx, c); err != nil {
			return err
		}
		told := m2msafe.With(tx, m2msafe.ReportTo(&report))
		if _, err = m2msafe.LinkKeys(t.Context(), told, &Team{}, "Players", 1, 1, c.ID); err != nil {
			return err
		}
		if _, err = m2msafe.LinkPairs(t.Context(), tx, &Team{}, "Players", maps.All(map[uint]uint{1: 1})); err != nil {
			return err
		}
		require.Empty(t, report.Links(), "before it stands")
		return l.on(told).Model(&Team{ID: 1}).Association("Players").Append(&Player{Name: "a"})
	}))
	require.True(t, created)
	require.Zero(t, l.left)
	require.Len(t, report.Created(), 3)
	require.Len(t, report.Links(), 3)
	require.Equal(t, []string{"old|a", "old|c", "old|old"}, rosters(t, db, c))
}

func transactionOptions(t *testing.T, e Engine) {
	db, fn := teams(t, e), func(*gorm.DB) error { return nil }
	require.ErrorIs(t, m2msafe.Transaction(t.Context(), db, nil), m2msafe.ErrOption)
	require.ErrorIs(t, m2msafe.Transaction(t.Context(), db, fn, nil), m2msafe.ErrOption)
	require.ErrorIs(t, m2msafe.Transaction(t.Context(), db, fn, m2msafe.Retries(-1)), m2msafe.ErrOption)
	require.ErrorIs(t, m2msafe.Transaction(t.Context(), e.Open(t, "stock", &gorm.Config{}), fn), m2msafe.ErrNotInUse)
	require.ErrorIs(t, db.Session(&gorm.Session{}).Use(m2msafe.New(m2msafe.TxOptions(sql.TxOptions{}))), gorm.ErrRegistered)
	if e.postgres() {
		require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			require.Equal(t, "serializable", one(t, tx, `SELECT current_setting('transaction_isolation')`))
			return nil
		}, m2msafe.TxOptions(sql.TxOptions{Isolation: sql.LevelSerializable})))
	}
}

func transactionContext(t *testing.T, e Engine) {
	db, l, runs := teams(t, e), lost(100), 0
	ctx, cancel := context.WithCancel(t.Context())
	l.err = lostAnd{cancel}
	err := m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error {
		runs++
		return appendTwo(l.on(tx), &Team{ID: 1}, &Player{Name: "a"})
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, runs)
	require.Equal(t, "1", tally(t, db, "players"))
}

// Appends of one transaction have no order in common with another's: without a retry
// they end in deadlocks.
func transactionRace(t *testing.T, e Engine) {
	if e.NoLocks != "" {
		t.Skip(e.NoLocks)
	}
	db := teams(t, e, m2msafe.Retries(200))
	const writers, calls, players = 6, 10, 8
	for i := range players {
		exec(t, db, `INSERT INTO players (name) VALUES (?)`, fmt.Sprint("p", i))
	}
	var all sync.WaitGroup
	errs := make(chan error, writers*calls)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for w := range writers {
		all.Go(func() {
			for c := range calls {
				first, second := uint(2+(w+c)%players), uint(2+(w*3+c*5+1)%players)
				errs <- m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error {
					for _, id := range []uint{first, second} {
						if err := tx.Model(&Player{}).Where("id = ?", id).Update("name", fmt.Sprint("p", w, c, id)).Error; err != nil {
							return err
						}
						if err := tx.Model(&Team{ID: 1}).Association("Players").Append(&Player{ID: id}, &Player{Name: fmt.Sprint("n", w, c)}); err != nil {
							return err
						}
					}
					return nil
				})
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, fmt.Sprint(1+players+writers*calls), tally(t, db, "players"))
	require.Equal(t, fmt.Sprint(players+writers*calls), tally(t, db, "team_players"))
}
