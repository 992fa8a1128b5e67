package m2msafe

import (
	"errors"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// races says whether others may write between the statements that find and those
// that write: see [dialect.Racer].
func (l *links) races() bool {
	_, races := l.plan.dialect.(dialect.Racer)
	return races
}

// violates says whether a database error is one that GORM has a sentinel for.
func violates(db *gorm.DB, err, sentinel error) bool {
	return err != nil && (errors.Is(err, sentinel) || errors.Is(gormSentinel(db, err), sentinel))
}

// errChanged says that pairs are no longer what was found: they are to be looked
// for again.
var errChanged = errors.New("m2msafe: pairs have changed")

// maxChanges bounds how often that is believed.
const maxChanges = 20

// insert writes the pairs where others may be faster. What they have linked
// meanwhile is left out; if that explains nothing the error is the caller's.
func (l *links) insert(call *dialect.Call, rows []int) error {
	for part := range slices.Chunk(rows, l.plan.dialect.Chunk(call.Columns())) {
		for len(part) > 0 {
			picked := call.Pick(part)
			changed, failed := exec(l.db, func(b clause.Builder) error { return l.plan.dialect.Write(b, picked) })
			if failed == nil {
				if changed > 0 {
					l.outcome(part, Created)
				}
				break
			}
			if !violates(l.db, failed, gorm.ErrDuplicatedKey) && !violates(l.db, failed, gorm.ErrForeignKeyViolated) {
				return l.databaseError(failed)
			}
			link := *call.Link
			link.Dead = l.plan.link.Dead // one that has been made and deleted meanwhile
			picked = picked.Of(&link)
			picked.Lock = dialect.Shared
			states, err := l.states(picked, l.plan.dialect.Find)
			if err != nil {
				return err
			}
			var left []int
			for _, s := range states {
				if s.state != dialect.New {
					return errChanged
				}
				left = append(left, part[s.row])
			}
			if len(left) == len(part) {
				return l.databaseError(failed)
			}
			slices.Sort(left)
			part = left
		}
	}
	return nil
}

// stillDead locks dead join rows, and returns those that nobody has revived or
// deleted meanwhile.
func (l *links) stillDead(call *dialect.Call, dead []int) ([]int, error) {
	picked := call.Pick(dead)
	picked.Lock = dialect.ForUpdate
	states, err := l.states(picked, l.plan.dialect.Find)
	var still []int
	for _, s := range states {
		if s.state == dialect.Dead {
			still = append(still, dead[s.row])
		}
	}
	return still, err
}

// hold locks both ends of the pairs before they are inserted, if the owner is going
// to be updated behind that. An insert locks the rows that it refers to, and would
// stand in the way of another's update of the same row, and that in its own. The
// ends are locked in one order, of the tables' names, whichever side appends.
func (l *links) hold(call *dialect.Call) error {
	guard, ok := l.plan.dialect.(dialect.Guard)
	if !ok || !l.races() || call.Owner.Lock == "" || l.plan.link.Guarded {
		return nil
	}
	return l.chunks(call, func(part *dialect.Call, _ int) error {
		return run(l.db, ignore, func(b clause.Builder) error { return guard.Hold(b, part) })
	})
}
