package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// writer makes calls, one after the other.
type writer struct {
	number int
	rng    *rand.Rand
	made   int
	extra  int // for tests
}

func (w *writer) owner() *Owner { return &Owner{ID: uint(1 + w.rng.IntN(storedOwners))} }

// keyed are some stored labels as an app has them that has loaded them; named as one
// that knows their names.
func (w *writer) keyed() (list []*Label) {
	for range 1 + w.rng.IntN(5) {
		id := 1 + w.rng.IntN(storedLabels)
		list = append(list, &Label{ID: uint(id), Name: labelName(id)})
	}
	return list
}

func (w *writer) named() (list []*Label) {
	for _, l := range w.keyed() {
		list = append(list, &Label{Name: l.Name})
	}
	return list
}

// fresh is a name that no row has.
func (w *writer) fresh() string {
	w.made++
	return fmt.Sprintf("new-%d-%d", w.number, w.made)
}

// calls are what a writer draws from. Each leaves as many rows as it has found.
var calls = []func(w *writer, db *gorm.DB) error{
	func(w *writer, db *gorm.DB) error { return labels(db, w.owner()).Append(w.keyed()) },
	func(w *writer, db *gorm.DB) error { return labels(db, w.owner()).Append(w.named()) },
	(*writer).unlink, (*writer).unlink,
	func(w *writer, db *gorm.DB) error { return labels(db, w.owner()).Replace(w.keyed()) },
	func(w *writer, db *gorm.DB) error {
		return db.Model(w.keyed()[0]).Association("Owners").Append(w.owner())
	},
	func(w *writer, db *gorm.DB) error { return labels(db, w.owner()).Find(&[]Label{}) },
	(*writer).report, (*writer).create, (*writer).target, (*writer).transaction, (*writer).callers,
	(*writer).getOrCreate, (*writer).bulk, (*writer).refused,
}

func labels(db *gorm.DB, owner *Owner) *gorm.Association {
	return db.Model(owner).Association("Labels")
}

func (w *writer) unlink(db *gorm.DB) error {
	return labels(db, w.owner()).Delete(w.keyed())
}

// untilItStands runs a Delete of models, which the plugin has no part in, again if it
// lost.
func untilItStands(call func() error) (err error) {
	for range 20 {
		var postgres *pgconn.PgError
		var mariadb *mysql.MySQLError
		switch err = call(); {
		case errors.As(err, &postgres) && postgres.Code == "40P01":
		case errors.As(err, &mariadb) && mariadb.Number == 1213:
		default:
			return err
		}
	}
	return err
}

func (w *writer) report(db *gorm.DB) error {
	var report m2msafe.Report
	err := labels(m2msafe.With(db, m2msafe.ReportTo(&report), m2msafe.Retries(20)), w.owner()).Append(w.keyed())
	if err == nil && len(report.Links()) == 0 {
		return errors.New("soak: an empty report")
	}
	return err
}

// create is an owner's life.
func (w *writer) create(db *gorm.DB) error {
	owner := &Owner{Name: w.fresh(), Labels: append(w.keyed(), w.named()...)}
	if err := db.Create(owner).Error; err != nil {
		return err
	}
	return untilItStands(func() error { return db.Select("Labels").Delete(owner).Error })
}

// target is a label's life.
func (w *writer) target(db *gorm.DB) error {
	label := &Label{Name: w.fresh()}
	if err := labels(db, w.owner()).Append(label); err != nil {
		return err
	}
	return untilItStands(func() error { return db.Select("Owners").Delete(label).Error })
}

func (w *writer) transaction(db *gorm.DB) error {
	return m2msafe.Transaction(db.Statement.Context, db, func(tx *gorm.DB) error {
		if err := labels(tx, w.owner()).Append(w.keyed()); err != nil {
			return err
		}
		return labels(tx, w.owner()).Append(w.named())
	}, m2msafe.Retries(20))
}

var errGivenUp = errors.New("soak: given up")

// callers is a transaction of the caller's, which is rolled back.
func (w *writer) callers(db *gorm.DB) error {
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := labels(tx, w.owner()).Append(append(w.named(), &Label{Name: w.fresh()})); err != nil {
			return err
		}
		return errGivenUp
	})
	if errors.Is(err, errGivenUp) || errors.Is(err, m2msafe.ErrRetry) {
		return nil
	}
	return err
}

func (w *writer) getOrCreate(db *gorm.DB) error {
	ctx, label := db.Statement.Context, &Label{Name: w.fresh()}
	for _, created := range []bool{true, false} {
		again := &Label{Name: label.Name}
		if is, err := m2msafe.GetOrCreate(ctx, db, again); err != nil || is != created {
			return errors.Join(err, fmt.Errorf("soak: created is %v, not %v", is, created))
		}
		label = again
	}
	return untilItStands(func() error { return db.Delete(label).Error })
}

func (w *writer) bulk(db *gorm.DB) error {
	ctx, owner := db.Statement.Context, w.owner().ID
	if _, err := m2msafe.LinkKeys(ctx, db, &Owner{}, "Labels", owner, uint(1), uint(2), uint(3)); err != nil {
		return err
	}
	_, err := m2msafe.LinkPairs(ctx, db, &Owner{}, "Labels", func(yield func(uint, uint) bool) {
		for _, label := range w.keyed() {
			if !yield(owner, label.ID) {
				return
			}
		}
	})
	return err
}

// refused is a call that has to fail.
func (w *writer) refused(db *gorm.DB) error {
	err := labels(db.Omit("Labels.*"), w.owner()).Append(&Label{ID: 1 << 30})
	if !errors.Is(err, m2msafe.ErrTargetNotStored) {
		return fmt.Errorf("soak: a target that is not stored: %w", err)
	}
	return nil
}

// hurried is a call whose context may end at any point.
func (w *writer) hurried(db *gorm.DB) error {
	ctx, cancel := context.WithTimeout(db.Statement.Context, time.Duration(w.rng.IntN(3000))*time.Microsecond)
	defer cancel()
	err := labels(db.WithContext(ctx), w.owner()).Append(w.named())
	var dial net.Error
	if ctx.Err() != nil || errors.As(err, &dial) && dial.Timeout() { // which is given up a moment before
		return nil
	}
	return err
}
