package compat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

var callOptions = []behaviour{
	{"DryRun writes nothing in any call form", callDryRun},
	{"ToSQL writes nothing and gives stock GORM's text", callToSQL},
	{"a cancelled context is the error of every call form, and nothing is written", callCancelled},
	{"a deadline that has passed is the error", callDeadline},
	{"a cancelled context leaves the pool usable", callCancelledLate},
	{"SkipHooks skips the hooks of owners, targets and join rows", callSkipHooks},
	{"Omit of Rel.* links stored targets and saves none", callOmitTargets},
	{"a table prefix reaches the join table", callPrefix},
	{"Table sends the owner elsewhere, and its links follow", callTable},
	{"SkipDefaultTransaction is still all or nothing for the links", callNoTransaction},
}

// Stock GORM passes this too.
func callDryRun(t *testing.T, e Engine) {
	eachForm(t, e, []string{"default", "PrepareStmt"}, func(t *testing.T, db *gorm.DB, c call, _ int) {
		before := musicRows(t, db)
		dry := db.Session(&gorm.Session{DryRun: true})
		// Stock GORM fails here for some of the forms.
		stock := c.run(m2msafe.With(dry, m2msafe.Off()), &Track{Title: "new"})
		err := c.run(dry, &Track{Title: "new"})
		if stock == nil {
			require.NoError(t, err)
		}
		require.Equal(t, before, musicRows(t, db))
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			_ = c.run(tx.Session(&gorm.Session{DryRun: true}), &Track{Title: "new"})
			usable(t, tx)
			return nil
		}))
		require.Equal(t, before, musicRows(t, db))
	})
}

// Stock GORM passes this too.
func callToSQL(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	before := musicRows(t, db)
	for name, statement := range map[string]func(tx *gorm.DB) *gorm.DB{
		"Create": func(tx *gorm.DB) *gorm.DB {
			return tx.Create(&Playlist{Title: "new", UpdatedAt: at, Tracks: []*Track{{ID: 1}, {Title: "new"}, {ID: 90}}})
		},
		"Save": func(tx *gorm.DB) *gorm.DB {
			return tx.Session(&gorm.Session{NowFunc: func() time.Time { return at }}).Save(&Playlist{ID: 1, UpdatedAt: at, Tracks: trackRefs(1)})
		},
		"Append": func(tx *gorm.DB) *gorm.DB {
			_ = tx.Model(&Playlist{ID: 1}).Association("Tracks").Append(&Track{ID: 1}, &Track{Title: "new"})
			return tx
		},
		"Append to an owner without a key": func(tx *gorm.DB) *gorm.DB {
			_ = tx.Model(&Playlist{}).Association("Tracks").Append(&Track{ID: 1})
			return tx
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, m2msafe.With(db, m2msafe.Off()).ToSQL(statement), db.ToSQL(statement))
			require.Equal(t, before, musicRows(t, db))
		})
	}
}

// Stock GORM passes this too.
func callCancelled(t *testing.T, e Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	eachForm(t, e, []string{"default", "SkipDefaultTransaction", "PrepareStmt"}, func(t *testing.T, db *gorm.DB, c call, _ int) {
		before := musicRows(t, db)
		// gorm.G takes the context with the call, and the forms give it another.
		if len(c.name) > 6 && c.name[:6] == "gorm.G" {
			t.Skip("gorm.G replaces the context")
		}
		require.ErrorIs(t, c.run(db.WithContext(ctx), &Track{Title: "new"}), context.Canceled)
		require.Equal(t, before, musicRows(t, db))
	})
}

// Stock GORM passes this too.
func callDeadline(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	require.ErrorIs(t, tracks(db.WithContext(ctx)).Append(trackRefs(1)), context.DeadlineExceeded)
	require.Equal(t, "0", tally(t, db, "playlist_tracks"))
}

// Stock GORM has no OnLinked to cancel in; cancelled in a hook it does the same.
// Stock GORM may lose context.Canceled there: where database/sql has rolled back
// before GORM does, GORM adds that error as the one to unwrap.
func callCancelledLate(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		err := tracks(m2msafe.With(db, m2msafe.OnLinked(func(tx *gorm.DB, _ m2msafe.Event) error {
			cancel()
			return tx.Exec(native(tx, `INSERT INTO artists (name) VALUES ('never')`)).Error
		})).WithContext(ctx)).Append(&Track{ID: 1}, &Track{Title: "new"})
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Equal(t, []string{"0", "4", "2"}, []string{tally(t, db, "playlist_tracks"), tally(t, db, "tracks"), tally(t, db, "artists")})
	require.NoError(t, tracks(db).Append(trackRefs(1)))
}

// Stock GORM passes this too, but for Save of an owner whose key is not stored.
func callSkipHooks(t *testing.T, e Engine) {
	eachForm(t, e, []string{"default"}, func(t *testing.T, db *gorm.DB, c call, owner int) {
		if len(c.name) > 6 && c.name[:6] == "gorm.G" {
			t.Skip("gorm.G replaces the context, and the hooklog with it")
		}
		log := new(hooklog)
		require.NoError(t, c.run(log.on(db).Session(&gorm.Session{SkipHooks: true}), &Track{Title: "new"}))
		require.Empty(t, log.heard())
		require.Equal(t, []string{"new", "t1", "t2"}, linkedTo(t, db, owner))
	})
}

// Stock GORM passes this too.
func callOmitTargets(t *testing.T, e Engine) {
	for name, run := range map[string]func(db *gorm.DB) error{
		"Append": func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Omit("Tracks.*").Association("Tracks").Append(laden(2), &Track{ID: 3})
		},
		"Create": func(db *gorm.DB) error {
			return db.Omit("Tracks.*").Create(&Playlist{ID: 1, Tracks: []*Track{laden(2), {ID: 3}}}).Error
		},
		"Save": func(db *gorm.DB) error {
			return db.Omit("Tracks.*").Save(&Playlist{ID: 1, Tracks: []*Track{laden(2), {ID: 3}}}).Error
		},
		"Save with FullSaveAssociations": func(db *gorm.DB) error {
			return db.Session(&gorm.Session{FullSaveAssociations: true}).Omit("Tracks.*").Save(&Playlist{ID: 1, Tracks: []*Track{laden(2), {ID: 3}}}).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := music(t, e.DB(t))
			exec(t, db, `DELETE FROM playlists WHERE title <> 'one'`)
			if name == "Create" {
				exec(t, db, `DELETE FROM playlists`)
			}
			require.NoError(t, run(db))
			require.Equal(t, []string{"1|2", "1|3"}, tracksOf(t, db, "playlist_tracks"))
			require.Equal(t, []string{"t2|2", "t3|3"}, rows(t, db, `SELECT title, plays FROM tracks WHERE id IN (2, 3) ORDER BY id`))
			require.Equal(t, []string{"0", "0", "4"}, []string{tally(t, db, "notes"), tally(t, db, "track_guests"), tally(t, db, "tracks")})
		})
	}
}

// Stock GORM passes this too.
func callPrefix(t *testing.T, e Engine) {
	for _, prefix := range []string{"app_", "App "} {
		t.Run(prefix, func(t *testing.T) {
			db := e.With(t, &gorm.Config{Logger: logger.Discard, NamingStrategy: schema.NamingStrategy{TablePrefix: prefix, SingularTable: true}})
			require.NoError(t, db.AutoMigrate(&Holder{}, &Badge{}))
			require.NoError(t, db.Create(&Holder{ID: 1}).Error)
			for range 2 {
				require.NoError(t, db.Model(&Holder{ID: 1}).Association("Badges").Append(&Badge{Name: "a", ID: "badge-a"}, &Badge{ID: "b"}))
			}
			require.Equal(t, []string{"1|b", "1|badge-a"}, rows(t, db, `SELECT holder_id, badge_id FROM ? ORDER BY 2`, clause.Table{Name: prefix + "holder_badges"}))
		})
	}
}

// Stock GORM passes this too.
func callTable(t *testing.T, e Engine) {
	db := e.With(t, &gorm.Config{Logger: logger.Discard, DisableForeignKeyConstraintWhenMigrating: true})
	require.NoError(t, db.AutoMigrate(&Holder{}, &Badge{}))
	exec(t, db, portable(db, `CREATE TABLE former_holders (id {id})`))
	require.NoError(t, db.Table(tableOf(db, "former_holders")).Create(&Holder{ID: 7, Badges: []Badge{{ID: "a"}}}).Error)
	require.NoError(t, db.Table(tableOf(db, "former_holders")).Model(&Holder{ID: 7}).Association("Badges").Append(&Badge{ID: "b"}))
	require.Equal(t, []string{"7"}, rows(t, db, `SELECT id FROM former_holders`))
	require.Empty(t, rows(t, db, `SELECT id FROM holders`))
	require.Equal(t, []string{"7|a", "7|b"}, rows(t, db, `SELECT holder_id, badge_id FROM holder_badges ORDER BY 2`))
}

// Stock GORM leaves the new target behind, unlinked.
func callNoTransaction(t *testing.T, e Engine) {
	db := music(t, e.With(t, mode("SkipDefaultTransaction")))
	exec(t, db, `DROP TABLE playlist_tracks`)
	exec(t, db, `CREATE TABLE playlist_tracks (playlist_id bigint, track_id bigint, PRIMARY KEY (playlist_id, track_id), CHECK (track_id <> 6))`)
	for _, elems := range [][]*Track{{{ID: 1}, {ID: 6}, {ID: 7}}, {{Title: "five"}, {Title: "six"}}} {
		require.Error(t, tracks(db).Append(elems))
		require.Equal(t, []string{"0", "4"}, []string{tally(t, db, "playlist_tracks"), tally(t, db, "tracks")})
		exec(t, db, `DELETE FROM tracks WHERE id > 4`)
		if db.Name() == "mysql" { // where an id that is given moves the counter
			exec(t, db, `ALTER TABLE tracks AUTO_INCREMENT = 5`)
		}
	}
}
