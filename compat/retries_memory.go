package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// retriesMemory are about what calls that fail leave in memory, and for whom.
var retriesMemory = []behaviour{
	{"a call that fails leaves memory as it was", retryFails},
	{"a COMMIT that is refused leaves memory as it was", retryRefused},
	{"a COMMIT without an answer leaves the keys of what only these tell", retryUnanswered},
	{"behind a COMMIT without an answer a natural key alone tells a target", retryNamed},
	{"GetOrCreate that lost is run again", retryGetOrCreate},
	{"what is no transaction is not run again once a part of it is stored", retryStored},
}

func retryFails(t *testing.T, e Engine) {
	db, l, team := teams(t, e), &losses{left: 1, err: errHook}, newTeam()
	require.ErrorIs(t, l.on(db).Create(team).Error, errHook)
	require.Equal(t, newTeam(), team)
	// Meanwhile somebody else gets what would have been its key.
	exec(t, db, `INSERT INTO players (name) VALUES ('other'), ('another')`)
	require.NoError(t, db.Create(team).Error)
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
}

// atCommit has the first COMMIT of links meet a statement.
func atCommit(t *testing.T, db *gorm.DB, statement string) {
	t.Helper()
	exec(t, db, `CREATE SEQUENCE tries`)
	exec(t, db, `CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('tries') = 1 THEN `+statement+`; END IF; RETURN NULL; END $$`)
	exec(t, db, `CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON team_players DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()`)
}

const deferred = "it takes a deferred trigger to meet a COMMIT"

func retryRefused(t *testing.T, e Engine) {
	if !e.postgres() {
		t.Skip(deferred)
	}
	db, team := teams(t, e), newTeam()
	atCommit(t, db, `RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'`)
	require.ErrorContains(t, db.Create(team).Error, "no")
	require.Equal(t, newTeam(), team)
	require.NoError(t, db.Create(team).Error)
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
	exec(t, db, `ALTER SEQUENCE tries RESTART`)
	exec(t, db, `DELETE FROM team_players`)
	exec(t, db, `CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'lost' USING ERRCODE = 'deadlock_detected'; END IF; RETURN NULL; END $$`)
	require.NoError(t, db.Model(team).Association("Players").Append(&Player{Name: "c"}), "a COMMIT that lost")
	require.Equal(t, []string{"new|a", "new|b", "new|c"}, rosters(t, db, team.Players...))
}

func retryUnanswered(t *testing.T, e Engine) {
	if !e.postgres() {
		t.Skip(deferred)
	}
	db, team := teams(t, e), newTeam()
	exec(t, db, `ALTER TABLE players DROP CONSTRAINT `+db.NamingStrategy.UniqueName(tableOf(db, "players"), "name"))
	atCommit(t, db, `PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)`)
	require.Error(t, db.Create(team).Error)
	require.Equal(t, "1", tally(t, db, "players"))
	keys := []uint{team.ID, team.Players[0].ID, team.Players[1].ID}
	require.NotContains(t, keys, uint(0))
	require.NoError(t, db.Create(team).Error)
	require.Equal(t, keys, []uint{team.ID, team.Players[0].ID, team.Players[1].ID})
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
	require.NoError(t, db.Model(&Team{ID: team.ID}).Association("Players").Append(team.Players), "had it been stored")
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
}

func retryNamed(t *testing.T, e Engine) {
	if !e.postgres() {
		t.Skip(deferred)
	}
	db := teams(t, e)
	atCommit(t, db, `PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)`)
	for i, call := range []func(db *gorm.DB, team *Team) error{
		func(db *gorm.DB, team *Team) error { return db.Create(team).Error },
		func(db *gorm.DB, team *Team) error {
			return m2msafe.Transaction(db.Statement.Context, db, func(tx *gorm.DB) error { return tx.Create(team).Error })
		},
	} {
		exec(t, db, `ALTER SEQUENCE tries RESTART`)
		exec(t, db, `TRUNCATE team_players, teams, players`)
		team := newTeam()
		require.Error(t, call(db, team))
		require.NotZero(t, team.ID, i)
		require.Equal(t, newTeam().Players, team.Players, i)
		exec(t, db, `INSERT INTO players (name) VALUES ('a')`)
		require.NoError(t, call(db, team))
		require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
		require.Equal(t, "2", tally(t, db, "players"))
	}
	exec(t, db, `TRUNCATE team_players, teams, players`)
	exec(t, db, `CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON players DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()`)
	for _, plain := range []bool{true, false} { // one statement, or a transaction
		player := &Player{Name: "a"}
		exec(t, db, `ALTER SEQUENCE tries RESTART`)
		call := func() (bool, error) {
			return m2msafe.GetOrCreate(db.Statement.Context, db.Session(&gorm.Session{SkipDefaultTransaction: plain}), player)
		}
		_, err := call()
		require.Error(t, err)
		require.Equal(t, &Player{Name: "a"}, player)
		created, err := call()
		require.NoError(t, err)
		require.True(t, created)
		exec(t, db, `DELETE FROM players WHERE name = 'a'`)
	}
}

func retryGetOrCreate(t *testing.T, e Engine) {
	db, l, a := teams(t, e), lost(2), &Player{Name: "a"}
	created, err := m2msafe.GetOrCreate(l.on(db).Statement.Context, db, a)
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, 3, l.seen)
	require.Equal(t, "a", one(t, db, `SELECT name FROM players WHERE id = ?`, a.ID))
	require.Equal(t, "2", tally(t, db, "players"))

	exec(t, db, `DELETE FROM players WHERE name = 'a'`)
	*l, *a = *lost(100), Player{Name: "a"}
	_, err = m2msafe.GetOrCreate(l.on(db).Statement.Context, db, a, m2msafe.Retries(2))
	require.ErrorIs(t, err, m2msafe.ErrRetry)
	require.Equal(t, 97, l.left)
	require.Equal(t, &Player{Name: "a"}, a)
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		_, err := m2msafe.GetOrCreate(l.on(tx).Statement.Context, tx, a)
		return err
	}), m2msafe.ErrRetry)
	require.Equal(t, 96, l.left, "the caller's transaction is the caller's to run again")
}

type Squad struct {
	ID       uint
	Players  []*Player `gorm:"many2many:squad_players"`
	Reserves []*Player `gorm:"many2many:squad_reserves"`
}

func retryStored(t *testing.T, e Engine) {
	db := e.With(t, &gorm.Config{SkipDefaultTransaction: true, Logger: logger.Discard})
	require.NoError(t, db.AutoMigrate(&Player{}, &Squad{}))
	exec(t, db, `INSERT INTO squads (id) VALUES (1)`)
	l := lost(1)
	squad := &Squad{ID: 1, Players: []*Player{{Name: "b"}}, Reserves: []*Player{{Name: "a"}}}
	call := func() error { return l.on(db).Select("Players", "Reserves").Updates(squad).Error }
	require.ErrorIs(t, call(), m2msafe.ErrRetry)
	require.Equal(t, []string{"1", "0"}, []string{tally(t, db, "squad_players"), tally(t, db, "squad_reserves")})
	require.NoError(t, call())
	require.Equal(t, []string{"2", "1", "1"}, []string{tally(t, db, "players"), tally(t, db, "squad_players"), tally(t, db, "squad_reserves")})
	require.Equal(t, "b", one(t, db, `SELECT name FROM players WHERE id = ?`, squad.Players[0].ID))
}
