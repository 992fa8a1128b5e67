package compat

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Shelf holds jars of three kinds.
type (
	Shelf struct {
		ID     uint
		Jars   []*Jar    `gorm:"many2many:shelf_jars"`
		Hashed []*Hashed `gorm:"many2many:shelf_hashed"`
	}
	// Jar has a field without a column.
	Jar struct {
		ID   uint
		Name string  `gorm:"unique"`
		Code *string `gorm:"unique"`
		Note string
		Uses int `gorm:"->;-:migration"`
	}
	// Hashed makes its key of its name.
	Hashed struct {
		ID   string `gorm:"primaryKey"`
		Name string
	}
)

func (h *Hashed) BeforeCreate(*gorm.DB) error {
	h.ID = "hash of " + h.Name
	return nil
}

var targetRegressions = []behaviour{
	{"a field without a column is not asked for", func(t *testing.T, e Engine) {
		db := shelves(t, e)
		require.NoError(t, db.Create(&Jar{Name: "jam", Note: "stored"}).Error)
		jam := &Jar{Name: "jam", Uses: 7}
		require.NoError(t, db.Model(&Shelf{ID: 1}).Association("Jars").Append(jam))
		require.Equal(t, &Jar{ID: 1, Name: "jam", Note: "stored", Uses: 7}, jam)
		created, err := m2msafe.GetOrCreate(context.Background(), db, &Jar{Name: "jam"})
		require.NoError(t, err)
		require.False(t, created)
	}},
	// Stock GORM passes this too.
	{"keys that a hook makes may be stored", func(t *testing.T, e Engine) {
		db := shelves(t, e)
		for range 2 {
			targets := []*Hashed{{Name: "a"}, {Name: "b"}, {Name: "b"}}
			require.NoError(t, db.Model(&Shelf{ID: 1}).Association("Hashed").Append(targets))
			require.Equal(t, "hash of b", targets[2].ID)
		}
		require.Equal(t, "2", tally(t, db, "hasheds"))
		require.Equal(t, "2", tally(t, db, "shelf_hashed"))
	}},
	{"everything saved: what races is updated, and the new element counts", func(t *testing.T, e Engine) {
		db := shelves(t, e).Session(&gorm.Session{FullSaveAssociations: true})
		require.Empty(t, rush(func(writer int) error {
			var jars []*Jar
			for i := range 20 {
				jars = append(jars, &Jar{Name: fmt.Sprint((i + writer*7) % 20), Note: "raced"})
			}
			return db.Model(&Shelf{ID: uint(writer%2 + 1)}).Association("Jars").Append(jars)
		}))
		require.Equal(t, "20", tally(t, db, "jars"))
		var shelf Shelf
		require.NoError(t, db.Preload("Jars").First(&shelf, 1).Error)
		require.NoError(t, db.Model(&shelf).Association("Jars").Append(&Jar{Name: "3", Note: "updated"}))
		require.Equal(t, "updated", rows(t, db, `SELECT note FROM jars WHERE name = '3'`)[0])
	}},
	{"a failing GetOrCreate leaves the caller's transaction usable", func(t *testing.T, e Engine) {
		db := shelves(t, e)
		code := "c"
		require.NoError(t, db.Create(&Jar{Name: "jam", Code: &code}).Error)
		exec(t, db, `CREATE UNIQUE INDEX noted ON jars (lower(note))`)
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(context.Background(), tx, &Jar{Name: "tea"})
			require.ErrorIs(t, err, gorm.ErrDuplicatedKey)
			created, err := m2msafe.GetOrCreate(context.Background(), tx, &Jar{Name: "tea", Note: "other"})
			require.True(t, created)
			return err
		}))
	}},
	{"an index on an array is no natural key", only("PostgreSQL has arrays alone", func(t *testing.T, e Engine) {
		db := shelves(t, e)
		require.NoError(t, db.Exec(native(db, `ALTER TABLE jars ADD COLUMN list int[] UNIQUE`)).Error)
		require.NoError(t, db.Model(&Shelf{ID: 1}).Association("Jars").Append(&Jar{Name: "jam"}))
	})},
	// A random call found it. Before, the model of it took the third for the second.
	{"an element that is two new ones ahead of it is refused, and is one row with them if it comes first", newTwice},
}

// newTwice has a soft-deleted row with both keys: where it takes neither, all elements
// are new.
func newTwice(t *testing.T, e Engine) {
	db := m2msafe.With(e.DB(t), m2msafe.DeletedTargets(m2msafe.Ignore))
	require.NoError(t, db.AutoMigrate(&Specimen{}, &Cabinet{}))
	predicates(t, db)
	exec(t, db, `CREATE UNIQUE INDEX specimens_name ON specimens (name) WHERE deleted_at IS NULL`)
	exec(t, db, `CREATE UNIQUE INDEX specimens_code ON specimens (code) WHERE deleted_at IS NULL`)
	require.NoError(t, db.Create(&Cabinet{}).Error)
	require.NoError(t, db.Create(&Specimen{Name: of("n"), Code: of("c"), DeletedAt: gorm.DeletedAt{Time: past, Valid: true}}).Error)
	living := &Specimen{Code: of("living")}
	require.NoError(t, db.Create(living).Error)
	call := func(order ...int) ([]*Specimen, error) {
		elems := []*Specimen{{ID: living.ID}, {Code: of("c")}, {Name: of("n")}, {Name: of("n"), Code: of("c")}}
		made := make([]*Specimen, len(order))
		for i, o := range order {
			made[i] = elems[o]
		}
		return made, db.Model(&Cabinet{ID: 1}).Association("Specimens").Append(made)
	}
	_, err := call(0, 1, 2, 3)
	require.ErrorIs(t, err, m2msafe.ErrTargetConflict)
	require.Equal(t, "2", tally(t, db, "specimens"))
	require.Equal(t, "0", tally(t, db, "cabinet_specimens"))
	elems, err := call(3, 0, 1, 2)
	require.NoError(t, err)
	require.Equal(t, []uint{elems[0].ID, living.ID, elems[0].ID, elems[0].ID}, []uint{elems[0].ID, elems[1].ID, elems[2].ID, elems[3].ID})
	require.Equal(t, "3", tally(t, db, "specimens"))
	require.Equal(t, "2", tally(t, db, "cabinet_specimens"))
}

func shelves(t *testing.T, e Engine) *gorm.DB {
	db := e.With(t, mode("TranslateError"))
	require.NoError(t, db.AutoMigrate(&Shelf{}, &Jar{}, &Hashed{}))
	require.NoError(t, db.Create(&[]Shelf{{ID: 1}, {ID: 2}}).Error)
	return db
}
