package compat

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// retriesShapes are about models of all shapes, and callbacks of others.
var retriesShapes = []behaviour{
	{"a call that fails leaves embedded structs as they were", retryEmbedded},
	{"a value that a lost run has linked comes again as it was", retryValues},
	{"a map that a lost run has linked comes again as it was", retryMaps},
	{"an error behind COMMIT is no loss", retryBehind},
	{"a Delete or a Replace of an Association that lost is run again", retryDeletes},
	{"a Replace of a relation that is the owner's last field", retryReplaces},
	{"of deletes those of links alone are run again, RETURNING and hooks and all", retryDeletesAlone},
	{"a map that a Transaction only reads is not touched", retryReads},
	{"a Transaction hears of losses of the app's own statements", transactionHears},
	{"a COMMIT of what had been aborted leaves memory as it was", transactionAborted},
}

// Numbered and Dated are embedded by pointers.
type (
	Numbered struct {
		ID uint
	}
	Dated struct {
		CreatedAt time.Time
	}
	stamped struct{ *Dated }
	Troupe  struct {
		Numbered *Numbered `gorm:"embedded"`
		Stamped  stamped   `gorm:"embedded"`
		Name     string
		Players  []*Performer `gorm:"many2many:troupe_players"`
	}
	Performer struct {
		*Numbered
		Stamped stamped `gorm:"embedded"`
		Name    string  `gorm:"size:40"`
	}
)

// AfterSave fails for a name.
func (t *Troupe) AfterSave(*gorm.DB) error {
	if t.Name == "fails" {
		return errHook
	}
	return nil
}

func retryEmbedded(t *testing.T, e Engine) {
	db := e.DB(t)
	if db.SkipDefaultTransaction {
		t.Skip("a create that is no transaction stays as far as it came")
	}
	require.NoError(t, db.AutoMigrate(&Performer{}, &Troupe{}))
	make := func() *Troupe {
		return &Troupe{Numbered: &Numbered{}, Stamped: stamped{&Dated{}}, Name: "fails", Players: []*Performer{
			{Numbered: &Numbered{}, Stamped: stamped{&Dated{}}, Name: "a"},
		}}
	}
	troupe := make()
	require.ErrorIs(t, db.Create(troupe).Error, errHook)
	require.Equal(t, make(), troupe)
}

// Cast has values, which GORM works on copies of.
type Cast struct {
	ID      uint
	Players []Player `gorm:"many2many:cast_players"`
}

// betweenRuns has a Transaction lose its first run, and another writer take what would
// have been the new player's number.
func betweenRuns(t *testing.T, e Engine, name string, call func(tx *gorm.DB) error) *gorm.DB {
	t.Helper()
	db := teams(t, e)
	require.NoError(t, db.AutoMigrate(&Cast{}))
	exec(t, db, `INSERT INTO casts (id) VALUES (1)`)
	runs := 0
	require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
		if runs++; runs == 2 {
			require.NoError(t, tx.Exec(native(db, `INSERT INTO players (name) VALUES (?)`), name).Error)
		}
		if err := call(tx); err != nil {
			return err
		}
		if runs == 1 {
			return errLost{}
		}
		return nil
	}))
	require.Equal(t, 2, runs)
	return db
}

func retryValues(t *testing.T, e Engine) {
	for _, other := range []string{"other", "new"} {
		t.Run(other, func(t *testing.T) {
			player, list := Player{Name: "new"}, []Player{{Name: "listed"}}
			db := betweenRuns(t, e, other, func(tx *gorm.DB) error {
				return tx.Model(&Cast{ID: 1}).Association("Players").Append(&player, list)
			})
			require.Equal(t, []string{"listed", "new"}, rows(t, db, `SELECT p.name FROM cast_players AS j JOIN players AS p ON p.id = j.player_id ORDER BY 1`))
			require.Equal(t, "new", one(t, db, `SELECT name FROM players WHERE id = ?`, player.ID))
			require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM players WHERE name = 'new'`))
		})
	}
}

func retryMaps(t *testing.T, e Engine) {
	for _, other := range []string{"other", "new"} {
		t.Run(other, func(t *testing.T) {
			player := map[string]any{"name": "new"}
			db := betweenRuns(t, e, other, func(tx *gorm.DB) error {
				return tx.Model(&Team{ID: 1}).Association("Players").Append(player)
			})
			require.Equal(t, []string{"old|new"}, rosters(t, db))
			require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM players WHERE name = 'new'`))
		})
	}
}

func transactionHears(t *testing.T, e Engine) {
	for name, call := range map[string]func(tx *gorm.DB) error{
		"Exec":   func(tx *gorm.DB) error { return tx.Exec(native(tx, `UPDATE teams SET name = 'x'`)).Error },
		"Raw":    func(tx *gorm.DB) error { return tx.Raw(native(tx, `SELECT name FROM teams`)).Scan(new(string)).Error },
		"Find":   func(tx *gorm.DB) error { return tx.Find(&[]Team{}).Error },
		"Delete": func(tx *gorm.DB) error { return tx.Delete(&Player{}, "name = 'x'").Error },
		"Row": func(tx *gorm.DB) error {
			found, err := tx.Table(tableOf(tx, "teams")).Rows()
			if err == nil {
				err = found.Close()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, runs := teams(t, e), 0
			lose := func(db *gorm.DB) {
				if runs == 1 {
					_ = db.AddError(errLost{})
				}
			}
			c := db.Callback()
			require.NoError(t, c.Raw().Before("gorm:raw").Register("test:lose", lose))
			require.NoError(t, c.Query().Before("gorm:query").Register("test:lose", lose))
			require.NoError(t, c.Row().Before("gorm:row").Register("test:lose", lose))
			require.NoError(t, c.Delete().Before("gorm:delete").Register("test:lose", lose))
			require.NoError(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
				runs++
				err := call(tx)
				require.Equal(t, runs == 1, err != nil, "%v", err)
				return nil // passed over
			}))
			require.Equal(t, 2, runs)
		})
	}
}

// PostgreSQL's drivers say so; others go on in the transaction.
func transactionAborted(t *testing.T, e Engine) {
	if !e.postgres() {
		t.Skip("a statement that fails does not abort a transaction here")
	}
	db, team := teams(t, e), newTeam()
	require.Error(t, m2msafe.Transaction(t.Context(), db.Session(&gorm.Session{Logger: logger.Discard}), func(tx *gorm.DB) error {
		if err := tx.Create(team).Error; err != nil {
			return err
		}
		_ = tx.Exec(`SELECT 1/0`).Error
		return nil
	}))
	require.Equal(t, newTeam(), team)
	require.Equal(t, "1", tally(t, db, "teams"))
}

// A map that is only read, and values that are no models' own, are left alone.
func retryReads(t *testing.T, e Engine) {
	db, values := teams(t, e), map[string]any{"name": "x"}
	var others sync.WaitGroup
	done := make(chan struct{})
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = values["name"]
			}
		}
	})
	for range 50 {
		require.ErrorIs(t, m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			if err := tx.Model(&Team{}).Where("id = 1").Updates(values).Error; err != nil {
				return err
			}
			return errHook
		}), errHook)
	}
	close(done)
	others.Wait()
	require.Equal(t, map[string]any{"name": "x"}, values)
}
