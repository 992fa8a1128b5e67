package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe"
)

func retryBehind(t *testing.T, e Engine) {
	for _, where := range []string{"behind COMMIT", "behind the insert", "anywhere"} {
		t.Run(where, func(t *testing.T) { retryBehindAt(t, e, where) })
	}
}

func retryBehindAt(t *testing.T, e Engine, where string) {
	db := e.Stock(t)
	if db.SkipDefaultTransaction {
		t.Skip("a create that is no transaction can't be run again")
	}
	require.NoError(t, db.AutoMigrate(&Player{}, &Team{}))
	var failed error
	outbox := func(db *gorm.DB) { _ = db.AddError(failed) }
	switch create := db.Callback().Create(); where {
	case "behind COMMIT":
		require.NoError(t, create.After("gorm:commit_or_rollback_transaction").Register("test:outbox", outbox))
	case "behind the insert": // which GORM puts at the end too
		require.NoError(t, create.After("gorm:create").Register("test:outbox", outbox))
	case "anywhere":
		require.NoError(t, create.Register("test:outbox", outbox))
	}
	require.NoError(t, db.Use(m2msafe.New()))
	for i, err := range []error{errLost{}, errHook} {
		failed = nil
		exec(t, db, `DELETE FROM team_players`)
		exec(t, db, `DELETE FROM teams`)
		exec(t, db, `DELETE FROM players`)
		team, report := newTeam(), m2msafe.Report{}
		require.NoError(t, db.Callback().Create().Before("gorm:commit_or_rollback_transaction").Register("test:arm", func(db *gorm.DB) {
			if db.Statement.Table == tableOf(db, "teams") {
				failed = err
			}
		}), i)
		got := m2msafe.With(db, m2msafe.ReportTo(&report)).Create(team).Error
		require.ErrorIs(t, got, err)
		require.NotErrorIs(t, got, m2msafe.ErrRetry, "it would be made twice")
		require.Equal(t, []string{"1", "2"}, []string{tally(t, db, "teams"), tally(t, db, "players")})
		require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
		require.Len(t, report.Created(), 2)
	}
}

func retryDeletes(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Player{}, &Team{}))
	left := 0
	require.NoError(t, db.Callback().Delete().Before("gorm:delete").Register("test:lose", func(db *gorm.DB) {
		if left > 0 {
			left--
			_ = db.AddError(errLost{})
		}
	}))
	team, a, b := &Team{Name: "t"}, &Player{Name: "a"}, &Player{Name: "b"}
	require.NoError(t, db.Create(team).Error)
	for name, call := range map[string]func(db *gorm.DB) error{
		"Delete":  func(db *gorm.DB) error { return db.Model(&Team{ID: team.ID}).Association("Players").Delete(b) },
		"Replace": func(db *gorm.DB) error { return db.Model(&Team{ID: team.ID}).Association("Players").Replace(a) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, db.Model(&Team{ID: team.ID}).Association("Players").Append(a, b))
			left = 2
			require.NoError(t, call(db))
			require.Zero(t, left)
			require.Equal(t, []string{"t|a"}, rosters(t, db))
			left = 1
			require.ErrorIs(t, db.Transaction(call), m2msafe.ErrRetry, "it is the caller's to run again")
			require.Zero(t, left)
			left = 100
			require.ErrorIs(t, call(m2msafe.With(db, m2msafe.Retries(2))), m2msafe.ErrRetry)
			require.Equal(t, 97, left)
			left = 0
		})
	}
}

// Bench has links of its own kind, which are deleted with a hook.
type (
	Bench struct {
		ID      uint
		Players []*Player `gorm:"many2many:bench_players"`
		Drawers []Drawer
	}
	BenchPlayer struct {
		BenchID  uint `gorm:"primaryKey"`
		PlayerID uint `gorm:"primaryKey"`
	}
	Drawer struct {
		ID      uint
		BenchID *uint
	}
)

// AfterDelete is behind the DELETE.
func (*BenchPlayer) AfterDelete(tx *gorm.DB) error { return loses(tx) }

// AfterDelete is behind the DELETE.
func (*Drawer) AfterDelete(tx *gorm.DB) error { return loses(tx) }

func loses(tx *gorm.DB) error {
	if l, _ := tx.Statement.Context.Value(lossesKey{}).(*losses); l != nil {
		return l.lose(tx)
	}
	return nil
}

// The field that the relation is named by is the owner's, and behind all of the join
// table's.
func retryReplaces(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Performer{}, &Troupe{}))
	troupe := &Troupe{Numbered: &Numbered{}, Name: "t", Players: []*Performer{{Numbered: &Numbered{}, Name: "a"}}}
	require.NoError(t, db.Create(troupe).Error)
	replace := func(name string) func(db *gorm.DB) error {
		return func(db *gorm.DB) error {
			return db.Model(&Troupe{Numbered: troupe.Numbered}).Association("Players").Replace(&Performer{Numbered: &Numbered{}, Name: name})
		}
	}
	for name, call := range map[string]func(name string) error{
		"alone":         func(name string) error { return replace(name)(db) },
		"a Transaction": func(name string) error { return m2msafe.Transaction(t.Context(), db, replace(name)) },
	} {
		require.NoError(t, call(name))
		require.Equal(t, []string{name}, rows(t, db, `SELECT p.name FROM troupe_players AS j JOIN performers AS p ON p.id = j.performer_id`))
	}
}

func retryDeletesAlone(t *testing.T, e Engine) {
	db := e.DB(t)
	if db.SkipDefaultTransaction {
		t.Skip("a delete with hooks that is no transaction can't be run again")
	}
	require.NoError(t, db.SetupJoinTable(&Bench{}, "Players", &BenchPlayer{}))
	require.NoError(t, db.AutoMigrate(&Player{}, &Bench{}, &Drawer{}))
	bench := &Bench{Players: []*Player{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Drawers: []Drawer{{}, {}}}
	require.NoError(t, db.Create(bench).Error)
	unscoped := func(db *gorm.DB) error {
		return db.Model(&Bench{ID: bench.ID}).Association("Drawers").Unscoped().Clear()
	}
	l := lost(1)
	require.ErrorIs(t, unscoped(l.on(db)), errLost{}, "that is GORM's")
	require.Equal(t, "2", tally(t, db, "drawers"))
	clear := func(db *gorm.DB) error {
		return db.Clauses(clause.Returning{}).Model(&Bench{ID: bench.ID}).Association("Players").Clear()
	}
	*l = *lost(1)
	require.ErrorIs(t, clear(l.on(m2msafe.With(db, m2msafe.Off()))), errLost{}, "that is GORM's")
	require.Equal(t, 1, l.seen)
	require.Equal(t, "3", tally(t, db, "bench_players"))
	*l = *lost(2)
	require.NoError(t, clear(l.on(db)))
	require.Equal(t, 3, l.seen)
	require.Equal(t, "0", tally(t, db, "bench_players"))
}
