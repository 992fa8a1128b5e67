package linear

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// CheckThenInsert is what apps write by hand.
var CheckThenInsert = App{Append: checkThenInsert}

// checkThenInsert looks whether a pair is stored and inserts it if it isn't, in one
// transaction.
func checkThenInsert(db *gorm.DB, p Pairs) (told Told, err error) {
	err = db.Transaction(func(tx *gorm.DB) error {
		for target := range p.Targets.each() {
			var stored int64
			if err := tx.Model(&Loose{}).Where("owner_id = ? AND target_id = ?", p.Owner, target).Count(&stored).Error; err != nil {
				return err
			}
			if stored > 0 {
				told.Old |= of(target)
				continue
			}
			if err := tx.Create(&Loose{OwnerID: p.Owner, TargetID: target}).Error; err != nil {
				return err
			}
			told.New |= of(target)
		}
		return nil
	})
	return told, err
}

// The checker can fail: of 50 such histories on each database it rejected 50.
func TestCheckThenInsertIsRejected(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			h, err := workload(t).Run(CheckThenInsert, connect(t, database, WithoutKey, false, clients)...)
			require.NoError(t, err)
			require.Equal(t, porcupine.Illegal, h.Check(checkLimit))
		})
	}
}

// It is the race that is rejected: one client alone has none.
func TestCheckThenInsertByOneClientIsLinearizable(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			h, err := workload(t).Run(CheckThenInsert, connect(t, database, WithoutKey, false, 1)...)
			require.NoError(t, err)
			linearizable(t, h)
		})
	}
}
