package linear

import (
	"time"

	"gorm.io/gorm"
)

// Owner and Target are the two ends. A target has an auto-update time, so that an
// Append from its side updates it and one from the owner's side does nothing but link.
type (
	Owner struct {
		ID      uint
		Targets []Target `gorm:"many2many:links"`
	}
	Target struct {
		ID        uint
		UpdatedAt time.Time
		Owners    []Owner `gorm:"many2many:links"`
	}
)

// Loose has no unique key on the pair.
type Loose struct {
	ID       uint
	OwnerID  uint
	TargetID uint
}

// Soft is deleted softly.
type Soft struct {
	OwnerID   uint `gorm:"primaryKey"`
	TargetID  uint `gorm:"primaryKey"`
	DeletedAt gorm.DeletedAt
}

// TableName is that of the relation.
func (*Loose) TableName() string { return "links" }

// TableName is that of the relation.
func (*Soft) TableName() string { return "links" }

// JoinTable is a kind of join table.
type JoinTable struct {
	Name  string
	Model any // nil for the table that GORM makes
}

// The kinds.
var (
	Keyed       = JoinTable{"unique key", nil}
	WithoutKey  = JoinTable{"no unique key", &Loose{}}
	SoftDeleted = JoinTable{"deleted softly", &Soft{}}
)

// SetUp has db use the join table.
func (j JoinTable) SetUp(db *gorm.DB) error {
	if j.Model == nil {
		return nil
	}
	if err := db.SetupJoinTable(&Owner{}, "Targets", j.Model); err != nil {
		return err
	}
	return db.SetupJoinTable(&Target{}, "Owners", j.Model)
}

// Create makes the tables, and both ends of all pairs.
func (j JoinTable) Create(db *gorm.DB) error {
	if err := db.AutoMigrate(&Owner{}, &Target{}); err != nil {
		return err
	}
	owners, targets := make([]Owner, Owners), make([]Target, Targets)
	for i := range owners {
		owners[i].ID = uint(i + 1)
	}
	for i := range targets {
		targets[i].ID = uint(i + 1)
	}
	if err := db.Create(&owners).Error; err != nil {
		return err
	}
	return db.Create(&targets).Error
}
