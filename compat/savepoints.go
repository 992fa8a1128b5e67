package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// savepoints are about those that are set in a transaction of the caller's.
var savepoints = []behaviour{
	{"a savepoint that can't be set is the error", savepointUnset},
	{"a savepoint that can't be rolled back to is told beside the error", savepointLost},
	{"what a savepoint has undone leaves no number in memory", savepointMemory},
}

// spoiled has statements that begin with a word fail in the database.
func spoiled(t *testing.T, db *gorm.DB, word string) {
	t.Helper()
	require.NoError(t, db.Callback().Raw().Before("gorm:raw").Register("test:failing", func(db *gorm.DB) {
		if sql := db.Statement.SQL.String(); strings.HasPrefix(sql, word) {
			db.Statement.SQL.Reset()
			db.Statement.SQL.WriteString("SELECT no_such_column")
		}
	}))
}

// insideCalls are what sets savepoints in a transaction of the caller's.
var insideCalls = map[string]func(tx *gorm.DB) error{
	"Append": func(tx *gorm.DB) error {
		return tx.Model(&Team{ID: 1}).Association("Players").Append(&Player{Name: "a"}, &Player{Name: "old"})
	},
	"GetOrCreate": func(tx *gorm.DB) error {
		_, err := m2msafe.GetOrCreate(tx.Statement.Context, tx, &Player{Name: "a"})
		return err
	},
	"Transaction": func(tx *gorm.DB) error {
		return m2msafe.Transaction(tx.Statement.Context, tx, func(tx *gorm.DB) error { return tx.Create(&Player{Name: "a"}).Error })
	},
}

func savepointUnset(t *testing.T, e Engine) {
	for name, call := range insideCalls {
		t.Run(name, func(t *testing.T) {
			db := teams(t, e)
			spoiled(t, db, "SAVEPOINT")
			require.ErrorContains(t, db.Transaction(call), "no_such_column")
			require.Equal(t, "1", tally(t, db, "players"))
		})
	}
}

func savepointLost(t *testing.T, e Engine) {
	db := teams(t, e)
	spoiled(t, db, "ROLLBACK TO")
	err := db.Transaction(func(tx *gorm.DB) error {
		return (&losses{left: 1, err: errHook}).on(tx).Model(&Team{ID: 1}).Association("Players").Append(&Player{Name: "a"})
	})
	require.ErrorIs(t, err, errHook)
	require.ErrorContains(t, err, "could not be rolled back to")
	require.Equal(t, "1", tally(t, db, "players"))
}

// The numbers of rows that are rolled back are given to others' rows.
func savepointMemory(t *testing.T, e Engine) {
	if e.NoSavepoints != "" {
		t.Skip(e.NoSavepoints)
	}
	for name, call := range map[string]func(tx *gorm.DB, players []*Player) error{
		"Append": func(tx *gorm.DB, players []*Player) error {
			return tx.Model(&Team{ID: 1}).Association("Players").Append(players)
		},
		"Transaction": func(tx *gorm.DB, players []*Player) error {
			return m2msafe.Transaction(tx.Statement.Context, tx, func(tx *gorm.DB) error {
				return tx.Model(&Team{ID: 1}).Association("Players").Append(players)
			})
		},
		"Transaction of several": func(tx *gorm.DB, players []*Player) error {
			return m2msafe.Transaction(tx.Statement.Context, tx, func(tx *gorm.DB) error {
				for i := range players {
					if err := tx.Model(&Team{ID: 1}).Association("Players").Append(players[i : i+1]); err != nil {
						return err
					}
				}
				return nil
			})
		},
	} {
		for outer, transaction := range map[string]func(db *gorm.DB, f func(tx *gorm.DB) error) error{
			"the caller's": func(db *gorm.DB, f func(tx *gorm.DB) error) error { return db.Transaction(f) },
			"a Transaction": func(db *gorm.DB, f func(tx *gorm.DB) error) error {
				return m2msafe.Transaction(db.Statement.Context, db, f)
			},
		} {
			t.Run(name+" in "+outer, func(t *testing.T) {
				db, fresh := teams(t, e), func() []*Player { return []*Player{{Name: "b"}, {Name: "a"}} }
				players, other := fresh(), &Player{Name: "other"}
				require.NoError(t, transaction(db, func(tx *gorm.DB) error {
					require.ErrorIs(t, call((&losses{left: 1, err: errHook}).on(tx), players), errHook)
					require.Equal(t, fresh(), players)
					panics := &losses{left: 1, then: func(*gorm.DB) { panic("oh") }}
					require.PanicsWithValue(t, "oh", func() { _ = call(panics.on(tx), players) })
					require.Equal(t, fresh(), players)
					require.NoError(t, tx.Create(other).Error)
					return call(tx, players)
				}))
				require.Equal(t, []string{"old|a", "old|b"}, rosters(t, db, append(players, other)...))
			})
		}
	}
}
