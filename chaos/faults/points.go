package faults

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// points counts where a call is: in front of BEGIN, of each of its statements and of
// COMMIT, and behind that. A call passes them one after the other.
type points struct {
	passed int
	at     int // where to fire; -1 is nowhere
	fire   func()
	// committing says that nothing was left to do but COMMIT.
	committing bool
}

type pointsKey struct{}

// with gives a call's context its points.
func (p *points) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, pointsKey{}, p)
}

// passPoint is the callback.
func passPoint(db *gorm.DB) {
	p, ok := db.Statement.Context.Value(pointsKey{}).(*points)
	if !ok {
		return
	}
	if p.passed == p.at && p.fire != nil {
		p.fire()
	}
	p.passed++
}

// passCommit is the callback in front of COMMIT, or ROLLBACK. It is run of nested
// statements too, whose transaction is another's.
func passCommit(db *gorm.DB) {
	p, ok := db.Statement.Context.Value(pointsKey{}).(*points)
	if _, own := db.InstanceGet("gorm:started_transaction"); ok && own && db.Error == nil {
		p.committing = true
	}
	passPoint(db)
}

// passLast is what a transaction around several calls passes in front of its COMMIT,
// if they have not failed.
func passLast(tx *gorm.DB, err error) error {
	if err != nil {
		return err
	}
	if p, ok := tx.Statement.Context.Value(pointsKey{}).(*points); ok {
		p.committing = true
	}
	passPoint(tx)
	return nil
}

// watchPoints registers it. By its name the plugin takes it for a callback of GORM's
// own, which only watch: any other would keep calls from its shorter way.
func watchPoints(db *gorm.DB) error {
	// registrar is what GORM's unexported callback type offers.
	type registrar interface {
		Register(name string, fn func(*gorm.DB)) error
	}
	c := db.Callback()
	before := map[string][]registrar{
		"statement": {
			c.Create().Before("gorm:create"), c.Update().Before("gorm:update"), c.Delete().Before("gorm:delete"),
			c.Query().Before("gorm:query"), c.Row().Before("gorm:row"), c.Raw().Before("gorm:raw"),
		},
	}
	if !db.SkipDefaultTransaction {
		const begin, commit = "gorm:begin_transaction", "gorm:commit_or_rollback_transaction"
		before["begin"] = []registrar{c.Create().Before(begin), c.Update().Before(begin), c.Delete().Before(begin)}
		before["commit"] = []registrar{c.Create().Before(commit), c.Update().Before(commit), c.Delete().Before(commit)}
		before["committed"] = []registrar{c.Create().After(commit), c.Update().After(commit), c.Delete().After(commit)}
	}
	var errs []error
	for name, all := range before {
		for _, r := range all {
			pass := passPoint
			if name == "commit" {
				pass = passCommit
			}
			if err := r.Register("gorm:chaos_"+name, pass); err != nil {
				errs = append(errs, fmt.Errorf("faults: callback %s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}
