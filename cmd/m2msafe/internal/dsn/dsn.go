// Package dsn opens what a DSN names, whichever database it is of, and keeps credentials
// out of texts. SQLite's driver is that which the program registers as "sqlite3".
package dsn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// The kinds of databases, by GORM's names.
const (
	Postgres = "postgres"
	MySQL    = "mysql"
	SQLite   = "sqlite"
)

// connectLimit bounds the connection: a wrong address should not cost minutes.
const connectLimit = 15 * time.Second

// Forms are what a DSN can be, for people.
const Forms = `postgres://user@host/database or "host=… dbname=…"; ` +
	`user:password@tcp(host:3306)/database or mysql://user@host/database; a SQLite file's path or file: URL`

// ours is an error that has nothing of a DSN. A word hidden in it would tell that it is a
// piece of the password.
type ours string

func (o ours) Error() string { return string(o) }

var (
	sqliteURL = regexp.MustCompile(`^(?i)(file:|sqlite3?://)`)
	// goMySQL is go-sql-driver's form: [user[:password]@][net[(address)]]/database, with at
	// least a user or an address: else it is a path.
	goMySQL = regexp.MustCompile(`^(?:(?s:.*@)(?:[a-z0-9]+(?:\([^)]*\))?|\([^)]*\))?|[a-z0-9]+\([^)]*\))/[^/?@]*(\?.*)?$`)
)

// kindOf is the kind of database that a DSN is of, "" for none. A path is SQLite's
// only if something is there: a file is never made.
func kindOf(dsn string) string {
	lower := strings.ToLower(dsn)
	switch name := strings.TrimSuffix(scheme.FindString(lower), "://"); {
	case name == "postgres", name == "postgresql":
		return Postgres
	case name == "mysql", name == "mariadb":
		return MySQL
	case sqliteURL.MatchString(dsn):
		return SQLite
	case name != "":
		return ""
	case keywords.MatchString(dsn):
		return Postgres
	}
	if file, _ := cutFile(dsn); file != "" {
		return SQLite
	}
	if goMySQL.MatchString(dsn) {
		return MySQL
	}
	return ""
}

// trim takes the blanks around a DSN away: one that is read from a file ends with a line
// feed. Keywords keep them: they are passed over there, and a password may end with `\ `.
func trim(dsn string) string {
	if keywords.MatchString(dsn) {
		return dsn
	}
	if _, err := os.Stat(dsn); err == nil {
		return dsn
	}
	return strings.TrimSpace(dsn)
}

// Open reaches the database of a DSN, with one connection, and says what kind it is. Its
// errors hold no credentials, nor do texts that the scrubber has cleaned. A SQLite file has
// to be there, and is only read.
func Open(ctx context.Context, dsn string) (*sql.DB, string, Scrubber, error) {
	return open(ctx, dsn, connectLimit)
}

func open(ctx context.Context, dsn string, limit time.Duration) (*sql.DB, string, Scrubber, error) {
	db, kind, s, err := parse(dsn)
	if err != nil {
		return nil, kind, s, err
	}
	db.SetMaxOpenConns(1)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = db.PingContext(bounded)
	if err == nil && kind == SQLite {
		err = readSQLite(ctx, db, trim(dsn)) // which waits for a writer as long as its driver does
	}
	if err != nil {
		_ = db.Close() // what it was opened for has failed
		what := failure(kind, err)
		if bounded.Err() != nil && ctx.Err() == nil {
			what = fmt.Sprintf("the database did not answer in %g s", limit.Seconds())
		}
		return nil, kind, s, fmt.Errorf("%s: %s", what, s.Clean(err.Error()))
	}
	return db, kind, s, nil
}

// failure is what has failed: it tells people where to look.
func failure(kind string, err error) string {
	var postgres *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &postgres) && strings.HasPrefix(postgres.Code, "28"):
		return "the database refused the login"
	case errors.As(err, &my) && (my.Number == 1044 || my.Number == 1045 || my.Number == 1698):
		return "the database refused the login"
	case postgres != nil || my != nil:
		return "the database refused the connection"
	}
	if kind == SQLite {
		return "can't read the database"
	}
	return "can't reach the database"
}

// parse is Open without a connection.
func parse(dsn string) (db *sql.DB, kind string, s Scrubber, err error) {
	dsn = trim(dsn)
	s, kind = scrubberOf(dsn), kindOf(dsn)
	switch kind {
	case Postgres:
		db, err = openPostgres(dsn, &s)
	case MySQL:
		db, err = openMySQL(dsn, &s)
	case SQLite:
		db, err = openSQLite(dsn)
	default:
		err = ours("can't tell whose DSN this is, and no file has its name (it is not repeated here: there may be a password in it)\na DSN is: " + Forms)
	}
	var clean ours
	switch {
	case errors.As(err, &clean):
		return nil, kind, s, err
	case err != nil:
		return nil, kind, s, errors.New(s.Clean(err.Error()))
	}
	return db, kind, s, nil
}
