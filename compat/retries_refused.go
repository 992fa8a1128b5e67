package compat

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// retriesRefused are about transactions that end where COMMIT would be.
var retriesRefused = []behaviour{
	{"a COMMIT that a deferred foreign key refuses leaves memory as it was", func(t *testing.T, e Engine) { refusedByKey(t, e, false) }},
	{"the same under TranslateError", func(t *testing.T, e Engine) { refusedByKey(t, e, true) }},
	{"a context that ends in front of COMMIT leaves memory as it was", refusedByContext},
	{"a COMMIT that a reader is in the way of is run again", refusedByReader},
	{"a loss behind which the context ends says both", refusedRetry},
	{"Retries(0) tries once", retryOnce},
	{"what another plugin has behind COMMIT hears of each try once", retryHeard},
}

type (
	Sponsor struct{ ID uint }
	Pledge  struct {
		ID        uint
		Name      string
		SponsorID *uint
		Sponsor   *Sponsor  `gorm:"constraint:OnDelete:NO ACTION DEFERRABLE INITIALLY DEFERRED"`
		Players   []*Player `gorm:"many2many:pledge_players"`
	}
)

func refusedByKey(t *testing.T, e Engine, translate bool) {
	if e.Dialect == "mysql" {
		t.Skip("no constraint is deferred in the MySQL family")
	}
	db := e.With(t, &gorm.Config{Logger: logger.Discard, TranslateError: translate})
	if db.SkipDefaultTransaction || db.DisableForeignKeyConstraintWhenMigrating {
		t.Skip("it takes a transaction of GORM's, and a foreign key")
	}
	require.NoError(t, db.AutoMigrate(&Sponsor{}, &Player{}, &Pledge{}))
	nobody := uint(7)
	fresh := func() *Pledge {
		return &Pledge{Name: "new", SponsorID: &nobody, Players: []*Player{{Name: "a"}}}
	}
	pledge, again := fresh(), fresh()
	require.Error(t, db.Create(pledge).Error)
	require.Equal(t, fresh(), pledge)
	require.Error(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return tx.Create(again).Error }))
	require.Equal(t, fresh(), again)

	// Somebody else gets what would have been its numbers.
	require.NoError(t, db.Create(&Pledge{Name: "other", Players: []*Player{{Name: "other"}}}).Error)
	exec(t, db, `INSERT INTO sponsors (id) VALUES (7)`)
	require.NoError(t, db.Create(pledge).Error)
	require.Equal(t, []string{"new|a", "other|other"}, rows(t, db, `SELECT s.name, p.name FROM pledge_players l
		JOIN pledges s ON s.id = l.pledge_id JOIN players p ON p.id = l.player_id ORDER BY 1, 2`))
}

// database/sql rolls back by itself, and does not send COMMIT any more.
func refusedByContext(t *testing.T, e Engine) {
	db, team := teams(t, e), newTeam()
	ctx, cancel := context.WithCancel(t.Context())
	l := &losses{late: true, then: func(tx *gorm.DB) {
		cancel()
		require.Eventually(t, func() bool {
			return errors.Is(tx.WithContext(t.Context()).Exec("SELECT 1").Error, sql.ErrTxDone)
		}, 5*time.Second, time.Millisecond)
	}}
	require.Error(t, l.on(db.WithContext(ctx)).Create(team).Error)
	require.Equal(t, newTeam(), team)
	require.Equal(t, "1", tally(t, db, "teams"))
}

func refusedByReader(t *testing.T, e Engine) {
	if e.Dialect != "sqlite" {
		t.Skip("a reader is in nobody's way")
	}
	db := teams(t, e)
	if one(t, db, `PRAGMA journal_mode`) == "wal" {
		t.Skip("in WAL mode a reader is in nobody's way")
	}
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1)
	exec(t, db, `PRAGMA busy_timeout = 20`)
	reader := e.Open(t, t.Name(), &gorm.Config{Logger: logger.Discard}).Begin()
	require.Equal(t, "1", tally(t, reader, "players"))
	leaves := time.AfterFunc(200*time.Millisecond, func() { reader.Rollback() })
	defer leaves.Stop()
	team := &Team{ID: 1}
	require.NoError(t, db.Model(team).Association("Players").Append(&Player{Name: "a"}))
	require.NoError(t, db.Model(team).Association("Players").Append(&Player{Name: "b"}))
	require.Equal(t, []string{"old|a", "old|b"}, rosters(t, db, team.Players...))
}

func refusedRetry(t *testing.T, e Engine) {
	db := teams(t, e)
	for _, cause := range []error{nil, errHook} {
		ctx, cancel := context.WithCancelCause(t.Context())
		runs := 0
		err := m2msafe.Transaction(ctx, db, func(*gorm.DB) error {
			runs++
			cancel(cause)
			return errLost{}
		})
		require.Equal(t, 1, runs)
		for _, is := range []error{context.Canceled, context.Cause(ctx), m2msafe.ErrRetry, errLost{}} {
			require.ErrorIs(t, err, is)
		}
	}
}

func retryOnce(t *testing.T, e Engine) {
	if !e.postgres() {
		t.Skip("it takes a sequence, which counts what is rolled back too")
	}
	db := teams(t, e, m2msafe.Retries(0))
	exec(t, db, `CREATE SEQUENCE tries`)
	exec(t, db, `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('tries') = 1 THEN RAISE EXCEPTION 'lost' USING ERRCODE = 'serialization_failure'; END IF; RETURN NEW; END $$`)
	exec(t, db, `CREATE TRIGGER lose BEFORE INSERT ON team_players FOR EACH ROW EXECUTE FUNCTION lose()`)
	for name, call := range map[string]func() error{
		"Append": func() error { return db.Model(&Team{ID: 1}).Association("Players").Append(&Player{ID: 1}) },
		"LinkKeys": func() error {
			_, err := m2msafe.LinkKeys(t.Context(), db, &Team{ID: 1}, "Players", 1, 1)
			return err
		},
		"LinkPairs": func() error {
			_, err := m2msafe.LinkPairs(t.Context(), db, &Team{}, "Players", func(yield func(uint, uint) bool) { yield(1, 1) })
			return err
		},
	} {
		exec(t, db, `ALTER SEQUENCE tries RESTART`)
		require.ErrorIs(t, call(), m2msafe.ErrRetry, name)
		require.NoError(t, call(), name)
		exec(t, db, `DELETE FROM team_players`)
	}
}

// A plugin that writes down what was stored must not do it twice.
func retryHeard(t *testing.T, e Engine) {
	db := teams(t, e)
	var heard []error
	require.NoError(t, db.Callback().Create().After("gorm:commit_or_rollback_transaction").Register("test:outbox", func(tx *gorm.DB) {
		if tx.Statement.Schema != nil && tx.Statement.Schema.Name == "Team" {
			heard = append(heard, tx.Error)
		}
	}))
	require.NoError(t, lost(2).on(db).Create(newTeam()).Error)
	require.Len(t, heard, 3)
	require.ErrorIs(t, heard[0], errLost{})
	require.ErrorIs(t, heard[1], errLost{})
	require.NoError(t, heard[2])
}
