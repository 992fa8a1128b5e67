package soak

import (
	"fmt"

	"gorm.io/gorm"
)

type (
	// Owner has labels.
	Owner struct {
		ID     uint
		Name   string   `gorm:"size:40"`
		Labels []*Label `gorm:"many2many:owner_labels"`
	}

	// Label is known by its name.
	Label struct {
		ID     uint
		Name   string   `gorm:"size:40;unique"`
		Owners []*Owner `gorm:"many2many:owner_labels"`
	}

	// OwnerLabel is the join row.
	OwnerLabel struct {
		OwnerID uint `gorm:"primaryKey"`
		LabelID uint `gorm:"primaryKey"`
	}
)

// What is stored before anybody writes, with the keys 1, 2, and so on. What a call adds
// to it the same call takes away.
const (
	storedOwners = 40
	storedLabels = 60
)

func labelName(id int) string { return fmt.Sprintf("label-%d", id) }

func seed(db *gorm.DB) error {
	if err := db.AutoMigrate(&Owner{}, &Label{}); err != nil {
		return err
	}
	for i := range storedOwners {
		if err := db.Create(&Owner{Name: fmt.Sprintf("owner-%d", i+1)}).Error; err != nil {
			return err
		}
	}
	for i := range storedLabels {
		if err := db.Create(&Label{Name: labelName(i + 1)}).Error; err != nil {
			return err
		}
	}
	return nil
}
