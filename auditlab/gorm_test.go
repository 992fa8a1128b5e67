package auditlab

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// The relations that GORM's documentation shows: an implicit join table, one to itself, and
// join models.
type (
	Author struct {
		ID      uint
		Name    string
		Books   []*Book   `gorm:"many2many:author_books"`
		Friends []*Author `gorm:"many2many:author_friends"`
	}
	Book struct {
		ID    uint
		Title string
	}
	Reader struct {
		ID      uint
		Name    string
		Books   []*Book  `gorm:"many2many:loans"`
		Shelves []*Shelf `gorm:"many2many:reader_shelves"`
	}
	Shelf struct {
		ID   uint
		Name string `gorm:"size:50;uniqueIndex"`
	}
	// Loan is the documentation's custom join model, deleted softly.
	Loan struct {
		ReaderID  uint `gorm:"primaryKey"`
		BookID    uint `gorm:"primaryKey"`
		DeletedAt gorm.DeletedAt
	}
	// ReaderShelf has a key of its own, and none on the pair.
	ReaderShelf struct {
		ID       uint
		ReaderID uint
		ShelfID  uint
	}
)

// MendedShelf is ReaderShelf once its table is mended: AutoMigrate would let the columns be
// NULL again as long as the model does.
type MendedShelf struct {
	ID       uint
	ReaderID uint `gorm:"not null"`
	ShelfID  uint `gorm:"not null"`
}

func (MendedShelf) TableName() string { return "reader_shelves" }

func migrateGORM(t testing.TB, db *gorm.DB, shelves any) {
	t.Helper()
	require.NoError(t, db.SetupJoinTable(&Reader{}, "Books", &Loan{}))
	require.NoError(t, db.SetupJoinTable(&Reader{}, "Shelves", shelves))
	require.NoError(t, db.AutoMigrate(&Author{}, &Book{}, &Reader{}, &Shelf{}))
}

// smokeGORM has GORM use each relation, alone and with the plugin, and migrate once more,
// which must find nothing in its way.
func smokeGORM(t testing.TB, d *database) {
	t.Helper()
	for _, plugin := range []bool{false, true} {
		db := d.gorm(t)
		migrateGORM(t, db, &MendedShelf{})
		if plugin {
			require.NoError(t, db.Use(m2msafe.New()))
		}
		book, shelf, friend := Book{Title: "smoke"}, Shelf{Name: "smoke"}, Author{Name: "friend"}
		author, reader := Author{Name: "smoke"}, Reader{Name: "smoke"}
		for _, row := range []any{&book, &shelf, &friend, &author, &reader} {
			require.NoError(t, db.Create(row).Error)
		}
		for _, use := range []struct {
			owner    any
			relation string
			target   any
		}{
			{&author, "Books", &book}, {&author, "Friends", &friend}, {&reader, "Books", &book}, {&reader, "Shelves", &shelf},
		} {
			association := func() *gorm.Association { return db.Model(use.owner).Association(use.relation) }
			require.NoError(t, association().Append(use.target))
			require.NoError(t, association().Append(use.target))
			require.EqualValues(t, 1, association().Count(), use.relation)
			require.NoError(t, association().Delete(use.target))
			require.EqualValues(t, 0, association().Count(), use.relation)
		}
		require.NoError(t, db.Exec("DELETE FROM loans").Error)
		for _, row := range []any{&reader, &author, &friend, &shelf, &book} {
			require.NoError(t, db.Delete(row).Error)
		}
	}
}
