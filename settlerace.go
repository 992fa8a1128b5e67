package m2msafe

import (
	"reflect"
	"slices"

	"gorm.io/gorm"
)

// settleRace is settle where an insert fails if somebody was faster, and leaves
// the transaction as it was. Of the targets of such an insert, those that are
// stored by now have lost; the others are inserted again, without their hooks,
// which have run. What no natural key explains is the insert's error.
func (c *creation) settleRace(db *gorm.DB) error {
	failed := db.Error
	if failed == nil || !violates(c.links.db, failed, gorm.ErrDuplicatedKey) {
		return c.readBack(db)
	}
	c.links.current = true // from here on: what has won is newer than the snapshot
	targets := make([]reflect.Value, db.Statement.ReflectValue.Len())
	for i := range targets {
		targets[i] = db.Statement.ReflectValue.Index(i)
	}
	db.Error = nil
	won, err := c.again(db, targets, failed)
	if err != nil {
		return err
	}
	db.Statement.ReflectValue = c.rows(db, won)
	db.RowsAffected = int64(len(won))
	return nil
}

// maxAlone is how often a single target is inserted again that no natural key of its
// explains.
const maxAlone = 3

// again ends an insert of targets that has failed, and returns those that this
// call has inserted in the end.
func (c *creation) again(db *gorm.DB, targets []reflect.Value, failed error) (won []reflect.Value, err error) {
	var lost, left []reflect.Value
	var rows []found
	for _, target := range targets {
		c.reset(db, target)
	}
	stored, err := c.links.lookup(targets)
	if err != nil {
		return nil, err
	}
	for i, target := range targets {
		if stored[i].row.IsValid() {
			lost, rows = append(lost, target), append(rows, stored[i])
		} else {
			left = append(left, target)
		}
	}
	if err := c.links.lost(lost, rows); err != nil {
		return nil, err
	}
	switch {
	case len(left) == 0:
		return nil, nil
	case len(left) < len(targets):
		return c.insert(db, left)
	case len(left) == 1 && c.alone < maxAlone:
		// A number that two nodes of a cluster have given out ends that way too. The
		// next one is another.
		c.alone++
		return c.insert(db, left)
	case len(left) == 1:
		err := c.links.failure(ErrTargetNotStored, failed, "it could not be created: another row has one of its unique values")
		err.Targets = [][]any{c.links.values(false, element{target: left[0]})}
		return nil, err
	}
	// None is stored: they meet each other (Go and go, to a collation), or another
	// key.
	for _, target := range left {
		one, err := c.insert(db, []reflect.Value{target})
		if err != nil {
			return nil, err
		}
		won = append(won, one...)
	}
	return won, nil
}

// insert runs GORM's insert of targets anew.
func (c *creation) insert(db *gorm.DB, targets []reflect.Value) (won []reflect.Value, err error) {
	db.Statement.ReflectValue = c.rows(db, targets)
	db.Statement.SQL.Reset()
	db.Statement.Vars = nil
	db.Callback().Create().Get(insert)(db)
	failed := db.Error
	db.Error = nil
	switch {
	case failed == nil:
		c.alone = 0
		return targets, c.readBack(db)
	case violates(c.links.db, failed, gorm.ErrDuplicatedKey):
		return c.again(db, targets, failed)
	default:
		return nil, failed
	}
}

func (c *creation) rows(db *gorm.DB, targets []reflect.Value) reflect.Value {
	rows := reflect.MakeSlice(db.Statement.ReflectValue.Type(), 0, len(targets))
	return reflect.Append(rows, targets...)
}

// readBack finds the keys of several rows that were inserted at once, where the
// database tells the first one's and GORM counts it up.
func (c *creation) readBack(db *gorm.DB) error {
	n := db.Statement.ReflectValue.Len()
	if db.Error != nil || n < 2 || !c.links.countsUp() {
		return nil
	}
	targets := make([]reflect.Value, n)
	for i := range targets {
		targets[i] = db.Statement.ReflectValue.Index(i)
		c.reset(db, targets[i])
	}
	rows, err := c.links.lookup(targets)
	if err != nil {
		return err
	}
	for i, target := range targets {
		if !rows[i].row.IsValid() {
			err := c.links.failure(ErrTargetNotStored, nil, "it was inserted, and its natural key finds nothing")
			err.Targets = [][]any{c.links.primary(target)}
			return err
		}
	}
	return c.links.adopt(targets, rows, true)
}

// countsUp says whether GORM counts up the keys of rows that it inserts at once:
// it has no RETURNING there, and the steps that the database counts in are the
// server's setting.
func (l *links) countsUp() bool {
	return l.races() && !slices.Contains(l.db.Callback().Create().Clauses, "RETURNING")
}
