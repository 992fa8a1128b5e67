package m2msafe_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

type (
	// CountedTarget counts the creates that it hears of.
	CountedTarget struct {
		ID      uint
		Created int `gorm:"-"`
	}
	// CountingOwner links it.
	CountingOwner struct {
		ID      uint
		Targets []*CountedTarget `gorm:"many2many:counting_owner_targets"`
	}
	// KeylessOwner has a unique name, and no primary key.
	KeylessOwner struct {
		Name         string         `gorm:"unique"`
		Publications []*Publication `gorm:"many2many:keyless_owner_publications;foreignKey:Name"`
	}
)

// BeforeCreate counts.
func (c *CountedTarget) BeforeCreate(*gorm.DB) error {
	c.Created++
	return nil
}

// Equal elements in front of the one that is not stored are one pair of a report,
// and must not have another one created in its stead.
func TestOnlyTheTargetThatIsNotStoredIsCreated(t *testing.T) {
	for name, opts := range map[string][]m2msafe.Option{"no report": nil, "a report": {m2msafe.ReportTo(new(m2msafe.Report))}} {
		t.Run(name, func(t *testing.T) {
			db, rec := recorded(t, &gorm.Config{})
			require.NoError(t, db.AutoMigrate(&CountedTarget{}, &CountingOwner{}))
			exec(t, db, `INSERT INTO counting_owners VALUES (1); INSERT INTO counted_targets VALUES (2)`)
			targets := []*CountedTarget{{ID: 2}, {ID: 2}, {ID: 2}, {ID: 9}}
			rec.take()
			require.NoError(t, m2msafe.With(db, opts...).Model(&CountingOwner{ID: 1}).Association("Targets").Append(targets))
			assert.Equal(t, []string{"link", "BEGIN", "INSERT counted_targets", "link", "COMMIT"}, withoutPlan(rec.take()))
			for i, created := range []int{0, 0, 0, 1} {
				assert.Equal(t, created, targets[i].Created, "element %d", i)
			}
			assert.Equal(t, []string{"2", "9"}, stored(t, db, `SELECT counted_target_id FROM counting_owner_targets ORDER BY 1`))
		})
	}
}

func TestAnOwnerWithoutAPrimaryKeyIsLinkedOnce(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	require.NoError(t, db.AutoMigrate(&KeylessOwner{}))
	exec(t, db, `INSERT INTO keyless_owners VALUES ('n')`)
	rec.take()
	for range 2 {
		require.NoError(t, db.Model(&KeylessOwner{Name: "n"}).Association("Publications").Append(&Publication{ID: 2}))
		assert.Equal(t, []string{"link"}, withoutPlan(rec.take()), "and nothing of GORM's own")
	}
	assert.Equal(t, []string{"n|2"}, stored(t, db, `SELECT * FROM keyless_owner_publications`))
}
