package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// The models that writers write.
type (
	// Owner has labels by a table with a key on the pair, notes likewise, and marks by a
	// table without any key on the pair.
	Owner struct {
		ID        uint
		Tag       string `gorm:"size:40;index"`
		UpdatedAt time.Time
		Labels    []*Label `gorm:"many2many:owner_labels"`
		Notes     []*Note  `gorm:"many2many:owner_notes"`
		Marks     []*Label `gorm:"many2many:owner_marks"`
	}

	// Label is known by its name.
	Label struct {
		ID     uint
		Name   string   `gorm:"size:40;unique"`
		Owners []*Owner `gorm:"many2many:owner_labels"`
	}

	// Note has no natural key: nothing but its own key tells two of them apart.
	Note struct {
		ID  uint
		Tag string `gorm:"size:40;index"`
	}

	// OwnerMark is the join row of marks.
	OwnerMark struct {
		ID      uint
		OwnerID uint `gorm:"index"`
		LabelID uint
	}
)

// The tables, by the names that GORM gives them.
const (
	owners, labels, notes               = "owners", "labels", "notes"
	ownerLabels, ownerNotes, ownerMarks = "owner_labels", "owner_notes", "owner_marks"
)

// storedLabels are there before anybody writes, with the keys 1, 2, and so on.
const storedLabels = 60

func storedName(id uint) string { return fmt.Sprintf("stored-%d", id) }

// joinModel has GORM know the join row of marks.
func joinModel(db *gorm.DB) error { return db.SetupJoinTable(&Owner{}, "Marks", &OwnerMark{}) }

// seed makes the tables and what is stored before the run, past proxies and plugin.
func (s *server) seed(ctx context.Context, p *plan) error {
	db, err := gorm.Open(s.dialector(s.Addr()), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	defer pool.Close()
	db = db.WithContext(ctx)
	if err := joinModel(db); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	if err := db.AutoMigrate(&Owner{}, &Label{}, &Note{}); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	var rows [3][]string
	seen := map[uint]bool{}
	for _, c := range slices.Concat(p.calls...) {
		for _, id := range c.owners {
			if !seen[id] {
				seen[id] = true
				rows[0] = append(rows[0], fmt.Sprintf("(%d,'%s','2020-01-01')", id, ownerTag(id)))
			}
		}
		for _, t := range c.before {
			rows[2] = append(rows[2], fmt.Sprintf("(%d,%d)", c.owners[0], t.id))
		}
	}
	for id := range uint(storedLabels) {
		rows[1] = append(rows[1], fmt.Sprintf("(%d,'%s')", id+1, storedName(id+1)))
	}
	for i, insert := range []string{
		"INSERT INTO owners (id, tag, updated_at) VALUES ", "INSERT INTO labels (id, name) VALUES ",
		"INSERT INTO owner_labels (owner_id, label_id) VALUES ",
	} {
		for chunk := range slices.Chunk(rows[i], 1000) {
			if err := db.Exec(insert + strings.Join(chunk, ",")).Error; err != nil {
				return fmt.Errorf("faults: %w", err)
			}
		}
	}
	for _, statement := range s.seeded {
		if err := db.Exec(statement).Error; err != nil {
			return fmt.Errorf("faults: %w", err)
		}
	}
	return nil
}

func ownerTag(id uint) string { return fmt.Sprintf("owner-%d", id) }
