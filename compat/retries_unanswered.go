package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// retriesUnanswered are about connections that break at a COMMIT, which was carried out or
// was not.
var retriesUnanswered = []behaviour{
	{"a COMMIT without an answer: the same Append again finds or makes its targets", retryUnheard},
	{"a COMMIT without an answer: targets without a natural key keep their numbers", retryNumbers},
}

// breaking is a pool whose next COMMITs have no answer.
type breaking struct {
	gorm.ConnPool
	left       int
	carriedOut bool
	says       error // instead of the answer
}

func (b *breaking) BeginTx(ctx context.Context, opts *sql.TxOptions) (tx gorm.ConnPool, err error) {
	if pool, ok := b.ConnPool.(gorm.TxBeginner); ok {
		tx, err = pool.BeginTx(ctx, opts)
	} else {
		tx, err = b.ConnPool.(gorm.ConnPoolBeginner).BeginTx(ctx, opts)
	}
	if err != nil {
		return nil, err
	}
	return &breakingTx{tx, b}, nil
}

// GetDBConn has gorm.DB.DB find the *sql.DB.
func (b *breaking) GetDBConn() (*sql.DB, error) {
	if pool, ok := b.ConnPool.(gorm.GetDBConnector); ok {
		return pool.GetDBConn()
	}
	return b.ConnPool.(*sql.DB), nil
}

type breakingTx struct {
	gorm.ConnPool
	pool *breaking
}

func (tx *breakingTx) Commit() error {
	if tx.pool.left == 0 {
		return tx.ConnPool.(gorm.TxCommitter).Commit()
	}
	tx.pool.left--
	end := tx.ConnPool.(gorm.TxCommitter).Rollback
	if tx.pool.carriedOut {
		end = tx.ConnPool.(gorm.TxCommitter).Commit
	}
	if err := end(); err != nil {
		return err
	}
	return tx.pool.says
}

func (tx *breakingTx) Rollback() error { return tx.ConnPool.(gorm.TxCommitter).Rollback() }

func broken(db *gorm.DB, carriedOut bool) *breaking {
	pool := &breaking{db.ConnPool, 0, carriedOut, driver.ErrBadConn}
	db.ConnPool, db.Statement.ConnPool = pool, pool
	return pool
}

func retryUnheard(t *testing.T, e Engine) {
	appends := func(db *gorm.DB, targets any) error {
		return db.Model(&Team{ID: 1}).Association("Players").Append(targets)
	}
	for name, call := range map[string]func(db *gorm.DB, targets any) error{
		"Append": appends,
		"Transaction": func(db *gorm.DB, targets any) error {
			return m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return appends(tx, targets) })
		},
	} {
		for outcome, carriedOut := range map[string]bool{"carried out": true, "not carried out": false} {
			t.Run(name+" "+outcome, func(t *testing.T) {
				db := teams(t, e)
				pool := broken(db, carriedOut)
				a, b := &Player{Name: "a"}, &Player{Name: "b"}
				pool.left = 1
				require.ErrorIs(t, call(db, []*Player{a, b}), driver.ErrBadConn)
				require.Equal(t, []Player{{Name: "a"}, {Name: "b"}}, []Player{*a, *b})
				if !carriedOut { // another takes one's number, and the other's name
					exec(t, db, `INSERT INTO players (name) VALUES ('c'), ('a')`)
				}
				require.NoError(t, call(db, []*Player{a, b}))
				require.Equal(t, []string{"old|a", "old|b"}, rosters(t, db, a, b))
				require.Equal(t, "2", one(t, db, `SELECT COUNT(*) FROM players WHERE name IN ('a', 'b')`))
			})
		}
	}
}

func retryNumbers(t *testing.T, e Engine) {
	for outcome, carriedOut := range map[string]bool{"carried out": true, "not carried out": false} {
		t.Run(outcome, func(t *testing.T) {
			db := teams(t, e)
			require.NoError(t, db.AutoMigrate(&Performer{}, &Troupe{}))
			troupe := &Troupe{Numbered: &Numbered{}, Name: "t"}
			require.NoError(t, db.Create(troupe).Error)
			pool := broken(db, carriedOut)
			a := &Performer{Numbered: &Numbered{}, Name: "a"}
			appends := func() error { return db.Model(troupe).Association("Players").Append(a) }
			pool.left = 1
			require.ErrorIs(t, appends(), driver.ErrBadConn)
			number := a.ID
			require.NotZero(t, number)
			require.NoError(t, appends())
			require.Equal(t, number, a.ID)
			require.Equal(t, []string{"a"}, rows(t, db, `SELECT name FROM performers`))
			require.Equal(t, "1", tally(t, db, "troupe_players"))
		})
	}
}
