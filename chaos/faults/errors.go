package faults

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"github.com/m2msafe/m2msafe"
)

// class is a kind of error, in the words of the report.
type class string

const (
	lostRace   class = "ErrRetry"
	deadline   class = "deadline exceeded"
	cancelled  class = "context cancelled"
	rolledBack class = "transaction rolled back with its context"
	ended      class = "session ended by the server"
	stopped    class = "statement cancelled by the server"
	starting   class = "server not ready"
	refused    class = "connection refused"
	lost       class = "connection lost"
	other      class = "another"
)

// states are PostgreSQL's SQLSTATEs and numbers MySQL's errors that faults bring about.
var (
	states = map[string]class{
		"57P01": ended, "57P02": ended, "08006": ended, "57014": stopped, "57P03": starting,
	}
	numbers = map[uint16]class{
		1927: ended, 1053: ended, 1317: stopped, 1028: stopped, 1077: ended, 1079: ended,
	}
)

// classOf tells an error's class. What the database has said comes first; a context
// that has ended may end the connection too.
func classOf(err error) class {
	var state interface{ SQLState() string }
	var number *mysql.MySQLError
	switch {
	case errors.Is(err, m2msafe.ErrRetry):
		return lostRace
	case errors.As(err, &state):
		if c, ok := states[state.SQLState()]; ok {
			return c
		}
		return other
	case errors.As(err, &number):
		if c, ok := numbers[number.Number]; ok {
			return c
		}
		return other
	case errors.Is(err, context.DeadlineExceeded):
		return deadline
	case errors.Is(err, context.Canceled):
		return cancelled
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case isLost(err):
		return lost
	case errors.Is(err, sql.ErrTxDone):
		return rolledBack
	}
	return other
}

// isLost says whether the connection went. Drivers have errors of their own for it,
// and some say it by text alone.
func isLost(err error) bool {
	var network net.Error
	if errors.As(err, &network) {
		return true
	}
	for _, e := range []error{driver.ErrBadConn, mysql.ErrInvalidConn, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return slices.ContainsFunc([]string{"conn closed", "failed to deallocate", "conn is not ready", "busy buffer"}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}

// unknown says whether a call that has failed with an error may be done all the same:
// whether its answer may be what was lost.
func unknown(err error) bool {
	if err == nil {
		return false
	}
	switch classOf(err) {
	case lostRace, other:
		return false
	case stopped:
		// A COMMIT that MariaDB says was interrupted has been carried out, now and then.
		return errors.As(err, new(*mysql.MySQLError))
	}
	return true
}
