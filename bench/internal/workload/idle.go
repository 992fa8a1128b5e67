package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

// idleCases are statements that have no many-to-many relation to save: what the
// plugin costs those who don't use it.
func idleCases(ctx context.Context, b *Bench, run func(Case) error) error {
	statements := []struct {
		name string
		do   func(db *gorm.DB, i int) error
	}{
		{"create/relation=none", func(db *gorm.DB, i int) error {
			return db.Create(&contender.Note{Title: title(i), Text: "text"}).Error
		}},
		{"create/relation=empty", func(db *gorm.DB, i int) error {
			return db.Create(&contender.PlainUser{Name: title(i)}).Error
		}},
		{"update/relation=none", func(db *gorm.DB, i int) error {
			return db.Updates(&contender.Note{ID: int64(i + 1), Title: title(i), Text: "text"}).Error
		}},
		{"update/relation=empty", func(db *gorm.DB, i int) error {
			return db.Updates(&contender.PlainUser{ID: int64(i + 1), Name: title(i)}).Error
		}},
	}
	dbs := make(map[string]*gorm.DB)
	closeAll := func() error {
		var errs []error
		for _, db := range dbs {
			pool, err := db.DB()
			errs = append(errs, err, pool.Close())
		}
		return errors.Join(errs...)
	}
	for _, name := range []string{contender.Stock, contender.Plugin} {
		db, err := contender.OpenGORM(contender.Server{DSN: b.DSN, Conns: 1}, name == contender.Plugin)
		if err != nil {
			return errors.Join(err, closeAll())
		}
		dbs[name] = db
	}
	for _, s := range statements {
		c := Case{Name: "Idle/call=" + s.name, Rounds: b.Size.Idle.Rounds}
		for _, name := range []string{contender.Stock, contender.Plugin} {
			calls := make([]contender.Call, b.Size.Idle.Calls)
			for i := range calls {
				calls[i] = func(ctx context.Context) error { return s.do(dbs[name].WithContext(ctx), i) }
			}
			c.Entries = append(c.Entries, Entry{name, func(ctx context.Context, _ *rand.Rand) (Sample, error) {
				if err := calls[0](ctx); err != nil {
					return Sample{}, err
				}
				return measure(ctx, calls)
			}})
		}
		if err := run(c); err != nil {
			return errors.Join(err, closeAll())
		}
	}
	return closeAll()
}

func title(i int) string { return fmt.Sprintf("title %d", i) }
