package compat

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// events collects what OnLinked is told, a line an event.
type events []string

func (ev *events) listen() m2msafe.Option {
	return m2msafe.OnLinked(func(_ *gorm.DB, event m2msafe.Event) error {
		*ev = append(*ev, fmt.Sprint(event.Relation, " ", outcomes(event.Links)))
		return nil
	})
}

func eventFresh(t *testing.T, e Engine) {
	db := seeded(t, e)
	var heard events
	tx := m2msafe.With(db, heard.listen())
	require.NoError(t, link(tx, 1, 1, 2))
	require.NoError(t, link(tx, 1, 2, 3, 1))
	require.NoError(t, link(tx, 1, 1, 2, 3))
	require.Equal(t, events{"Article.Publications [1|1 created 1|2 created]", "Article.Publications [1|3 created]"}, heard)
}

func eventRevived(t *testing.T, e Engine) {
	db := marked(t, e.DB(t))
	var heard events
	require.NoError(t, link(m2msafe.With(db, heard.listen()), 1, 1, 2))
	require.Equal(t, events{"Article.Publications [1|2 revived]"}, heard)
}

func eventDefaults(t *testing.T, e Engine) {
	var everywhere, here events
	db := seeded(t, e, everywhere.listen())
	require.NoError(t, link(db, 1, 1))
	require.NoError(t, link(m2msafe.With(db, here.listen()), 1, 2))
	require.NoError(t, link(m2msafe.With(db, m2msafe.Off()), 1, 3))
	require.NoError(t, link(db, 1, 4))
	require.Equal(t, events{"Article.Publications [1|1 created]", "Article.Publications [1|4 created]"}, everywhere)
	require.Equal(t, events{"Article.Publications [1|2 created]"}, here)
	require.Len(t, linked(t, db), 4)

	db = music(t, e.Open(t, "failing", mode("default")))
	require.NoError(t, db.Use(m2msafe.New(failing())))
	require.ErrorIs(t, tracks(db).Append(&Track{ID: 1}, &Track{Title: "new"}), errHook)
	require.Equal(t, []string{"0", "4"}, []string{tally(t, db, "playlist_tracks"), tally(t, db, "tracks")})
}

func eventRelations(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	var heard events
	tx := m2msafe.With(db, heard.listen())
	require.NoError(t, tx.Model(&Playlist{ID: 1}).Association("Hidden").Append(trackRefs(1)))
	require.NoError(t, tx.Model(&Playlist{ID: 1}).Association("Tracks").Append(trackRefs(1)))
	require.NoError(t, tx.Model(&Track{ID: 2}).Association("Playlists").Append(&Playlist{ID: 1}))
	require.NoError(t, tx.Create(&Playlist{Title: "new", Tracks: trackRefs(1), Hidden: trackRefs(2)}).Error)
	require.Equal(t, events{
		"Playlist.Hidden [1|1 created]",
		"Playlist.Tracks [1|1 created]",
		"Track.Playlists [2|1 created]",
	}, heard[:3])
	require.ElementsMatch(t, events{"Playlist.Tracks [4|1 created]", "Playlist.Hidden [4|2 created]"}, heard[3:])
	require.Equal(t, []string{"1|1", "4|2"}, tracksOf(t, db, "playlist_hidden"))
	require.Equal(t, []string{"1|1", "1|2", "4|1"}, tracksOf(t, db, "playlist_tracks"))
}

func eventWrites(t *testing.T, e Engine) {
	db := seeded(t, e)
	tx := m2msafe.With(db, m2msafe.OnLinked(func(tx *gorm.DB, event m2msafe.Event) error {
		for _, l := range event.Links {
			name := fmt.Sprint("linked ", l.TargetKey[0])
			if err := tx.Create(&Publication{Name: name}).Error; err != nil {
				return err
			}
		}
		return nil
	}))
	const written = `SELECT name FROM publications WHERE id > 5 ORDER BY name`
	require.NoError(t, link(tx, 1, 1, 2))
	require.Equal(t, []string{"linked 1", "linked 2"}, rows(t, db, written))
	err := tx.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 1, 3))
		require.Equal(t, []string{"linked 1", "linked 2", "linked 3"}, rows(t, tx, written))
		return errHook
	})
	require.ErrorIs(t, err, errHook)
	require.Equal(t, []string{"linked 1", "linked 2"}, rows(t, db, written))
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
}

// failing is an OnLinked that writes a row and then fails.
func failing() m2msafe.Option {
	return m2msafe.OnLinked(func(tx *gorm.DB, _ m2msafe.Event) error {
		return errors.Join(errHook, tx.Create(&Artist{Name: "written by OnLinked"}).Error)
	})
}

// failingCalls are calls that make a new link, some with a new target.
var failingCalls = map[string]func(db *gorm.DB) error{
	"Append of a stored target": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Association("Tracks").Append(trackRefs(1))
	},
	"Append of a new target": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Association("Tracks").Append(&Track{Title: "new"}, &Track{ID: 70}, &Track{ID: 1})
	},
	"Replace": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Association("Tracks").Replace(trackRefs(1, 2))
	},
	"Create": func(db *gorm.DB) error {
		return db.Create(&Playlist{Title: "new", Tracks: []*Track{{Title: "new"}, {ID: 1}}}).Error
	},
	"Save": func(db *gorm.DB) error {
		return db.Save(&Playlist{ID: 1, Title: "changed", Tracks: trackRefs(1)}).Error
	},
}

func eventFails(t *testing.T, e Engine) {
	for under := range modes {
		for name, call := range failingCalls {
			t.Run(under+" "+name, func(t *testing.T) {
				db := music(t, e.With(t, mode(under)))
				exec(t, db, `INSERT INTO playlist_tracks (playlist_id, track_id) VALUES (1, 4)`)
				require.ErrorIs(t, call(m2msafe.With(db, failing())), errHook)
				require.Equal(t, []string{"1|4"}, tracksOf(t, db, "playlist_tracks"))
				require.Equal(t, []string{"4", "2"}, []string{tally(t, db, "tracks"), tally(t, db, "artists")})
				// The owner is stock GORM's to write: without a transaction of
				// its own it stays.
				if under != "SkipDefaultTransaction" {
					require.Equal(t, []string{"one", "two", "three"}, rows(t, db, `SELECT title FROM playlists ORDER BY id`))
				}
			})
		}
	}
}

func eventFailsInside(t *testing.T, e Engine) {
	for name, call := range failingCalls {
		t.Run(name, func(t *testing.T) {
			db := music(t, e.DB(t))
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				err := tx.Transaction(func(nested *gorm.DB) error { return call(m2msafe.With(nested, failing())) })
				require.ErrorIs(t, err, errHook)
				require.Equal(t, "0", tally(t, tx, "playlist_tracks"))
				require.ErrorIs(t, call(m2msafe.With(tx, failing())), errHook)
				usable(t, tx)
				return tx.Model(&Playlist{ID: 2}).Association("Tracks").Append(trackRefs(3))
			}))
			require.Contains(t, tracksOf(t, db, "playlist_tracks"), "2|3")
		})
	}
}

func eventLinks(t *testing.T, e Engine) {
	var db *gorm.DB
	db = music(t, e.DB(t, m2msafe.OnLinked(func(tx *gorm.DB, event m2msafe.Event) error {
		if event.Relation != "Playlist.Tracks" {
			return nil
		}
		return tx.Model(&Playlist{ID: 3}).Association("Hidden").Append(trackRefs(1))
	})))
	require.NoError(t, db.Model(&Playlist{ID: 1}).Association("Tracks").Append(trackRefs(1, 2)))
	require.NoError(t, db.Model(&Playlist{ID: 2}).Association("Tracks").Append(trackRefs(1, 2)))
	require.Equal(t, []string{"3|1"}, tracksOf(t, db, "playlist_hidden"))
	require.Equal(t, "4", tally(t, db, "playlist_tracks"))
}

// GORM leaves a transaction open that it began for a call, if a hook of it panics.
func eventPanics(t *testing.T, e Engine) {
	db := seeded(t, e, m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { panic("oh") }))
	require.PanicsWithValue(t, "oh", func() { _ = link(db, 1, 1) })
	pool, err := db.DB()
	require.NoError(t, err)
	require.Zero(t, pool.Stats().InUse)
	require.Empty(t, linked(t, db))
	require.PanicsWithValue(t, "oh", func() {
		_ = db.Transaction(func(tx *gorm.DB) error { return link(tx, 1, 1) })
	})
	require.Zero(t, pool.Stats().InUse)
	require.NoError(t, link(m2msafe.With(db, m2msafe.Off()), 1, 1))
}
