package faults

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// process is a database server of this package's own.
type process interface {
	Addr() string
	Crash() error
	Restart(ctx context.Context) error
	Stop() error
}

// server is one, with what is asked of it past the proxies.
type server struct {
	process
	// dialector makes a pool of the app's, to what listens at an address.
	dialector func(addr string) gorm.Dialector
	// admin connects anew for each statement: no connection of its own is ever stale.
	admin *sql.DB
	// Statements: what the server is; the app's sessions, and those that are at work;
	// what ends one or its statement; what transactions and locks the app's sessions
	// hold; and what is to be done when rows with keys are stored.
	version, sessions, busy, terminate, cancel, open string
	seeded                                           []string
}

// engines are the servers that there are, by name.
var engines = map[string]func(ctx context.Context) (*server, error){
	"postgres": startPostgres,
	"mariadb":  startMariaDB,
}

// Engines are the names of the engines that a run can be on.
func Engines() []string { return []string{"postgres", "mariadb"} }

// adminLimit is how long a statement past the proxies may take.
const adminLimit = 20 * time.Second

// texts are the rows of a statement, of one column.
func (s *server) texts(ctx context.Context, statement string) (list []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminLimit)
	defer cancel()
	return texts(ctx, s.admin, statement)
}

func texts(ctx context.Context, on querier, statement string) (list []string, err error) {
	rows, err := on.QueryContext(ctx, statement)
	if err != nil {
		return nil, fmt.Errorf("faults: %s: %w", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("faults: %s: %w", statement, err)
		}
		list = append(list, text.String)
	}
	return list, rows.Err()
}

// busyTries is how often a session is looked for that is at work.
const busyTries = 50

// harm runs a statement on one of the app's sessions, which a number from 0 to 1
// chooses; if so asked, on one that is at work, if there is one soon. hit is false if
// there is no session.
func (s *server) harm(ctx context.Context, statement string, which float64, busy bool) (hit bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminLimit)
	defer cancel()
	conn, err := s.admin.Conn(ctx) // one for both: sessions don't stay at the same thing for long
	if err != nil {
		return false, fmt.Errorf("faults: %w", err)
	}
	defer conn.Close()
	var all []string
	for try := 0; busy && try < busyTries && len(all) == 0 && err == nil; try++ {
		all, err = texts(ctx, conn, s.busy)
	}
	if len(all) == 0 && err == nil {
		all, err = texts(ctx, conn, s.sessions)
	}
	if err != nil || len(all) == 0 {
		return false, err
	}
	statement = fmt.Sprintf(statement, all[int(which*float64(len(all)))])
	if _, err := conn.ExecContext(ctx, statement); err != nil && !strings.Contains(err.Error(), "Unknown thread id") {
		return false, fmt.Errorf("faults: %s: %w", statement, err)
	}
	return true, nil
}

// stop ends the server and what is connected to it.
func (s *server) stop() error {
	_ = s.admin.Close()
	return s.Stop()
}

// eventually asks until the answer is empty, and returns what it is in the end.
func eventually(ctx context.Context, limit time.Duration, ask func() ([]string, error)) ([]string, error) {
	end := time.Now().Add(limit)
	for {
		left, err := ask()
		if err != nil || len(left) == 0 || time.Now().After(end) {
			return left, err
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
