package compat

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe"
)

var calls = slices.Concat([]behaviour{
	{"every call form has the same outcome", callForms},
	{"every call form works in the caller's transaction, and goes with it", callFormsInside},
	{"Replace leaves what it is given, with one row a link", callReplace},
	{"Replace of nothing and Clear empty the relation", callClear},
	{"batch owners each get their own", callBatchOwners},
	{"a slice of owners is created with all their links", callSliceOwners},
	{"Delete, Find and Count are GORM's own", callRest},
}, callOptions, callStock, callState, callWith)

// call is a form of the call that links playlist 1, which has track 1, to
// tracks 1, 2 and a new one.
type call struct {
	name string
	run  func(db *gorm.DB, fresh *Track) error
}

// tracks is the association that most of the forms go through.
func tracks(db *gorm.DB) *gorm.Association {
	return db.Model(&Playlist{ID: 1}).Association("Tracks")
}

var forms = []call{
	{"Append, one by one", func(db *gorm.DB, fresh *Track) error {
		playlist := &Playlist{ID: 1}
		for _, track := range []*Track{{ID: 1}, {ID: 2}, fresh} {
			if err := db.Model(playlist).Association("Tracks").Append(track); err != nil {
				return err
			}
		}
		return nil
	}},
	{"Append of several", func(db *gorm.DB, fresh *Track) error { return tracks(db).Append(&Track{ID: 1}, fresh, &Track{ID: 2}) }},
	{"Append of a slice", func(db *gorm.DB, fresh *Track) error { return tracks(db).Append([]*Track{{ID: 2}, fresh, {ID: 1}}) }},
	{"Append of a pointer to a slice", func(db *gorm.DB, fresh *Track) error { return tracks(db).Append(&[]*Track{fresh, {ID: 2}, {ID: 1}}) }},
	{"Append of an array", func(db *gorm.DB, fresh *Track) error { return tracks(db).Append([3]*Track{fresh, {ID: 2}, {ID: 1}}) }},
	{"Append of values", func(db *gorm.DB, fresh *Track) error {
		return tracks(db).Append(Track{ID: 2}, []Track{*fresh}, &[]Track{{ID: 1}})
	}},
	{"Append to a loaded owner", func(db *gorm.DB, fresh *Track) error {
		var playlist Playlist
		if err := db.Preload("Tracks").First(&playlist, 1).Error; err != nil {
			return err
		}
		return db.Model(&playlist).Association("Tracks").Append(&Track{ID: 2}, fresh)
	}},
	{"Append from the other side", func(db *gorm.DB, fresh *Track) error {
		if err := db.Save(fresh).Error; err != nil {
			return err
		}
		owners := []*Track{{ID: 2}, fresh, {ID: 1}}
		return db.Model(&owners).Association("Playlists").Append(&Playlist{ID: 1}, &Playlist{ID: 1}, &Playlist{ID: 1})
	}},
	{"Replace", func(db *gorm.DB, fresh *Track) error { return tracks(db).Replace(&Track{ID: 1}, &Track{ID: 2}, fresh) }},
	{"Save", func(db *gorm.DB, fresh *Track) error {
		return db.Save(&Playlist{ID: 1, Title: "one", Tracks: []*Track{{ID: 1}, {ID: 2}, fresh}}).Error
	}},
	{"Save of a slice", func(db *gorm.DB, fresh *Track) error {
		return db.Save([]*Playlist{{ID: 1, Title: "one", Tracks: []*Track{{ID: 1}, fresh, {ID: 2}}}, {ID: 2, Title: "two"}}).Error
	}},
	{"Updates with the relation selected", func(db *gorm.DB, fresh *Track) error {
		return db.Select("Tracks").Updates(&Playlist{ID: 1, Tracks: []*Track{{ID: 1}, {ID: 2}, fresh}}).Error
	}},
	{"Updates of a loaded owner", func(db *gorm.DB, fresh *Track) error {
		var playlist Playlist
		if err := db.First(&playlist, 1).Error; err != nil {
			return err
		}
		playlist.Tracks = []*Track{{ID: 1}, {ID: 2}, fresh}
		return db.Model(&playlist).Updates(playlist).Error
	}},
	{"Create with the owner's conflict passed over", func(db *gorm.DB, fresh *Track) error {
		return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&Playlist{ID: 1, Tracks: []*Track{{ID: 1}, {ID: 2}, fresh}}).Error
	}},
	{"gorm.G Set Association", func(db *gorm.DB, fresh *Track) error {
		return genericSet[Playlist](context.Background(), db, "Tracks", &Track{ID: 1}, &Track{ID: 2}, fresh)
	}},
}

// createForms link a new playlist, which gets ID 4, to tracks 1, 2 and a new one.
var createForms = []call{
	{"Create", func(db *gorm.DB, fresh *Track) error { return db.Create(listOf(fresh)).Error }},
	{"Create of a slice", func(db *gorm.DB, fresh *Track) error { return db.Create([]*Playlist{listOf(fresh)}).Error }},
	{"Create of a pointer to a slice", func(db *gorm.DB, fresh *Track) error { return db.Create(&[]Playlist{*listOf(fresh)}).Error }},
	{"CreateInBatches", func(db *gorm.DB, fresh *Track) error { return db.CreateInBatches([]*Playlist{listOf(fresh)}, 1).Error }},
	{"Save of a new owner", func(db *gorm.DB, fresh *Track) error { return db.Save(listOf(fresh)).Error }},
	{"Save of an owner whose key is not stored", func(db *gorm.DB, fresh *Track) error {
		list := listOf(fresh)
		list.ID = 4
		return db.Save(list).Error
	}},
	{"FirstOrCreate", func(db *gorm.DB, fresh *Track) error {
		return db.Where("title = ?", "new").FirstOrCreate(listOf(fresh)).Error
	}},
	{"FirstOrCreate with Attrs", func(db *gorm.DB, fresh *Track) error {
		return db.Attrs(listOf(fresh)).FirstOrCreate(&Playlist{}, Playlist{Title: "new"}).Error
	}},
	{"gorm.G Create", func(db *gorm.DB, fresh *Track) error {
		return genericCreate(context.Background(), db, listOf(fresh))
	}},
	{"gorm.G CreateInBatches", func(db *gorm.DB, fresh *Track) error {
		return genericCreateInBatches(context.Background(), db, &[]Playlist{*listOf(fresh)}, 1)
	}},
}

func listOf(fresh *Track) *Playlist {
	return &Playlist{Title: "new", Tracks: []*Track{{ID: 1}, fresh, {ID: 2}}}
}

// eachForm runs every form of the call under several modes: run is to make the
// call, and then owner has the links wanted.
func eachForm(t *testing.T, e Engine, unders []string, run func(t *testing.T, db *gorm.DB, c call, owner int)) {
	for _, under := range unders {
		if modes[under].PrepareStmt && e.Unprepared != "" {
			t.Run(under, func(t *testing.T) { t.Skip(e.Unprepared) })
			continue
		}
		db := music(t, e.At(t, under, mode(under)))
		for _, set := range []struct {
			forms []call
			owner int
		}{{forms, 1}, {createForms, 4}} {
			for _, c := range set.forms {
				t.Run(under+" "+c.name, func(t *testing.T) {
					needsGenerics(t, c.name)
					refill(t, db)
					exec(t, db, `INSERT INTO playlist_tracks (playlist_id, track_id) VALUES (1, 1)`)
					run(t, db, c, set.owner)
				})
			}
		}
	}
}

// linkedTo is what a playlist is linked to.
func linkedTo(t testing.TB, db *gorm.DB, owner int) []string {
	t.Helper()
	return rows(t, db, `SELECT t.title FROM playlist_tracks pt JOIN tracks t ON t.id = pt.track_id WHERE pt.playlist_id = ? ORDER BY t.title`, owner)
}

// Stock GORM passes these too, but for Save of an owner whose key is not stored:
// it links before it has inserted.
func callForms(t *testing.T, e Engine) {
	unders := make([]string, 0, len(modes))
	for under := range modes {
		unders = append(unders, under)
	}
	slices.Sort(unders)
	eachForm(t, e, unders, func(t *testing.T, db *gorm.DB, c call, owner int) {
		require.NoError(t, c.run(db, &Track{Title: "new"}))
		require.Equal(t, []string{"new", "t1", "t2"}, linkedTo(t, db, owner))
		require.Equal(t, "5", tally(t, db, "tracks"))
		require.NoError(t, c.run(db, &Track{ID: 5, Title: "new"}), "a second time")
		require.Equal(t, []string{"new", "t1", "t2"}, linkedTo(t, db, owner))
		require.Equal(t, "5", tally(t, db, "tracks"))
	})
}

// Stock GORM passes this too, but for the same Save.
func callFormsInside(t *testing.T, e Engine) {
	eachForm(t, e, []string{"default", "DisableNestedTransaction"}, func(t *testing.T, db *gorm.DB, c call, owner int) {
		require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
			require.NoError(t, tx.Transaction(func(nested *gorm.DB) error { return c.run(nested, &Track{Title: "new"}) }))
			require.Equal(t, []string{"new", "t1", "t2"}, linkedTo(t, tx, owner))
			require.NoError(t, tx.SavePoint("here").Error)
			require.NoError(t, tracks(tx).Append(&Track{ID: 3}))
			require.NoError(t, tx.RollbackTo("here").Error)
			require.Equal(t, []string{"new", "t1", "t2"}, linkedTo(t, tx, owner))
			usable(t, tx)
			return errHook
		}), errHook)
		require.Equal(t, []string{"1|1"}, tracksOf(t, db, "playlist_tracks"))
		require.Equal(t, "4", tally(t, db, "tracks"))
	})
}

// Stock GORM passes this too.
func callReplace(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	playlist := &Playlist{ID: 1}
	for _, want := range [][]uint{{1, 2}, {2, 3}, {3, 4, 1}, {4}} {
		require.NoError(t, db.Model(playlist).Association("Tracks").Replace(trackRefs(want...)))
		titles := make([]string, len(want))
		for i, id := range want {
			titles[i] = fmt.Sprint("t", id)
		}
		slices.Sort(titles)
		require.Equal(t, titles, linkedTo(t, db, 1))
		require.Len(t, playlist.Tracks, len(want))
	}
}

// Stock GORM passes this too.
func callClear(t *testing.T, e Engine) {
	for name, empty := range map[string]func(*gorm.Association) error{
		"Clear":            func(a *gorm.Association) error { return a.Clear() },
		"Replace":          func(a *gorm.Association) error { return a.Replace() },
		"Unscoped Clear":   func(a *gorm.Association) error { return a.Unscoped().Clear() },
		"Replace of empty": func(a *gorm.Association) error { return a.Replace([]*Track{}) },
	} {
		t.Run(name, func(t *testing.T) {
			db := music(t, e.DB(t))
			require.NoError(t, tracks(db).Append(trackRefs(1, 2)))
			require.NoError(t, db.Model(&Playlist{ID: 2}).Association("Tracks").Append(trackRefs(3)))
			playlist := &Playlist{ID: 1, Tracks: trackRefs(1, 2)}
			require.NoError(t, empty(db.Model(playlist).Association("Tracks")))
			require.Equal(t, []string{"2|3"}, tracksOf(t, db, "playlist_tracks"))
			require.Empty(t, playlist.Tracks)
			require.NoError(t, db.Model(playlist).Association("Tracks").Append(trackRefs(2)))
			require.Equal(t, []string{"1|2", "2|3"}, tracksOf(t, db, "playlist_tracks"))
		})
	}
}

// Stock GORM passes this too.
func callBatchOwners(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	values := []Playlist{{ID: 1}, {ID: 2}, {ID: 3}}
	require.NoError(t, db.Model(&values).Association("Tracks").Append(&Track{ID: 1}, []*Track{{ID: 2}}[0], &[]*Track{{ID: 3}, {Title: "new"}}))
	require.Equal(t, []string{"1|1", "2|2", "3|3", "3|5"}, tracksOf(t, db, "playlist_tracks"))
	pointers := []*Playlist{{ID: 1}, {ID: 2}}
	require.NoError(t, db.Model(&pointers).Association("Tracks").Replace(&Track{ID: 4}, &Track{ID: 2}))
	require.Equal(t, []string{"1|4", "2|2", "3|3", "3|5"}, tracksOf(t, db, "playlist_tracks"))
	require.ErrorIs(t, db.Model(&pointers).Association("Tracks").Append(&Track{ID: 1}), gorm.ErrInvalidValueOfLength)
	require.NoError(t, db.Model(&values).Association("Tracks").Clear())
	require.Empty(t, tracksOf(t, db, "playlist_tracks"))
}

// Stock GORM stores the shared track twice where both owners are in one batch.
func callSliceOwners(t *testing.T, e Engine) {
	shared := &Track{Title: "shared"}
	lists := func() []*Playlist {
		return []*Playlist{
			{Title: "four", Tracks: []*Track{{ID: 1}, shared}},
			{Title: "five"},
			{Title: "six", Tracks: []*Track{shared, {ID: 1}}, Hidden: trackRefs(2)},
		}
	}
	for name, create := range map[string]func(db *gorm.DB) error{
		"Create":          func(db *gorm.DB) error { return db.Create(lists()).Error },
		"CreateInBatches": func(db *gorm.DB) error { return db.CreateInBatches(lists(), 2).Error },
		"CreateBatchSize": func(db *gorm.DB) error { return db.Session(&gorm.Session{CreateBatchSize: 2}).Create(lists()).Error },
		"With": func(db *gorm.DB) error {
			return m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Refuse)).CreateInBatches(lists(), 1).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared.ID = 0
			db := music(t, e.DB(t))
			require.NoError(t, create(db))
			require.Equal(t, []string{"4|1", "4|5", "6|1", "6|5"}, tracksOf(t, db, "playlist_tracks"))
			require.Equal(t, []string{"6|2"}, tracksOf(t, db, "playlist_hidden"))
			require.Equal(t, "5", tally(t, db, "tracks"))
		})
	}
}

// Stock GORM passes this too.
func callRest(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	require.NoError(t, tracks(db).Append(trackRefs(1, 2, 3)))
	require.NoError(t, tracks(db).Delete(&Track{ID: 2}))
	require.Equal(t, int64(2), tracks(db).Count())
	var found []Track
	require.NoError(t, tracks(db).Find(&found))
	require.Len(t, found, 2)
	require.NoError(t, db.Select("Tracks").Delete(&Playlist{ID: 1}).Error)
	require.Equal(t, []string{"0", "4"}, []string{tally(t, db, "playlist_tracks"), tally(t, db, "tracks")})
}
