package m2msafe

import (
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// What errors.Is finds in the errors of the plugin. All but the first three come inside a
// [*LinkError], which has the relation and the keys; ErrRetry may come without one, of a
// whole statement or a [Transaction].
var (
	// ErrOption is returned by db.Use, or by the calls made through With, for
	// an option that is nil, given twice, in conflict or out of its place.
	ErrOption = errors.New("m2msafe: option refused")
	// ErrUnsupportedDatabase is returned for a GORM dialect that the plugin has no
	// statements for: by the calls made through [With], by [Transaction], by [Audit], and
	// by db.Use under [UnknownDatabase] of [Refuse].
	ErrUnsupportedDatabase = errors.New("m2msafe: unsupported database")
	// ErrNotInUse is returned by the calls made through With on a *gorm.DB that
	// never saw db.Use(m2msafe.New()).
	ErrNotInUse = errors.New("m2msafe: plugin not in use: call db.Use(m2msafe.New()) first")

	// ErrOwnerNotSaved: the owner has no key yet. Save it first.
	ErrOwnerNotSaved = errors.New("owner is not saved: it has no key")
	// ErrOwnerNotStored: no row has the owner's key. errors.Is finds
	// gorm.ErrForeignKeyViolated too.
	ErrOwnerNotStored = errors.New("owner is not stored: no row has its key")
	// ErrTargetNotStored: no row has the target's key, and it was not or could
	// not be created. errors.Is finds gorm.ErrForeignKeyViolated too.
	ErrTargetNotStored = errors.New("target is not stored: no row has its key")
	// ErrZeroReference: a column that the relation refers to is zero or NULL in
	// the target.
	ErrZeroReference = errors.New("target's reference column is zero or NULL")
	// ErrInvalidTarget: a nil pointer stands among the targets.
	ErrInvalidTarget = errors.New("target is nil")
	// ErrNoUniqueKey: the join table has no usable unique key on the pair, and
	// the option NoUniqueKey(Refuse) or the transaction's isolation level rules
	// out the lock; or the database enforces none on what GetOrCreate or a
	// natural key is asked for.
	ErrNoUniqueKey = errors.New("table has no usable unique key")
	// ErrDeletedLink: a soft-deleted row takes the pair's key, and the option
	// is DeletedLinks(Refuse).
	ErrDeletedLink = errors.New("link is soft-deleted")
	// ErrTargetConflict: two of a target's natural keys are two different rows.
	ErrTargetConflict = errors.New("target is two rows at once")
	// ErrDeletedTarget: the row with a target's natural key is soft-deleted,
	// and the option DeletedTargets does not allow for that.
	ErrDeletedTarget = errors.New("target is soft-deleted")
	// ErrRetry: the transaction lost against another one (a serialization failure, a
	// deadlock, a lock that was waited for too long, a busy SQLite); run it again.
	ErrRetry = errors.New("the transaction lost against another one")
	// ErrNoJoinTable: the database has no table of the relation's name.
	ErrNoJoinTable = errors.New("join table does not exist")
)

// LinkError says which links could not be written, and why.
//
// errors.Is finds Err and Cause, and the sentinel of GORM that fits:
// gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated and
// gorm.ErrCheckConstraintViolated, with TranslateError or without.
type LinkError struct {
	Relation  string  // the model and its field, as in "Article.Publications"
	JoinTable string  // the join table's name
	Owner     []any   // reference values of the owner, nil if several or unknown
	Targets   [][]any // reference values of the targets that failed, if known
	Err       error   // one of this package's errors, nil for a plain database error
	Cause     error   // the error of the database or of a hook, if there is one
	Advice    string  // what to do about it, may be empty

	gormErr error              // GORM's sentinel for Cause
	show    func([]any) string // a key; nil for keyText
}

// maxTargets is how many targets an error's text lists.
const maxTargets = 5

// Error is one line: relation, what happened, keys, cause, advice. The keys are as the
// app's logger shows the parameters of a statement: question marks under
// ParameterizedQueries of GORM's. The fields have them in any case.
func (e *LinkError) Error() string {
	var b strings.Builder
	show := e.show
	if show == nil {
		show = keyText
	}
	kind := "join table"
	if !strings.Contains(e.Relation, ".") {
		kind = "table" // of GetOrCreate
	}
	fmt.Fprintf(&b, "m2msafe: %s (%s %s): ", e.Relation, kind, e.JoinTable)
	if e.Err != nil {
		b.WriteString(strings.TrimPrefix(e.Err.Error(), "m2msafe: "))
	} else {
		b.WriteString("links not written")
	}
	if e.Owner != nil {
		fmt.Fprintf(&b, "; owner %s", show(e.Owner))
	}
	for i, t := range e.Targets {
		if i == maxTargets {
			fmt.Fprintf(&b, " and %d more", len(e.Targets)-maxTargets)
			break
		}
		b.WriteString([...]string{"; target ", ", "}[min(i, 1)])
		b.WriteString(show(t))
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	if e.Advice != "" {
		fmt.Fprintf(&b, " (%s)", e.Advice)
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As what the error is made of.
func (e *LinkError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Err, e.Cause, e.gormErr} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// gormSentinel finds the sentinel that GORM's own translator has for a database
// error, whether the app has TranslateError on or not.
func gormSentinel(db *gorm.DB, cause error) error {
	for _, sentinel := range []error{gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated, gorm.ErrCheckConstraintViolated} {
		if errors.Is(cause, sentinel) {
			return nil // Unwrap shows it already
		}
		if tr, ok := db.Dialector.(gorm.ErrorTranslator); ok && errors.Is(tr.Translate(cause), sentinel) {
			return sentinel
		}
	}
	// ER_CHECK_CONSTRAINT_VIOLATED of MySQL, ER_CONSTRAINT_FAILED of MariaDB: GORM's
	// translator does not know them.
	if number, driver := codeOf(cause); driver == "MySQLError" && (number == 3819 || number == 4025) {
		return gorm.ErrCheckConstraintViolated
	}
	return nil
}
