package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// session is one connection in a transaction that only reads.
type session struct {
	queries
	engine  engine
	timeout time.Duration // of a statement about a table
	bound   time.Duration // of what is run now
	end     func()        // takes the connection back to what it was
	number  int           // of statements, for tests
	// local says that the server knows of no time-out, and a context has to end a
	// statement.
	local bool
	// savepoints says that a statement that fails spoils the transaction.
	savepoints bool
}

// queries are a connection, or a transaction on it.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// engine is what databases differ in: how they are read, and the text of what mends
// them.
type engine interface {
	begin(ctx context.Context, conn *sql.Conn, s *session) error
	// within is the statement that bounds those that follow, "" if contexts do.
	within(bound time.Duration) string
	read(ctx context.Context, s *session, wanted []string) (*database, error)
	// estimate says how many rows a table may have, of which the catalogue does not; -1
	// if there is no telling.
	estimate(ctx context.Context, s *session, t *table) (int64, error)
	// referrers adds foreign keys from elsewhere to the tables, where read has not.
	referrers(ctx context.Context, s *session, d *database) error
	writer
}

func engineOf(kind string) engine {
	switch kind {
	case "postgres":
		return postgres{}
	case "mysql":
		return &mysql{}
	case "sqlite":
		return &sqlite{}
	}
	return nil
}

// patience is how much longer than a statement about one table those may take that read
// the catalogue of all.
const patience = 10

// within bounds the statements that follow.
func (s *session) within(ctx context.Context, bound time.Duration) error {
	s.bound = bound
	if statement := s.engine.within(bound); statement != "" {
		return s.exec(ctx, statement)
	}
	return nil
}

// exec runs a statement that has no rows, and no need of a time-out.
func (s *session) exec(ctx context.Context, statement string) error {
	s.number++
	_, err := s.ExecContext(ctx, statement)
	return err
}

// query runs a statement and gives each row.
func (s *session) query(ctx context.Context, statement string, args []any, row func(*sql.Rows) error) (err error) {
	s.number++
	if s.local {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.bound)
		defer cancel()
	}
	rows, err := s.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// numbers runs a statement of one row of numbers.
func (s *session) numbers(ctx context.Context, statement string, to ...*int64) error {
	return s.query(ctx, statement, nil, func(rows *sql.Rows) error {
		into := make([]any, len(to))
		for i, n := range to {
			into[i] = n
		}
		return rows.Scan(into...)
	})
}

// try runs what may fail without an end to the transaction, and without keeping the
// locks that it took.
func (s *session) try(ctx context.Context, f func() error) error {
	if !s.savepoints {
		return f()
	}
	if err := s.exec(ctx, "SAVEPOINT m2msafe_audit"); err != nil {
		return err
	}
	err := f()
	if back := s.exec(ctx, "ROLLBACK TO SAVEPOINT m2msafe_audit"); back != nil {
		return errors.Join(back, err)
	}
	return err
}

// reason is why a statement failed, in words for a report.
func (s *session) reason(err error) string {
	var state interface{ SQLState() string }
	text := err.Error()
	switch {
	case errors.As(err, &state) && state.SQLState() == "57014",
		errors.Is(err, context.DeadlineExceeded),
		strings.Contains(text, "max_statement_time"), strings.Contains(text, "maximum statement execution time"),
		s.local && strings.Contains(text, "interrupt"):
		return fmt.Sprintf("counting took longer than %v", s.timeout)
	case errors.As(err, &state) && state.SQLState() == "42501":
		return "no privilege to read its rows"
	}
	return text
}
