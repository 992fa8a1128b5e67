package compat

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

var failures = slices.Concat([]behaviour{
	{"an owner without a key is refused in every call that could have one", failOwnerNotSaved},
	{"an owner that is not stored is refused", failOwnerNotStored},
	{"an unstored target under Omit of Rel.* is refused by name", failTargetNotStored},
	{"a zero reference value on the target is refused", failZeroReference},
	{"a nil pointer in the owner's field is refused", failNilTarget},
	{"an error's text has relation, table, keys and advice", failText},
	{"an error of the database comes as it is, in a LinkError", failDatabase},
	{"a join table that does not exist is said so", failNoJoinTable},
}, failValues, failOptions)

// failure is a call that is to fail on a database of music.
type failure struct {
	run      func(db *gorm.DB) error
	sentinel error
	gorm     error // GORM's sentinel that errors.Is finds too
	targets  [][]any
}

// refused makes each call on its own and in a caller's transaction that goes
// on: nothing may be written, and the transaction has to work.
func refused(t *testing.T, e Engine, table map[string]failure) {
	for name, f := range table {
		t.Run(name, func(t *testing.T) {
			db := music(t, e.DB(t))
			before := musicRows(t, db)
			check := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, f.sentinel)
				if f.gorm != nil {
					require.ErrorIs(t, err, f.gorm)
				}
				var link *m2msafe.LinkError
				require.ErrorAs(t, err, &link)
				require.True(t, strings.HasPrefix(link.Relation, "Playlist."), link.Relation)
				if f.targets != nil {
					require.Equal(t, f.targets, link.Targets)
				}
			}
			check(f.run(db))
			require.Equal(t, before, musicRows(t, db))
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				check(f.run(tx))
				usable(t, tx)
				require.Equal(t, before, musicRows(t, tx))
				check(tx.Transaction(f.run))
				usable(t, tx)
				return tracks(tx).Append(trackRefs(4))
			}))
			require.Equal(t, []string{"1|4"}, tracksOf(t, db, "playlist_tracks"))
		})
	}
}

// Stock GORM saves the targets, and what belongs to the owner, and then breaks
// a foreign key.
func failOwnerNotSaved(t *testing.T, e Engine) {
	unsaved := func() *Playlist { return &Playlist{Title: "unsaved", Curator: &Artist{Name: "unsaved"}} }
	fail := func(run func(db *gorm.DB) error) failure {
		return failure{run: run, sentinel: m2msafe.ErrOwnerNotSaved}
	}
	refused(t, e, map[string]failure{
		"Append": fail(func(db *gorm.DB) error {
			return db.Model(unsaved()).Association("Tracks").Append(&Track{ID: 1}, &Track{Title: "new"}, &Track{ID: 77})
		}),
		"Append with everything saved": fail(func(db *gorm.DB) error {
			return db.Session(&gorm.Session{FullSaveAssociations: true}).Model(unsaved()).Association("Tracks").Append(&Track{Title: "new"})
		}),
		"Replace": fail(func(db *gorm.DB) error {
			return db.Model(unsaved()).Association("Tracks").Replace(&Track{Title: "new"})
		}),
		"Append to several": fail(func(db *gorm.DB) error {
			return db.Model(&[]*Playlist{unsaved(), unsaved()}).Association("Tracks").Append(&Track{ID: 1}, &Track{Title: "new"})
		}),
		"Updates": fail(func(db *gorm.DB) error {
			list := unsaved()
			list.Tracks = []*Track{{Title: "new"}}
			return db.Where("id = 0").Updates(list).Error
		}),
	})
}

// Stock GORM saves the targets, and then breaks the foreign key; without one it
// stores the link.
func failOwnerNotStored(t *testing.T, e Engine) {
	fail := func(run func(db *gorm.DB) error) failure {
		return failure{run: run, sentinel: m2msafe.ErrOwnerNotStored, gorm: gorm.ErrForeignKeyViolated}
	}
	refused(t, e, map[string]failure{
		"Append": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 404}).Association("Tracks").Append(trackRefs(1, 2))
		}),
		"Replace": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 404}).Association("Tracks").Replace(trackRefs(1))
		}),
		"Append of an unstored target": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 404}).Association("Tracks").Append(&Track{ID: 77})
		}),
		"Append by code": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 404}).Association("Labels").Append(&Label{ID: 1, Code: "a"})
		}),
		"Updates": fail(func(db *gorm.DB) error { return db.Updates(&Playlist{ID: 404, Tracks: trackRefs(1)}).Error }),
	})
}

// Stock GORM breaks the foreign key, which aborts the caller's transaction.
func failTargetNotStored(t *testing.T, e Engine) {
	fail := func(targets [][]any, run func(db *gorm.DB) error) failure {
		return failure{run: run, sentinel: m2msafe.ErrTargetNotStored, gorm: gorm.ErrForeignKeyViolated, targets: targets}
	}
	refused(t, e, map[string]failure{
		"Append": fail([][]any{{uint(77)}, {uint(78)}}, func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Omit("Tracks.*").Association("Tracks").Append(trackRefs(1, 77, 2, 78))
		}),
		"Create": fail([][]any{{uint(77)}}, func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				return tx.Omit("Tracks.*").Create(&Playlist{Title: "new", Tracks: trackRefs(1, 77)}).Error
			})
		}),
		"Updates": fail([][]any{{uint(77)}}, func(db *gorm.DB) error {
			return db.Select("Tracks").Omit("Tracks.*").Updates(&Playlist{ID: 1, Tracks: trackRefs(1, 77)}).Error
		}),
		"by code": fail([][]any{{"nowhere"}}, func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Omit("Labels.*").Association("Labels").Append(&Label{ID: 1, Code: "nowhere"})
		}),
	})
}

// Stock GORM stores an empty code where nothing forbids it.
func failZeroReference(t *testing.T, e Engine) {
	fail := func(run func(db *gorm.DB) error) failure {
		return failure{run: run, sentinel: m2msafe.ErrZeroReference}
	}
	refused(t, e, map[string]failure{
		"by code, the key known": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Association("Labels").Append(&Label{Code: "a", ID: 1}, &Label{ID: 92})
		}),
		"by code, omitted": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Omit("Labels.*").Association("Labels").Append(&Label{ID: 92})
		}),
		"by key, omitted": fail(func(db *gorm.DB) error {
			return db.Model(&Playlist{ID: 1}).Omit("Tracks.*").Association("Tracks").Append(&Track{Title: "new"})
		}),
	})
	// A hook of the target's may make the code, so it is created first; in a
	// transaction of the caller's the row is the caller's to keep or not.
	db := music(t, e.DB(t))
	before := musicRows(t, db)
	added := func(db *gorm.DB) error { return db.Model(&Playlist{ID: 1}).Association("Labels").Append(&Label{}) }
	require.ErrorIs(t, added(db), m2msafe.ErrZeroReference)
	require.Equal(t, before, musicRows(t, db))
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.ErrorIs(t, tx.Transaction(added), m2msafe.ErrZeroReference)
		usable(t, tx)
		return nil
	}))
	require.Equal(t, before, musicRows(t, db))
}

// Stock GORM panics.
func failNilTarget(t *testing.T, e Engine) {
	fail := func(run func(db *gorm.DB) error) failure {
		return failure{run: run, sentinel: m2msafe.ErrInvalidTarget}
	}
	list := func(id uint) *Playlist {
		return &Playlist{ID: id, Title: "nil", Curator: &Artist{Name: "nil"}, Tracks: []*Track{{ID: 1}, nil, {Title: "new"}}}
	}
	refused(t, e, map[string]failure{
		"Create":            fail(func(db *gorm.DB) error { return db.Create(list(0)).Error }),
		"Create of a slice": fail(func(db *gorm.DB) error { return db.Create([]*Playlist{{Title: "fine"}, list(0)}).Error }),
		"Save":              fail(func(db *gorm.DB) error { return db.Save(list(1)).Error }),
		"Updates":           fail(func(db *gorm.DB) error { return db.Updates(list(1)).Error }),
		"Append to a field with nil": fail(func(db *gorm.DB) error {
			return db.Model(list(1)).Association("Tracks").Append(&Track{ID: 3})
		}),
		"Save without the targets": fail(func(db *gorm.DB) error { return db.Omit("Tracks.*").Save(list(1)).Error }),
	})
}

func failText(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	err := db.Model(&Playlist{ID: 1}).Omit("Tracks.*").Association("Tracks").Append(trackRefs(71, 72, 73, 74, 75, 76, 1))
	for _, part := range []string{
		"Playlist.Tracks", tableOf(db, "playlist_tracks"), "target is not stored", "owner 1", "target 71, 72, 73, 74, 75 and 1 more", "Tracks.*",
	} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "\n")
	var link *m2msafe.LinkError
	require.ErrorAs(t, err, &link)
	require.Equal(t, "Playlist.Tracks", link.Relation)
	require.Equal(t, tableOf(db, "playlist_tracks"), link.JoinTable)
	require.Equal(t, []any{uint(1)}, link.Owner)
	require.Len(t, link.Targets, 6)
	require.NotEmpty(t, link.Advice)
	require.ErrorContains(t, db.Model(&Playlist{ID: 1}).Omit("Labels.*").Association("Labels").Append(&Label{ID: 1, Code: "nowhere"}), `"nowhere"`)
	require.ErrorContains(t, db.Model(&Playlist{}).Association("Tracks").Append(trackRefs(1)), "save the Playlist first")
}

// Stock GORM passes over the seat's conflict without a word.
func failDatabase(t *testing.T, e Engine) {
	for _, translate := range []bool{false, true} {
		config := mode("default")
		config.TranslateError = translate
		db := music(t, e.At(t, t.Name()+map[bool]string{true: "translated"}[translate], config))
		exec(t, db, `ALTER TABLE playlist_tracks ADD COLUMN seat integer DEFAULT 7`)
		exec(t, db, `CREATE UNIQUE INDEX one_seat ON playlist_tracks (seat)`)
		err := tracks(db).Append(trackRefs(1, 2))
		require.ErrorIs(t, err, gorm.ErrDuplicatedKey)
		var link *m2msafe.LinkError
		require.ErrorAs(t, err, &link)
		require.NoError(t, link.Err)
		require.Error(t, link.Cause)
		require.Equal(t, []any{uint(1)}, link.Owner)
		require.Equal(t, "0", tally(t, db, "playlist_tracks"))
	}
}

func failNoJoinTable(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	exec(t, db, `DROP TABLE playlist_tracks`)
	err := tracks(db).Append(&Track{ID: 1}, &Track{Title: "new"})
	require.ErrorIs(t, err, m2msafe.ErrNoJoinTable)
	require.Equal(t, "4", tally(t, db, "tracks"))
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.ErrorIs(t, tracks(tx).Append(&Track{ID: 1}), m2msafe.ErrNoJoinTable)
		usable(t, tx)
		return tx.Model(&Playlist{ID: 1}).Association("Hidden").Append(trackRefs(1))
	}))
	require.False(t, errors.Is(err, gorm.ErrForeignKeyViolated))
	require.NoError(t, db.AutoMigrate(&Playlist{}))
	require.NoError(t, tracks(db).Append(&Track{ID: 1}), "the table is there now")
}
