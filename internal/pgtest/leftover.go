package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// grace is what sessions get to end: database/sql and pgx close connections
// after the call that asked for it has returned.
const grace = 2 * time.Second

// Sessions that are idle are no finding: a pool that nobody closed harms no one.
const sessionsSQL = `
SELECT a.pid, coalesce(a.state, ''), coalesce(left(a.query, 200), ''),
       (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory')
FROM pg_stat_activity a
WHERE a.application_name = $1 AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
  AND (a.state <> 'idle'
       OR EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory'))
ORDER BY a.pid`

// A prepared transaction has no session and no application_name. It is the
// test's if its name holds the schema's, or if it holds a lock on a table there.
const preparedSQL = `
SELECT p.gid FROM pg_prepared_xacts p
WHERE p.database = current_database()
  AND (strpos(p.gid, $1) > 0 OR EXISTS (
    SELECT FROM pg_locks x
    JOIN pg_locks r ON r.virtualtransaction = x.virtualtransaction AND r.pid IS NULL
    JOIN pg_class c ON c.oid = r.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE x.locktype = 'transactionid' AND x.transactionid = p.transaction
      AND r.locktype = 'relation' AND n.nspname = $1))
ORDER BY p.gid`

// cleanUp returns what is wrong with the schema's traces on the server, and
// removes them all the same: one test's mistake is not the next one's.
func cleanUp(ctx context.Context, db *sql.DB, schema string) []error {
	problems, err := busySessions(ctx, db, schema)
	problems = append(problems, err)
	prepared, err := rollbackPrepared(ctx, db, schema)
	problems = append(problems, prepared...)
	problems = append(problems, err)
	if _, err := db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = $1 AND pid <> pg_backend_pid()`, schema); err != nil {
		problems = append(problems, err)
	}
	if _, err := db.ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
		problems = append(problems, fmt.Errorf("the schema itself: %w", err))
	}
	var found []error
	for _, p := range problems {
		if p != nil {
			found = append(found, p)
		}
	}
	return found
}

// busySessions waits until no session is busy, or for the grace; then each one
// that still is is a finding.
func busySessions(ctx context.Context, db *sql.DB, schema string) ([]error, error) {
	for deadline := time.Now().Add(grace); ; {
		found, err := querySessions(ctx, db, schema)
		if err != nil || len(found) == 0 || time.Now().After(deadline) {
			return found, err
		}
		select {
		case <-ctx.Done():
			return found, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func querySessions(ctx context.Context, db *sql.DB, schema string) (found []error, err error) {
	rows, err := db.QueryContext(ctx, sessionsSQL, schema)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var pid, advisory int
		var state, query string
		if err := rows.Scan(&pid, &state, &query, &advisory); err != nil {
			return nil, err
		}
		what := fmt.Sprintf("session %d is %s", pid, state)
		if advisory > 0 {
			what += fmt.Sprintf(" and holds %d advisory lock(s)", advisory)
		}
		found = append(found, errors.New(what+", its last statement: "+strings.Join(strings.Fields(query), " ")))
	}
	return found, rows.Err()
}

// rollbackPrepared reports each prepared transaction and rolls it back: its
// locks would keep the schema from being dropped.
func rollbackPrepared(ctx context.Context, db *sql.DB, schema string) ([]error, error) {
	gids, err := queryPrepared(ctx, db, schema)
	if err != nil {
		return nil, err
	}
	var found []error
	for _, gid := range gids {
		found = append(found, fmt.Errorf("prepared transaction %q", gid))
		// A utility statement takes no parameters.
		if _, err := db.ExecContext(ctx, "ROLLBACK PREPARED '"+strings.ReplaceAll(gid, "'", "''")+"'"); err != nil {
			found = append(found, err)
		}
	}
	return found, nil
}

func queryPrepared(ctx context.Context, db *sql.DB, schema string) (gids []string, err error) {
	rows, err := db.QueryContext(ctx, preparedSQL, schema)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var gid string
		if err := rows.Scan(&gid); err != nil {
			return nil, err
		}
		gids = append(gids, gid)
	}
	return gids, rows.Err()
}
