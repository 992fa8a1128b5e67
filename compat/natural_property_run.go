package compat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/m2msafe/m2msafe"
)

// modelled makes random calls, each on tables of its own content.
func modelled(living bool) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db := e.DB(t)
		require.NoError(t, db.AutoMigrate(&Specimen{}, &Cabinet{}))
		exec(t, db, `INSERT INTO cabinets (title) VALUES ('one')`)
		if living {
			predicates(t, db)
		}
		where := map[bool]string{true: ` WHERE deleted_at IS NULL`}[living]
		exec(t, db, `CREATE UNIQUE INDEX specimens_name ON specimens (name)`+where)
		exec(t, db, `CREATE UNIQUE INDEX specimens_code ON specimens (code)`+where)
		rapid.Check(t, func(r *rapid.T) {
			c, s := draw(r, living)
			check(t, r, db, c, s)
		})
	}
}

// check makes a call on the database and on the model, and compares rows, links,
// elements and errors.
func check(t *testing.T, r *rapid.T, db *gorm.DB, c *collection, s scenario) {
	keys := c.store(t, db)
	elems := make([]*Specimen, len(s.elems))
	for i, elem := range s.elems {
		if s.same[i] >= 0 {
			elems[i] = elems[s.same[i]]
			continue
		}
		elems[i] = &Specimen{Name: optional(elem.name), Code: optional(elem.code), Note: elem.note}
		if elem.row > 0 {
			elems[i].ID = keys[elem.row-1]
		}
	}
	before := c.stored(t, db)
	opts := []m2msafe.Option{m2msafe.DeletedTargets(s.policy)}
	if s.only {
		opts = append(opts, m2msafe.KeysOnly())
	}
	if db.Name() == "mysql" && s.form == "Save" {
		// An update that changes nothing has no RowsAffected there: GORM's Save goes on
		// to a create without hooks, and nobody comes in between.
		s.loses = false
	}
	with, memory := m2msafe.With(db, opts...), len(c.rows)
	of, errs := c.apply(s)
	if s.loses && len(c.rows) > memory {
		c.rows[memory].note = "winner"
		with = losing(with, c.rows[memory])
	}

	var err error
	if s.inside == "" {
		err = s.run(with, elems)
	} else {
		ended := with.Transaction(func(tx *gorm.DB) error {
			if err = s.run(tx, elems); err != nil {
				usable(t, tx)
			}
			return map[bool]error{true: errHook}[s.inside == "rollback"]
		})
		require.Equal(r, s.inside == "rollback", ended != nil)
	}

	if len(errs) > 0 {
		require.Error(r, err, "one of %v", errs)
		expected := false
		for _, sentinel := range errs {
			expected = expected || errors.Is(err, sentinel)
		}
		require.True(r, expected, "%v is none of %v", err, errs)
		require.Equal(r, before, c.stored(t, db), "an error leaves nothing behind")
		return
	}
	require.NoError(r, err)
	if s.inside == "rollback" {
		require.Equal(r, before, c.stored(t, db), "the caller's rollback takes all along")
		return
	}
	for row := memory; row < len(c.rows); row++ {
		// A new row's key is what its first element says, and its columns are
		// those of any of its elements.
		key := elems[slices.Index(of, row)].ID
		require.NotContains(r, keys, key, "row %d", row)
		keys = append(keys, key)
		for i, elem := range s.elems {
			was := c.rows[row]
			if c.rows[row] = elem; of[i] != row || was.note == "winner" || !slices.Contains(c.stored(t, db), c.line(row, key)) {
				c.rows[row] = was
			}
		}
	}
	require.Equal(r, c.expected(keys), c.stored(t, db))
	for i, elem := range elems {
		row, given := c.rows[of[i]], s.elems[i]
		if s.only || given.row > 0 {
			row = given
		}
		require.Equal(r, Specimen{ID: keys[of[i]], Name: optional(row.name), Code: optional(row.code), Note: row.note}, *elem, "element %d", i)
	}
}

// losing is db with a row that is stored before the first target is created. It
// is in the call's own transaction, so that it goes with it.
func losing(db *gorm.DB, winner specimen) *gorm.DB {
	var once sync.Once
	return db.WithContext(context.WithValue(context.Background(), intruderKey{}, func(tx *gorm.DB) (err error) {
		once.Do(func() {
			err = tx.Session(&gorm.Session{NewDB: true, SkipHooks: true}).
				Create(&Specimen{Name: optional(winner.name), Code: optional(winner.code), Note: winner.note}).Error
		})
		return err
	}))
}

// store makes the tables hold what the model does, and returns the rows' keys.
func (c *collection) store(t *testing.T, db *gorm.DB) []uint {
	exec(t, db, `DELETE FROM cabinet_specimens`)
	exec(t, db, `DELETE FROM specimens`)
	keys := make([]uint, len(c.rows))
	for i, row := range c.rows {
		var deleted any
		if row.dead {
			deleted = past
		}
		exec(t, db, `INSERT INTO specimens (name, code, note, deleted_at) VALUES (?, ?, ?, ?)`, optional(row.name), optional(row.code), row.note, deleted)
		require.NoError(t, db.Raw(native(db, `SELECT max(id) FROM specimens`)).Scan(&keys[i]).Error)
		if c.links[i] {
			exec(t, db, `INSERT INTO cabinet_specimens VALUES (1, ?)`, keys[i])
		}
	}
	return keys
}

// stored is what the tables hold, expected what the model does.
func (c *collection) stored(t *testing.T, db *gorm.DB) []string {
	return rows(t, db, `SELECT id, COALESCE(name, ''), COALESCE(code, ''), note, CASE WHEN deleted_at IS NULL THEN 'alive' ELSE 'dead' END,
		(SELECT COUNT(*) FROM cabinet_specimens WHERE specimen_id = id) FROM specimens ORDER BY id`)
}

func (c *collection) expected(keys []uint) []string {
	lines := make([]string, len(c.rows))
	order := make([]int, len(c.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	for line, i := range order {
		lines[line] = c.line(i, keys[i])
	}
	return lines
}

// line is a row of the model's as stored shows it.
func (c *collection) line(row int, key uint) string {
	state, links := "alive", 0
	if c.rows[row].dead {
		state = "dead"
	}
	if c.links[row] {
		links = 1
	}
	return fmt.Sprintf("%d|%s|%s|%s|%s|%d", key, c.rows[row].name, c.rows[row].code, c.rows[row].note, state, links)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// run makes the call.
func (s scenario) run(db *gorm.DB, elems []*Specimen) error {
	one := &Cabinet{ID: 1}
	if s.omit {
		db = db.Omit("Specimens.*", "Samples.*").Session(&gorm.Session{})
	}
	switch s.form {
	case "Append values":
		values := make([]Specimen, len(elems))
		for i := range elems {
			values[i] = *elems[i]
		}
		err := db.Model(one).Association("Samples").Append(values)
		for i := range elems {
			*elems[i] = values[i]
		}
		return err
	case "Append pointers one by one":
		args := make([]any, len(elems))
		for i := range elems {
			args[i] = elems[i]
		}
		return db.Model(one).Association("Specimens").Append(args...)
	case "Replace":
		return db.Model(one).Association("Specimens").Replace(elems)
	case "Save":
		return db.Save(&Cabinet{ID: 1, Title: "saved", Specimens: elems}).Error
	case "Updates":
		return db.Updates(&Cabinet{ID: 1, Title: "updated", Specimens: elems}).Error
	case "gorm.G":
		args := make([]any, len(elems))
		for i := range elems {
			args[i] = elems[i]
		}
		return genericSet[Cabinet](db.Statement.Context, db, "Specimens", args...)
	default:
		return db.Model(one).Association("Specimens").Append(elems)
	}
}
