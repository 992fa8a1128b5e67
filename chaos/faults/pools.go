package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// poolKind is how an app has set GORM up. Each has a pool and a proxy of its own.
type poolKind struct {
	name   string
	config gorm.Config
	open   bool // it does without GORM's default transaction
	abrupt bool // connections that the proxy ends are reset
}

var pools = []poolKind{
	{name: "default", abrupt: true},
	{name: "PrepareStmt", config: gorm.Config{PrepareStmt: true}},
	{name: "TranslateError", config: gorm.Config{TranslateError: true}, abrupt: true},
	{name: "SkipDefaultTransaction", config: gorm.Config{SkipDefaultTransaction: true}, open: true},
}

// poolOf is the number of a writer's pool.
func poolOf(writer int) int { return writer % len(pools) }

// pool is one, with the plugin in use.
type pool struct {
	name  string
	proxy *proxy
	db    *gorm.DB
	sql   *sql.DB
}

// openPool opens one for so many writers.
func openPool(kind *poolKind, s *server, writers int) (_ *pool, err error) {
	p := &pool{name: kind.name}
	if p.proxy, err = newProxy(kind.name, s.Addr(), kind.abrupt); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.proxy.proxy.Stop()
		}
	}()
	config := kind.config
	config.Logger = logger.Discard
	if p.db, err = gorm.Open(s.dialector(p.proxy.addr()), &config); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if p.sql, err = p.db.DB(); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	p.sql.SetMaxOpenConns(max(2, writers))
	p.sql.SetMaxIdleConns(max(2, writers))
	if err = errors.Join(p.db.Use(m2msafe.New()), joinModel(p.db), watchPoints(p.db)); err != nil {
		return nil, errors.Join(fmt.Errorf("faults: %w", err), p.sql.Close())
	}
	return p, nil
}

// close closes its connections, and then its proxy.
func (p *pool) close() error {
	_ = p.sql.Close() // some connections are cut: they can't say goodbye
	return limited(func() error { p.proxy.proxy.Stop(); return nil })
}

// settleLimit is how long what was begun may take to end once nobody works any more: a
// transaction whose context has ended is rolled back behind the caller's back, a
// session whose connection is cut hears of it when it reads the next time.
const settleLimit = 10 * time.Second

// atRest says what is left open by the app while no call is being made.
func (r *run) atRest(ctx context.Context) error {
	busy, err := eventually(ctx, r.settle, func() (list []string, _ error) {
		for _, p := range r.pools {
			if n := p.sql.Stats().InUse; n > 0 {
				list = append(list, fmt.Sprintf("pool %s: %d in use", p.name, n))
			}
		}
		return list, nil
	})
	r.leaks(leftInUse, busy)
	if err != nil {
		return err
	}
	open, err := eventually(ctx, r.settle, func() ([]string, error) { return r.server.texts(ctx, r.server.open) })
	r.leaks(leftOpen, open)
	return err
}

func (r *run) leaks(invariant string, list []string) {
	for _, what := range list {
		r.broken = append(r.broken, Broken{invariant, what})
	}
}
