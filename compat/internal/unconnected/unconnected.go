// Package unconnected is a pool of database/sql without a database: it keeps what it is
// sent, and answers queries with what it is told. It is for the text of statements
// for databases that can't be had.
package unconnected

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"sync"
)

// Answer gives the columns and rows of a query.
type Answer func(query string, args []any) (columns []string, rows [][]any)

// Pool keeps what it is sent.
type Pool struct {
	answer Answer
	mu     sync.Mutex
	sent   []Sent
}

// Sent is a statement with its parameters.
type Sent struct {
	SQL  string
	Args []any
}

// Open makes a pool.
func Open(answer Answer) (*sql.DB, *Pool) {
	p := &Pool{answer: answer}
	return sql.OpenDB(p), p
}

// Take returns what was sent since the last time.
func (p *Pool) Take() []Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := p.sent
	p.sent = nil
	return sent
}

func (p *Pool) note(query string, values []driver.NamedValue) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v.Value
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, Sent{query, args})
	return args
}

// Connect is a connection to nothing.
func (p *Pool) Connect(context.Context) (driver.Conn, error) { return conn{p}, nil }

// Driver is none's.
func (p *Pool) Driver() driver.Driver { return nil }

type conn struct{ pool *Pool }

func (c conn) Prepare(query string) (driver.Stmt, error) { return stmt{c, query}, nil }
func (c conn) Close() error                              { return nil }
func (c conn) Begin() (driver.Tx, error) {
	c.pool.note("BEGIN", nil)
	return c, nil
}

func (c conn) Commit() error {
	c.pool.note("COMMIT", nil)
	return nil
}

func (c conn) Rollback() error {
	c.pool.note("ROLLBACK", nil)
	return nil
}

func (c conn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.pool.note(query, args)
	return driver.RowsAffected(1), nil
}

func (c conn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	columns, all := c.pool.answer(query, c.pool.note(query, args))
	return &rows{columns, all}, nil
}

type stmt struct {
	conn
	query string
}

func (s stmt) NumInput() int { return -1 }

func (s stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

func (s stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

type rows struct {
	columns []string
	left    [][]any
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(into []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	for i, v := range r.left[0] {
		into[i] = v
	}
	r.left = r.left[1:]
	return nil
}
