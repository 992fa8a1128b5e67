package m2msafe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// rowState is a row that a dialect's statement returns.
type rowState struct {
	Row int    `gorm:"column:n"`
	S   string `gorm:"column:s"`
}

func (r rowState) state() dialect.State {
	if r.S == "" {
		return 0
	}
	return dialect.State(r.S[0])
}

// states runs one of a dialect's statements.
func (l *links) states(call *dialect.Call, build func(clause.Builder, *dialect.Call) error) ([]rowState, error) {
	var all []rowState
	err := l.chunks(call, func(part *dialect.Call, from int) error {
		var states []rowState
		err := run(l.db, &states, func(b clause.Builder) error { return build(b, part) })
		for _, s := range states {
			s.Row += from
			all = append(all, s)
		}
		return err
	})
	return all, err
}

// chunks calls f for as many rows of a call at a time as fit one statement of
// the dialect, with the number of the first.
func (l *links) chunks(call *dialect.Call, f func(part *dialect.Call, from int) error) error {
	chunk := l.plan.dialect.Chunk(call.Columns())
	if chunk == 0 {
		chunk = call.N
	}
	for from := 0; from < call.N; from += chunk {
		if err := f(call.Cut(from, min(from+chunk, call.N)), from); err != nil {
			return l.databaseError(err)
		}
	}
	return nil
}

// databaseError wraps what the database said of a statement of the plugin's.
// Unless it is about rows the plan may be out of date.
func (l *links) databaseError(err error) error {
	e := l.failure(nil, err, "")
	if e.gormErr == nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		l.forget()
	}
	owner := l.pairs[0].owner
	if !slices.ContainsFunc(l.pairs, func(p pair) bool { return p.owner != owner }) {
		e.Owner = l.values(true, l.pairs[0].element)
	}
	return e
}

// atomically runs f in a transaction: the one there is, or else, if it is
// needed, one of its own.
func (l *links) atomically(needed bool, f func() error) error {
	if _, inside := l.db.Statement.ConnPool.(gorm.TxCommitter); inside || !needed || l.db.DryRun {
		return f()
	}
	return l.db.Session(&gorm.Session{NewDB: true}).Transaction(func(tx *gorm.DB) error {
		// As GORM's own BeginTransaction: everything below takes the
		// statement's connection.
		outer := l.db.Statement.ConnPool
		l.db.Statement.ConnPool = tx.Statement.ConnPool
		defer func() { l.db.Statement.ConnPool = outer }()
		return f()
	})
}

// run builds a statement and runs it through GORM's query processor, or its raw
// one where no rows are wanted, so that loggers, tracing and connection
// resolvers see it as any other. Nothing is run if nothing was built.
func run(db *gorm.DB, dest any, build func(clause.Builder) error) error {
	tx := db.Session(&gorm.Session{NewDB: true, Initialized: true})
	tx.Statement.SkipHooks = true // AfterFind, where join rows are read back
	if err := build(tx.Statement); err != nil {
		return err
	}
	if tx.Statement.SQL.Len() == 0 {
		return nil
	}
	if dest == nil {
		return tx.Callback().Raw().Execute(tx).Error
	}
	tx.Statement.Dest = dest
	return tx.Callback().Query().Execute(tx).Error
}

// querier runs the catalogue's statements on db's connection, DryRun or not:
// they only read.
func querier(db *gorm.DB) catalog.Query {
	return func(sqlText string, vars ...any) (*sql.Rows, error) {
		rows, err := db.Statement.ConnPool.QueryContext(db.Statement.Context, sqlText, vars...)
		if err != nil {
			return nil, fmt.Errorf("reading the catalogue: %w", err)
		}
		return rows, nil
	}
}
