package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// transactions are about m2msafe.Transaction.
var transactions = []behaviour{
	{"a transaction that lost is run again, on what was in memory before", transactionAgain},
	{"one that goes on losing is ErrRetry, and leaves nothing behind", transactionInVain},
	{"one that fails for another reason is not run again", transactionFails},
	{"a loss that the function passes over counts", transactionPassedOver},
	{"what a lost run has appended is not asked for any more", transactionBranches},
	{"what a query has loaded is as it was before", transactionQueries},
	{"a Transaction in a Transaction joins it", transactionJoins},
	{"a Transaction in a transaction of the caller's joins that", transactionInside},
	{"a panic rolls back and goes on", transactionPanics},
	{"all that is done in one stands together, and is told once it stands", transactionAll},
	{"its options and errors", transactionOptions},
	{"no try is made once the context has ended: Transaction", transactionContext},
	{"many at a time, of several Appends in any order", transactionRace},
}

// appendTwo links team 1 to an old player, and to two new ones.
func appendTwo(tx *gorm.DB, team *Team, fresh ...*Player) error {
	if err := tx.Model(team).Association("Players").Append(&Player{ID: 1}); err != nil {
		return err
	}
	return tx.Model(team).Association("Players").Append(fresh)
}

func transactionAgain(t *testing.T, e Engine) {
	db, l := teams(t, e), lost(2)
	team, a, b := &Team{ID: 1}, &Player{Name: "a"}, &Player{Name: "b"}
	mine := &Team{Name: "mine"} // of no relation's concern
	runs := 0
	require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
		require.Equal(t, []uint{0, 0, 0}, []uint{a.ID, b.ID, mine.ID})
		runs++
		if err := tx.Create(mine).Error; err != nil {
			return err
		}
		return appendTwo(l.on(tx), team, b, a)
	}, m2msafe.Retries(3)))
	require.Equal(t, 3, runs)
	require.Equal(t, []string{"old|a", "old|b", "old|old"}, rosters(t, db, a, b))
	require.Equal(t, []string{"2", "3"}, []string{tally(t, db, "teams"), tally(t, db, "players")})
	require.Len(t, team.Players, 3, "as if it had not lost")
	require.Equal(t, "mine", one(t, db, `SELECT name FROM teams WHERE id = ?`, mine.ID))
}

func transactionInVain(t *testing.T, e Engine) {
	db, l := teams(t, e, m2msafe.Retries(2)), lost(100)
	team, a := &Team{ID: 1}, &Player{Name: "a"}
	err := m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return appendTwo(l.on(tx), team, a) })
	require.ErrorIs(t, err, m2msafe.ErrRetry)
	require.ErrorIs(t, err, errLost{})
	require.Equal(t, 97, l.left, "three runs")
	require.Equal(t, &Player{Name: "a"}, a)
	require.Equal(t, []string{"1", "0"}, []string{tally(t, db, "players"), tally(t, db, "team_players")})
	l.left = 1
	require.ErrorIs(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return appendTwo(l.on(tx), team, a) },
		m2msafe.Retries(0)), m2msafe.ErrRetry)
	require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return appendTwo(l.on(tx), team, a) }))
	require.Equal(t, []string{"old|a", "old|old"}, rosters(t, db, a))
}

func transactionFails(t *testing.T, e Engine) {
	db, runs := teams(t, e), 0
	team, b := &Team{ID: 1}, &Player{Name: "b"}
	err := m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
		runs++
		if err := appendTwo(tx, team, b); err != nil {
			return err
		}
		return errHook
	})
	require.Equal(t, errHook, err)
	require.Equal(t, 1, runs)
	require.Equal(t, &Player{Name: "b"}, b)
	require.Equal(t, []string{"1", "0"}, []string{tally(t, db, "players"), tally(t, db, "team_players")})
}

func transactionPassedOver(t *testing.T, e Engine) {
	for name, after := range map[string]error{"nil": nil, "another error": errHook} {
		t.Run(name, func(t *testing.T) {
			db, l, runs := teams(t, e), lost(1), 0
			a := &Player{Name: "a"}
			require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
				runs++
				if appendTwo(l.on(tx), &Team{ID: 1}, a) != nil {
					return after
				}
				return nil
			}))
			require.Equal(t, 2, runs)
			require.Equal(t, []string{"old|a", "old|old"}, rosters(t, db, a))
		})
	}
}

// GORM puts targets into the owner's field before any callback can see it.
func transactionBranches(t *testing.T, e Engine) {
	for name, runs := range map[string][][]*Player{
		"another target": {{{Name: "a"}}, {{Name: "b"}}},
		"more":           {{{Name: "a"}}, {{Name: "b"}, {Name: "c"}}},
		"none":           {{{Name: "a"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			db, l, n := teams(t, e), lost(1), 0
			team := &Team{ID: 1}
			require.NoError(t, db.Model(team).Association("Players").Append(&Player{ID: 1}))
			require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
				n++
				if runs[n-1] == nil {
					return nil
				}
				return l.on(tx).Model(team).Association("Players").Append(runs[n-1])
			}))
			require.Equal(t, 2, n)
			want := []string{}
			for _, p := range runs[1] {
				want = append(want, "old|"+p.Name)
			}
			require.Equal(t, append(want, "old|old"), rosters(t, db, runs[1]...))
			require.NoError(t, db.Model(team).Association("Players").Append(&Player{ID: 1}))
			require.Equal(t, append(want, "old|old"), rosters(t, db, runs[1]...), "nothing of the lost run comes later")
		})
	}
	t.Run("the same, beside what was loaded", func(t *testing.T) {
		db, l := teams(t, e), lost(3)
		team, a := &Team{ID: 1}, &Player{Name: "a"}
		require.NoError(t, db.Model(team).Association("Players").Append(&Player{ID: 1}))
		loaded := team.Players[0]
		require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			return l.on(tx).Model(team).Association("Players").Append(a)
		}))
		require.Equal(t, []*Player{loaded, a}, team.Players)
		require.Equal(t, []string{"old|a", "old|old"}, rosters(t, db, a))
	})
}

func transactionQueries(t *testing.T, e Engine) {
	db, l := teams(t, e), lost(1)
	var team Team
	var found Player
	require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
		require.Zero(t, team)
		require.Zero(t, found)
		if err := tx.Where("name = ?", "old").First(&team).Error; err != nil {
			return err
		}
		if err := tx.Where(Player{Name: "c"}).FirstOrCreate(&found).Error; err != nil {
			return err
		}
		return l.on(tx).Model(&team).Association("Players").Append(&found, &Player{Name: "a"})
	}))
	require.Equal(t, []string{"old|a", "old|c"}, rosters(t, db, &found))
	require.Equal(t, "3", tally(t, db, "players"))
}

func transactionJoins(t *testing.T, e Engine) {
	db, l := teams(t, e), &losses{left: 1, err: errHook}
	a, b := &Player{Name: "a"}, &Player{Name: "b"}
	outer, inner := 0, 0
	run := func() {
		outer, inner = 0, 0
		require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			outer++
			if err := appendTwo(tx, &Team{ID: 1}, b); err != nil {
				return err
			}
			_ = m2msafe.Transaction(t.Context(), tx, func(tx *gorm.DB) error {
				inner++
				return l.on(tx).Model(&Team{ID: 1}).Association("Players").Append(a)
			})
			return nil
		}))
	}
	if e.NoSavepoints == "" {
		run() // the inner one is undone alone
		require.Equal(t, []int{1, 1}, []int{outer, inner})
		require.Equal(t, []string{"old|b", "old|old"}, rosters(t, db, b))
		require.Equal(t, "2", tally(t, db, "players"))
	}
	*l = *lost(2) // one that lost is the outer's to run again
	run()
	require.Equal(t, []int{3, 3}, []int{outer, inner})
	require.Equal(t, []string{"old|a", "old|b", "old|old"}, rosters(t, db, a, b))
}

func transactionInside(t *testing.T, e Engine) {
	db, l := teams(t, e), lost(1)
	runs := 0
	call := func() error {
		return db.Transaction(func(tx *gorm.DB) error {
			return m2msafe.Transaction(t.Context(), tx, func(tx *gorm.DB) error {
				runs++
				return appendTwo(l.on(tx), &Team{ID: 1}, &Player{Name: "a"})
			})
		})
	}
	require.ErrorIs(t, call(), m2msafe.ErrRetry)
	require.Equal(t, 1, runs)
	require.Equal(t, "1", tally(t, db, "players"))
	require.NoError(t, call())
	require.Equal(t, []string{"old|a", "old|old"}, rosters(t, db))
}

func transactionPanics(t *testing.T, e Engine) {
	db, b := teams(t, e), &Player{Name: "b"}
	require.PanicsWithValue(t, "oh", func() {
		_ = m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			require.NoError(t, appendTwo(tx, &Team{ID: 1}, b))
			panic("oh")
		})
	})
	require.Equal(t, &Player{Name: "b"}, b)
	require.Equal(t, []string{"1", "0"}, []string{tally(t, db, "players"), tally(t, db, "team_players")})
	require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return appendTwo(tx, &Team{ID: 1}, b) }))
	require.Equal(t, []string{"old|b", "old|old"}, rosters(t, db, b))
}
