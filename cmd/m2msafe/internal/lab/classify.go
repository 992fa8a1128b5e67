package lab

import (
	"context"
	"errors"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// The kinds of errors that the report tells apart; what is none of them is
// KindOther followed by its code, if it has one.
const (
	KindUnique     = "unique"
	KindDeadlock   = "deadlock"
	KindForeignKey = "foreign key"
	KindDeferrable = "deferrable"
	KindTwice      = "row twice"
	KindSerialize  = "serialization"
	KindParameters = "too many params"
	KindBusy       = "busy"
	KindTimeout    = "timed out"
	KindPanic      = "panic"
	KindOther      = "other"
)

var bySQLState = map[string]string{
	"23505": KindUnique,
	"40P01": KindDeadlock,
	"23503": KindForeignKey,
	"55000": KindDeferrable,
	"21000": KindTwice,
	"40001": KindSerialize,
	"54000": KindParameters,
}

var bySQLite = map[sqlite3.ExtendedErrorCode]string{
	sqlite3.CONSTRAINT_UNIQUE:     KindUnique,
	sqlite3.CONSTRAINT_PRIMARYKEY: KindUnique,
	sqlite3.CONSTRAINT_FOREIGNKEY: KindForeignKey,
}

// errPanic is what a call that panicked is said to have returned.
var errPanic = errors.New("panic")

// Fault is the kind of an error, and the database's code for it, if any.
type Fault struct{ Kind, Code string }

// String is as the report shows it: "unique 23505".
func (f Fault) String() string { return strings.TrimSpace(f.Kind + " " + f.Code) }

// Classify finds the kind of an error that a call returned. PostgreSQL's are
// asked for their SQLSTATE, whichever driver and however often wrapped.
func Classify(err error) Fault {
	var state interface{ SQLState() string }
	var lite *sqlite3.Error
	switch {
	case errors.Is(err, errPanic):
		return Fault{Kind: KindPanic}
	case errors.As(err, &state):
		kind, ok := bySQLState[state.SQLState()]
		if !ok {
			kind = KindOther
		}
		return Fault{kind, state.SQLState()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, sqlite3.INTERRUPT):
		return Fault{Kind: KindTimeout}
	// Both limits are found by the client, or without a code of their own.
	case strings.Contains(err.Error(), "65535 parameters"), strings.Contains(err.Error(), "too many SQL variables"):
		return Fault{Kind: KindParameters}
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return Fault{Kind: KindBusy}
	case errors.As(err, &lite):
		if kind, ok := bySQLite[lite.ExtendedCode()]; ok {
			return Fault{Kind: kind}
		}
	}
	return Fault{Kind: KindOther}
}
