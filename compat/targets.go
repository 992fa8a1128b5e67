package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe"
)

var targets = []behaviour{
	{"stored targets run no create hooks in any call", targetHooks},
	{"a stored target that is deleted softly is linked as it is", targetDeleted},
	{"a key that a hook makes is the one that is linked", targetHookKey},
	{"new targets run their hooks once and get their keys", targetNew},
	{"a map is a new target", targetMap},
	{"maps, values and pointers go together in one call", targetMixed},
	{"the same new target twice in one call is stored once", targetNewTwice},
	{"an unstored target is created in the caller's transaction", targetInTransaction},
	{"a hook's error rolls targets and links back", targetHookFails},
	{"a target that can't be created leaves nothing behind", targetCreateFails},
	{"an unstored target is created with all it holds", targetNested},
	{"a stored target's own columns change with FullSaveAssociations only", targetFullSave},
}

// Stock GORM inserts the stored targets again, and their hooks run.
func targetHooks(t *testing.T, e Engine) {
	for name, call := range map[string]func(db *gorm.DB) error{
		"Append": func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Association("Tracks").Append(trackRefs(1, 2))
		},
		"Replace": func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Association("Tracks").Replace(trackRefs(1, 2))
		},
		"Create": func(db *gorm.DB) error { return db.Create(&Playlist{Title: "new", Tracks: trackRefs(1, 2)}).Error },
		"Save":   func(db *gorm.DB) error { return db.Save(&Playlist{ID: 1, Title: "one", Tracks: trackRefs(1, 2)}).Error },
		"Updates": func(db *gorm.DB) error {
			return db.Select("Tracks").Updates(&Playlist{ID: 1, Tracks: trackRefs(1, 2)}).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, log := music(t, e.DB(t)), new(hooklog)
			require.NoError(t, call(log.on(db)))
			require.Len(t, tracksOf(t, db, "playlist_tracks"), 2)
			require.NotContains(t, log.heard(), "track BeforeCreate")
			require.NotContains(t, log.heard(), "track AfterCreate")
			require.Equal(t, []string{"1|t1|1", "2|t2|2", "3|t3|3", "4|t4|4"}, rows(t, db, `SELECT id, title, plays FROM tracks ORDER BY id`))
		})
	}
}

// Stock GORM passes this too: the target's row is there, whatever its state.
func targetDeleted(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Badge{}, &Holder{}))
	exec(t, db, `INSERT INTO holders (id) VALUES (1)`)
	exec(t, db, `INSERT INTO badges (id, name, deleted_at) VALUES ('old', 'gone', ?)`, past)
	const row = `SELECT name, deleted_at IS NULL FROM badges`
	before := rows(t, db, row)
	require.NoError(t, db.Model(&Holder{ID: 1}).Association("Badges").Append(&Badge{ID: "old", Name: "only in memory"}))
	require.Equal(t, []string{"1|old"}, rows(t, db, `SELECT holder_id, badge_id FROM holder_badges`))
	require.Equal(t, before, rows(t, db, row))
}

// Stock GORM passes this too.
func targetHookKey(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Badge{}, &Holder{}))
	exec(t, db, `INSERT INTO holders (id) VALUES (1)`)
	values, pointer := []Badge{{Name: "a"}, {Name: "b"}}, &Badge{Name: "c"}
	require.NoError(t, db.Model(&Holder{ID: 1}).Association("Badges").Append(&values, pointer))
	require.Equal(t, []string{"1|badge-a", "1|badge-b", "1|badge-c"},
		rows(t, db, `SELECT holder_id, badge_id FROM holder_badges ORDER BY 2`))
	require.Equal(t, []string{"badge-a", "badge-b", "badge-c"}, []string{values[0].ID, values[1].ID, pointer.ID})
	require.NoError(t, db.Model(&Holder{ID: 1}).Association("Badges").Append(&values))
	require.Equal(t, "3", tally(t, db, "badges"))
}

// Stock GORM passes this too.
func targetNew(t *testing.T, e Engine) {
	db, log := music(t, e.DB(t)), new(hooklog)
	fresh := []*Track{{Title: "new 1"}, {Title: "new 2"}}
	require.NoError(t, log.on(db).Model(&Playlist{ID: 1}).Association("Tracks").Append(fresh))
	require.Equal(t, []uint{5, 6}, []uint{fresh[0].ID, fresh[1].ID})
	require.Equal(t, []string{"1|5", "1|6"}, tracksOf(t, db, "playlist_tracks"))
	require.Subset(t, log.heard(), []string{"track AfterCreate", "track AfterCreate", "track BeforeCreate", "track BeforeCreate"})
	require.Equal(t, []string{"5|new 1", "6|new 2"}, rows(t, db, `SELECT id, title FROM tracks WHERE id > 4 ORDER BY id`))
}

// Stock GORM passes this too, as long as the map's row is not stored yet.
func targetMap(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	for id, value := range map[uint]any{
		70: map[string]any{"id": 70, "title": "one map"},
		71: []map[string]any{{"id": 71, "title": "a slice of maps"}},
		72: &map[string]any{"id": 72, "title": "a pointer to a map"},
		73: &[]map[string]any{{"id": 73, "title": "a pointer to a slice of maps"}},
	} {
		require.NoError(t, db.Model(&Playlist{ID: 1}).Association("Tracks").Append(value), "%T", value)
		require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM playlist_tracks WHERE playlist_id = 1 AND track_id = ?`, id), "%T", value)
	}
	require.Equal(t, "4", tally(t, db, "playlist_tracks"))
	require.Equal(t, "8", tally(t, db, "tracks"))
}

// Stock GORM passes this too.
func targetMixed(t *testing.T, e Engine) {
	db := seeded(t, e)
	values, pointers := []Publication{{ID: 2}, {Name: "value"}}, []*Publication{{Name: "pointer"}, {ID: 4}}
	article := Article{ID: 1}
	require.NoError(t, db.Model(&article).Association("Publications").
		Append(Publication{ID: 1}, &Publication{ID: 3}, values, &pointers, map[string]any{"id": 80, "name": "map"}))
	want := []string{"1|1", "1|2", "1|3", "1|4"}
	for _, name := range []string{"value", "pointer", "map"} {
		want = append(want, "1|"+one(t, db, `SELECT id FROM publications WHERE name = ?`, name))
	}
	require.ElementsMatch(t, want, linked(t, db))
	require.Len(t, article.Publications, 7)
	require.Equal(t, one(t, db, `SELECT id FROM publications WHERE name = 'pointer'`), one(t, db, `SELECT CAST(? AS bigint)`, pointers[0].ID))
}

// Stock GORM passes this too.
func targetNewTwice(t *testing.T, e Engine) {
	db, log := music(t, e.DB(t)), new(hooklog)
	fresh := &Track{Title: "new"}
	require.NoError(t, log.on(db).Model(&Playlist{ID: 1}).Association("Tracks").Append(&Track{ID: 90, Title: "keyed"}, &Track{ID: 90, Title: "again"}))
	require.Equal(t, []string{"1|90"}, tracksOf(t, db, "playlist_tracks"))
	require.Equal(t, "keyed", one(t, db, `SELECT title FROM tracks WHERE id = 90`))
	require.NoError(t, db.Model(&Playlist{ID: 2}).Association("Tracks").Append(fresh))
	require.NoError(t, db.Model(&Playlist{ID: 2}).Association("Tracks").Append(fresh, fresh))
	require.Equal(t, "6", tally(t, db, "tracks"))
	require.Equal(t, "2", tally(t, db, "playlist_tracks"))
}

// Stock GORM gives the new track the ID of the one that was not stored: RETURNING
// says less rows than it sent, and it lays them on in order.
func targetInTransaction(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	err := db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, tx.Model(&Playlist{ID: 1}).Association("Tracks").Append(&Track{ID: 50}, &Track{ID: 2}, &Track{Title: "new"}))
		usable(t, tx)
		require.Equal(t, "3", tally(t, tx, "playlist_tracks"))
		return errHook
	})
	require.ErrorIs(t, err, errHook)
	require.Equal(t, "0", tally(t, db, "playlist_tracks"))
	require.Equal(t, "4", tally(t, db, "tracks"))
}

// Stock GORM passes this too with its default transaction, and leaves the targets
// behind with SkipDefaultTransaction.
func targetHookFails(t *testing.T, e Engine) {
	for _, name := range []string{"default", "SkipDefaultTransaction"} {
		t.Run(name, func(t *testing.T) {
			db, log := music(t, e.With(t, mode(name))), &hooklog{fail: map[string]error{"track AfterCreate": errHook}}
			for _, elem := range []*Track{{ID: 50}, {Title: "new"}} {
				err := log.on(db).Model(&Playlist{ID: 1}).Association("Tracks").Append(&Track{ID: 1}, elem)
				require.ErrorIs(t, err, errHook)
				require.Equal(t, "0", tally(t, db, "playlist_tracks"))
				require.Equal(t, "4", tally(t, db, "tracks"))
			}
		})
	}
}

// Stock GORM swallows the label's conflict, and breaks a foreign key instead.
func targetCreateFails(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	err := db.Model(&Playlist{ID: 1}).Association("Labels").Append(&Label{ID: 9, Code: "c"}, &Label{ID: 1, Code: "z"})
	require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
	require.ErrorIs(t, err, gorm.ErrForeignKeyViolated)
	require.Equal(t, "0", tally(t, db, "playlist_labels"))
	require.Equal(t, "2", tally(t, db, "labels"))
}

// Stock GORM passes this too.
func targetNested(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	track := &Track{Title: "new", Studio: &Studio{Name: "s"}, Notes: []Note{{Text: "n"}, {Text: "m"}}, Guests: []*Artist{{ID: 1}, {Name: "z"}}}
	require.NoError(t, db.Create(&Playlist{Title: "new", Tracks: []*Track{track, {ID: 60, Notes: []Note{{Text: "o"}}}}}).Error)
	require.Equal(t, []string{"4|5", "4|60"}, tracksOf(t, db, "playlist_tracks"))
	require.Equal(t, []string{"5|n", "5|m", "60|o"}, rows(t, db, `SELECT track_id, text FROM notes ORDER BY track_id, id`))
	require.Equal(t, []string{"5|1", "5|3"}, rows(t, db, `SELECT track_id, artist_id FROM track_guests ORDER BY 2`))
	require.Equal(t, "1", one(t, db, `SELECT studio_id FROM tracks WHERE id = 5`))
}

// Stock GORM passes this too.
func targetFullSave(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	const row = `SELECT title, plays FROM tracks WHERE id = 2`
	require.NoError(t, db.Save(&Playlist{ID: 1, Tracks: []*Track{{ID: 2, Title: "changed", Plays: 9}}}).Error)
	require.Equal(t, "t2|2", one(t, db, row))
	full := db.Session(&gorm.Session{FullSaveAssociations: true})
	require.NoError(t, full.Save(&Playlist{ID: 1, Tracks: []*Track{{ID: 2, Title: "changed", Plays: 9}}}).Error)
	require.Equal(t, "changed|9", one(t, db, row))
	require.NoError(t, full.Model(&Playlist{ID: 2}).Association("Tracks").Append(&Track{ID: 2, Title: "appended", Plays: 10}))
	require.Equal(t, "appended|10", one(t, db, row))
	require.NoError(t, full.Omit(clause.Associations).Save(&Playlist{ID: 1, Tracks: []*Track{{ID: 2, Title: "omitted"}}}).Error)
	require.Equal(t, "appended|10", one(t, db, row))
	require.Equal(t, []string{"1|2", "2|2"}, tracksOf(t, db, "playlist_tracks"))
}
