package compat

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// retries are about transactions that lost against another one. The races have real
// ones; here hooks say when.
var retries = []behaviour{
	{"a create that lost is run again, on what was in memory before", retryCreate},
	{"an Append that lost is run again, hooks and all", retryAppend},
	{"Save, Updates and a create of several are run again", retryForms},
	{"one that goes on losing is ErrRetry, and leaves memory as it was", retryInVain},
	{"Retries(0) leaves it to the caller", retryNever},
	{"a transaction of the caller's is the caller's to run again", retryInside},
	{"no try is made once the context has ended", retryContext},
	{"another error is not tried again", retryOther},
	{"a report is of the try that stands", retryReport},
	{"a statement of the database's that lost is run again", retryReal},
}

type (
	Team struct {
		ID      uint
		Name    string
		Players []*Player `gorm:"many2many:team_players"`
	}
	Player struct {
		ID   uint
		Name string `gorm:"size:40;unique"`
	}
)

// losses says how often the hook of a context's player a loses.
type losses struct {
	left, seen int
	late       bool // it is the hook of the team, behind the links
	err        error
	then       func(tx *gorm.DB) // what happens in the hook
}

type lossesKey struct{}

func (l *losses) on(db *gorm.DB) *gorm.DB {
	return db.WithContext(context.WithValue(db.Statement.Context, lossesKey{}, l))
}

// AfterCreate is when keys are in memory.
func (p *Player) AfterCreate(tx *gorm.DB) error {
	l, _ := tx.Statement.Context.Value(lossesKey{}).(*losses)
	if l == nil || l.late || p.Name != "a" {
		return nil
	}
	return l.lose(tx)
}

// AfterSave is when links are written.
func (*Team) AfterSave(tx *gorm.DB) error {
	l, _ := tx.Statement.Context.Value(lossesKey{}).(*losses)
	if l == nil || !l.late {
		return nil
	}
	return l.lose(tx)
}

func (l *losses) lose(tx *gorm.DB) error {
	l.seen++
	if l.then != nil {
		l.then(tx)
	}
	if l.left == 0 {
		return nil
	}
	l.left--
	return l.err
}

// errLost is what drivers for PostgreSQL say of a serialization failure.
type errLost struct{}

func (errLost) Error() string    { return "lost, says the test" }
func (errLost) SQLState() string { return "40001" }

func lost(times int) *losses { return &losses{left: times, err: errLost{}} }

func newTeam() *Team { return &Team{Name: "new", Players: []*Player{{Name: "b"}, {Name: "a"}}} }

// teams is a database with team 1 and player 1, "old".
func teams(t testing.TB, e Engine, opts ...m2msafe.Option) *gorm.DB {
	t.Helper()
	db := e.DB(t, opts...)
	if db.SkipDefaultTransaction {
		t.Skip("a create that is no transaction can't be run again")
	}
	require.NoError(t, db.AutoMigrate(&Player{}, &Team{}))
	exec(t, db, `INSERT INTO teams (name) VALUES ('old')`)
	exec(t, db, `INSERT INTO players (name) VALUES ('old')`)
	return db
}

// rosters are the links, and that keys in memory are those of the rows.
func rosters(t testing.TB, db *gorm.DB, inMemory ...*Player) []string {
	t.Helper()
	for _, p := range inMemory {
		require.Equal(t, p.Name, one(t, db, `SELECT name FROM players WHERE id = ?`, p.ID))
	}
	return rows(t, db, `SELECT t.name, p.name FROM team_players AS j JOIN teams AS t ON t.id = j.team_id JOIN players AS p ON p.id = j.player_id ORDER BY t.name, p.name`)
}

func retryCreate(t *testing.T, e Engine) {
	db, l, team := teams(t, e), lost(2), newTeam()
	require.NoError(t, l.on(db).Create(team).Error)
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
	require.Equal(t, "new", one(t, db, `SELECT name FROM teams WHERE id = ?`, team.ID))
	require.Equal(t, []string{"2", "3"}, []string{tally(t, db, "teams"), tally(t, db, "players")})
	require.Zero(t, l.left)
}

func retryAppend(t *testing.T, e Engine) {
	db, l, team := teams(t, e), lost(2), &Team{ID: 1}
	a, b := &Player{Name: "a"}, &Player{Name: "b"}
	require.NoError(t, l.on(db).Model(team).Association("Players").Append(a, &Player{ID: 1}, b))
	require.Equal(t, []string{"old|a", "old|b", "old|old"}, rosters(t, db, a, b))
	require.Len(t, team.Players, 3)
	require.Equal(t, "3", tally(t, db, "players"))
	require.Equal(t, 3, l.seen, "the hooks ran again")
}

func retryForms(t *testing.T, e Engine) {
	for name, call := range map[string]func(db *gorm.DB, p *Player) error{
		"Save": func(db *gorm.DB, p *Player) error {
			return db.Save(&Team{ID: 1, Name: "old", Players: []*Player{p}}).Error
		},
		"Updates": func(db *gorm.DB, p *Player) error {
			return db.Updates(&Team{ID: 1, Name: "old", Players: []*Player{p}}).Error
		},
		"Replace": func(db *gorm.DB, p *Player) error { return db.Model(&Team{ID: 1}).Association("Players").Replace(p) },
		"several": func(db *gorm.DB, p *Player) error {
			return db.Create([]*Team{{Name: "old", Players: []*Player{p}}, {Name: "none"}}).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, l, p := teams(t, e), lost(1), &Player{Name: "a"}
			require.NoError(t, call(l.on(db), p))
			require.Equal(t, []string{"old|a"}, rosters(t, db, p))
			require.Equal(t, "2", tally(t, db, "players"))
		})
	}
}

func retryInVain(t *testing.T, e Engine) {
	db, l, team := teams(t, e, m2msafe.Retries(2)), lost(100), newTeam()
	err := l.on(db).Create(team).Error
	require.ErrorIs(t, err, m2msafe.ErrRetry)
	require.ErrorIs(t, err, errLost{})
	require.Equal(t, 97, l.left, "three tries")
	require.Equal(t, newTeam(), team)
	require.Equal(t, []string{"1", "1", "0"}, []string{tally(t, db, "teams"), tally(t, db, "players"), tally(t, db, "team_players")})
	l.left = 0
	require.NoError(t, l.on(db).Create(team).Error)
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
}

func retryNever(t *testing.T, e Engine) {
	db, l := teams(t, e, m2msafe.Retries(0)), lost(1)
	require.ErrorIs(t, l.on(db).Create(newTeam()).Error, errLost{})
	require.Equal(t, "1", tally(t, db, "teams"))
	l.left = 1
	require.NoError(t, l.on(m2msafe.With(db, m2msafe.Retries(1))).Create(newTeam()).Error)
}

func retryInside(t *testing.T, e Engine) {
	db, l := teams(t, e), lost(1)
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		err := l.on(tx).Create(newTeam()).Error
		require.ErrorIs(t, err, m2msafe.ErrRetry)
		return err
	}), errLost{})
	require.Equal(t, 1, l.seen)
	require.Equal(t, "1", tally(t, db, "teams"))
	l.left = 1 // GORM's transaction around all batches is as a caller's
	require.ErrorIs(t, l.on(db).CreateInBatches([]*Team{{Name: "none"}, newTeam()}, 1).Error, errLost{})
	require.Equal(t, "1", tally(t, db, "teams"))
}

func retryContext(t *testing.T, e Engine) {
	db, l := teams(t, e), lost(100)
	ctx, cancel := context.WithCancel(t.Context())
	l.err = lostAnd{cancel}
	err := l.on(db.WithContext(ctx)).Create(newTeam()).Error
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 99, l.left)
}

// lostAnd cancels a context when it is looked at.
type lostAnd struct{ cancel func() }

func (l lostAnd) Error() string { return "lost" }
func (l lostAnd) SQLState() string {
	l.cancel()
	return "40001"
}

func retryOther(t *testing.T, e Engine) {
	for name, other := range map[string]error{
		"a hook's":                          errHook,
		"one that looks like SQLite's BUSY": Error{Code: 5},
		"one that can't be compared":        fieldErrors{"name"},
	} {
		t.Run(name, func(t *testing.T) {
			db, l := teams(t, e), &losses{left: 100, err: other}
			require.Equal(t, other, l.on(db).Create(newTeam()).Error)
			require.Equal(t, 99, l.left)
		})
	}
}

// Error is an app's own, as some RPC packages have them.
type Error struct{ Code int }

func (e Error) Error() string { return fmt.Sprint("code ", e.Code) }

// fieldErrors is as validators have it.
type fieldErrors []string

func (f fieldErrors) Error() string { return "wrong: " + strings.Join(f, ", ") }

func retryReport(t *testing.T, e Engine) {
	db, l, team := teams(t, e), &losses{left: 2, late: true, err: errLost{}}, newTeam()
	var report m2msafe.Report
	on := m2msafe.With(l.on(db), m2msafe.ReportTo(&report))
	require.NoError(t, on.Create(team).Error)
	require.Len(t, report.Created(), 2)
	require.Len(t, report.Links(), 2)
	l.left = 100
	require.ErrorIs(t, m2msafe.With(on, m2msafe.Retries(2)).Create(newTeam()).Error, m2msafe.ErrRetry)
	require.Len(t, report.Links(), 2)
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
}

// The first two inserts into the join table lose: what a sequence gives is not taken
// back by a rollback.
func retryReal(t *testing.T, e Engine) {
	if !e.postgres() {
		t.Skip("it takes a trigger in PL/pgSQL to lose at will; the races lose at random")
	}
	db, team := teams(t, e), newTeam()
	exec(t, db, `CREATE SEQUENCE tries`)
	exec(t, db, `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'you lose' USING ERRCODE = 'serialization_failure'; END IF; RETURN NEW; END $$`)
	exec(t, db, `CREATE TRIGGER lose BEFORE INSERT ON team_players FOR EACH ROW EXECUTE FUNCTION lose()`)
	require.NoError(t, db.Create(team).Error)
	require.Equal(t, []string{"new|a", "new|b"}, rosters(t, db, team.Players...))
	exec(t, db, `ALTER SEQUENCE tries RESTART`)
	require.NoError(t, db.Model(&Team{ID: 1}).Association("Players").Append(&Player{ID: 1}))
	require.Equal(t, []string{"new|a", "new|b", "old|old"}, rosters(t, db))
	exec(t, db, `ALTER SEQUENCE tries RESTART`)
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		return tx.Model(&Team{ID: 1}).Association("Players").Append(team.Players)
	}), m2msafe.ErrRetry)
}
