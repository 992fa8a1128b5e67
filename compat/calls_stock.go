package compat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// The calls here are made on stock GORM too, and have to leave the same rows in
// all tables: what GORM does with what hangs on a target is GORM's to decide.
var callStock = []behaviour{
	{"nested associations of new targets are saved as in stock GORM", sameAsStock(nested(0))},
	{"nested associations of stored targets are saved as in stock GORM", sameAsStock(nested(2))},
	{"nested associations of keyed new targets are saved as in stock GORM", sameAsStock(nested(50))},
	{"cycles are saved as in stock GORM", sameAsStock(cycles)},
	{"Select and Omit mean what they mean in stock GORM", sameAsStock(chosen)},
	{"the owner's own columns are written as in stock GORM", sameAsStock(ownColumns)},
}

// musicTables are what sameAsStock compares: all but updated_at, and names where
// there are keys, since what counts up may count in another order.
var musicTables = []string{
	`SELECT 'playlist', p.title, a.name FROM playlists p LEFT JOIN artists a ON a.id = p.curator_id`,
	`SELECT 'track', t.title, t.plays, s.name FROM tracks t LEFT JOIN studios s ON s.id = t.studio_id`,
	`SELECT 'tracks', p.title, t.title FROM playlist_tracks j JOIN playlists p ON p.id = j.playlist_id JOIN tracks t ON t.id = j.track_id`,
	`SELECT 'hidden', p.title, t.title FROM playlist_hidden j JOIN playlists p ON p.id = j.playlist_id JOIN tracks t ON t.id = j.track_id`,
	`SELECT 'labels', p.title, j.label_code FROM playlist_labels j JOIN playlists p ON p.id = j.playlist_id`,
	`SELECT 'guests', t.title, a.name FROM track_guests j JOIN tracks t ON t.id = j.track_id JOIN artists a ON a.id = j.artist_id`,
	`SELECT 'note', t.title, n.text FROM notes n JOIN tracks t ON t.id = n.track_id`,
	`SELECT 'artist', name FROM artists`,
	`SELECT 'studio', name FROM studios`,
	`SELECT 'label', code FROM labels`,
}

// musicRows is everything that a database holds.
func musicRows(t testing.TB, db *gorm.DB) (all []string) {
	t.Helper()
	for _, query := range musicTables {
		all = append(all, rows(t, db, query)...)
	}
	slices.Sort(all)
	return all
}

// sameAsStock makes each call on stock GORM and on the plugin, on databases that
// hold the same, with FullSaveAssociations and without, and compares.
func sameAsStock(table map[string]func(db *gorm.DB) error) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		for _, full := range []bool{false, true} {
			config := func() *gorm.Config { return &gorm.Config{Logger: logger.Discard, FullSaveAssociations: full} }
			stock := music(t, e.Open(t, fmt.Sprint("stock ", full), config()))
			ours := music(t, e.Open(t, fmt.Sprint("ours ", full), config()))
			require.NoError(t, ours.Use(m2msafe.New()))
			for name, run := range table {
				t.Run(fmt.Sprint(name, ", full ", full), func(t *testing.T) {
					for _, db := range []*gorm.DB{stock, ours} {
						refill(t, db)
						exec(t, db, `INSERT INTO playlist_tracks (playlist_id, track_id) VALUES (1, 1)`)
						require.NoError(t, run(db))
					}
					require.Equal(t, musicRows(t, stock), musicRows(t, ours))
				})
			}
		}
	}
}

// laden returns a track that holds one of everything.
func laden(id uint) *Track {
	return &Track{
		ID: id, Title: "laden", Plays: 40,
		Studio: &Studio{Name: "studio"},
		Notes:  []Note{{Text: "note 1"}, {Text: "note 2"}},
		Guests: []*Artist{{ID: 1, Name: "not x"}, {Name: "guest"}, {ID: 30, Name: "thirty"}},
	}
}

func nested(id uint) map[string]func(db *gorm.DB) error {
	return map[string]func(db *gorm.DB) error{
		"Create": func(db *gorm.DB) error {
			return db.Create(&Playlist{Title: "new", Tracks: []*Track{{ID: 1}, laden(id)}}).Error
		},
		"Create of several": func(db *gorm.DB) error {
			return db.Create([]*Playlist{{Title: "four", Tracks: []*Track{laden(id)}}, {Title: "five", Tracks: []*Track{{ID: 3}}}}).Error
		},
		"Save": func(db *gorm.DB) error {
			return db.Save(&Playlist{ID: 1, Title: "saved", Tracks: []*Track{laden(id)}}).Error
		},
		"Updates": func(db *gorm.DB) error { return db.Updates(&Playlist{ID: 1, Tracks: []*Track{laden(id)}}).Error },
		"Append":  func(db *gorm.DB) error { return tracks(db).Append(laden(id)) },
		"Replace": func(db *gorm.DB) error { return tracks(db).Replace(laden(id)) },
		"Create with the nested selected": func(db *gorm.DB) error {
			return db.Select("Title", "Tracks", "Tracks.ID", "Tracks.Title", "Tracks.Notes").Create(&Playlist{Title: "new", Tracks: []*Track{laden(id)}}).Error
		},
		"Create with the nested omitted": func(db *gorm.DB) error {
			return db.Omit("Tracks.Notes", "Tracks.Guests").Create(&Playlist{Title: "new", Tracks: []*Track{laden(id)}}).Error
		},
		"Append with the nested selected": func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Select("Tracks.Notes", "Tracks.Guests").Association("Tracks").Append(laden(id))
		},
		"Create without hooks": func(db *gorm.DB) error {
			return db.Session(&gorm.Session{SkipHooks: true}).Create(&Playlist{Title: "new", Tracks: []*Track{laden(id)}}).Error
		},
	}
}

// ring is a playlist whose tracks hold it again, and another.
func ring(id, track uint) *Playlist {
	list := &Playlist{ID: id, Title: "ring"}
	first, second := &Track{ID: track, Title: "first"}, &Track{Title: "second"}
	list.Tracks = []*Track{first, second}
	first.Playlists = []*Playlist{list, {ID: 2, Title: "not two", Tracks: []*Track{first}}}
	second.Playlists = []*Playlist{list}
	return list
}

var cycles = map[string]func(db *gorm.DB) error{
	"Create, new":           func(db *gorm.DB) error { return db.Create(ring(0, 0)).Error },
	"Create, stored target": func(db *gorm.DB) error { return db.Create(ring(0, 2)).Error },
	"Save, new target":      func(db *gorm.DB) error { return db.Save(ring(1, 0)).Error },
	"Save, stored target":   func(db *gorm.DB) error { return db.Save(ring(1, 2)).Error },
	"Save of a slice":       func(db *gorm.DB) error { return db.Save([]*Playlist{ring(1, 2), ring(3, 4)}).Error },
	"Updates":               func(db *gorm.DB) error { return db.Updates(ring(1, 2)).Error },
	"Append": func(db *gorm.DB) error {
		list := ring(1, 2)
		return db.Model(&Playlist{ID: 3}).Association("Tracks").Append(list.Tracks)
	},
	"Append to the ring itself": func(db *gorm.DB) error {
		return db.Model(ring(1, 2)).Association("Tracks").Append(&Track{ID: 3})
	},
	"Create from the other side": func(db *gorm.DB) error { return db.Create(ring(1, 0).Tracks[0]).Error },
}

// everything is a playlist with something in each relation.
func everything(id uint) *Playlist {
	return &Playlist{
		ID: id, Title: "everything", Curator: &Artist{Name: "curator"},
		Tracks: []*Track{{ID: 2, Title: "changed"}, {ID: 70, Title: "seventy"}},
		Hidden: []*Track{{ID: 3}}, Labels: []Label{{ID: 1, Code: "a"}},
	}
}

var chosen = map[string]func(db *gorm.DB) error{
	"Omit Rel":              func(db *gorm.DB) error { return db.Omit("Tracks").Create(everything(0)).Error },
	"Omit Rel in Save":      func(db *gorm.DB) error { return db.Omit("Tracks").Save(everything(1)).Error },
	"Omit a field of Rel":   func(db *gorm.DB) error { return db.Omit("Tracks.Title").Create(everything(0)).Error },
	"Omit Associations":     func(db *gorm.DB) error { return db.Omit(clause.Associations).Create(everything(0)).Error },
	"Select a column":       func(db *gorm.DB) error { return db.Select("Title").Create(everything(0)).Error },
	"Select Rel":            func(db *gorm.DB) error { return db.Select("Title", "Hidden").Create(everything(0)).Error },
	"Select Rel in Updates": func(db *gorm.DB) error { return db.Select("Hidden", "Tracks").Updates(everything(1)).Error },
	"Select Associations":   func(db *gorm.DB) error { return db.Select("Title", clause.Associations).Create(everything(0)).Error },
	"Select star":           func(db *gorm.DB) error { return db.Select("*").Updates(everything(1)).Error },
	"Select and Omit":       func(db *gorm.DB) error { return db.Select("*").Omit("Hidden").Save(everything(1)).Error },
	"Append, Rel omitted": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Omit("Tracks").Association("Tracks").Append(&Track{ID: 2})
	},
	"Append, a field of Rel omitted": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Omit("Tracks.Title").Association("Tracks").Append(&Track{ID: 80, Title: "no", Plays: 1})
	},
	"Omit Rel.* with stored targets": func(db *gorm.DB) error {
		return db.Omit("Tracks.*", "Hidden.*").Save(&Playlist{ID: 1, Tracks: laden(2).asList(), Hidden: trackRefs(3)}).Error
	},
	"Append, Rel.* omitted": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Omit("Tracks.*").Association("Tracks").Append(laden(2))
	},
	"Create of a map": func(db *gorm.DB) error { return db.Model(&Playlist{}).Create(map[string]any{"Title": "map"}).Error },
	"Updates of a map": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1}).Updates(map[string]any{"Title": "map"}).Error
	},
	"UpdateColumns": func(db *gorm.DB) error { return db.Model(&Playlist{ID: 1}).UpdateColumns(everything(0)).Error },
	"Updates of others": func(db *gorm.DB) error {
		return db.Model(&Playlist{}).Where("id < ?", 3).Updates(Playlist{Title: "both"}).Error
	},
}

func (t *Track) asList() []*Track { return []*Track{t} }

var ownColumns = map[string]func(db *gorm.DB) error{
	"Create": func(db *gorm.DB) error { return db.Create(everything(0)).Error },
	"Save":   func(db *gorm.DB) error { return db.Save(everything(2)).Error },
	"Create of a stored owner": func(db *gorm.DB) error {
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(everything(2)).Error
	},
	"Append with a belongs-to": func(db *gorm.DB) error {
		return db.Model(&Playlist{ID: 1, Curator: &Artist{Name: "not saved"}}).Association("Tracks").Append(&Track{ID: 3})
	},
}
