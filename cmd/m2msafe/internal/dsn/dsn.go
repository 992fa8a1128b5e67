// Package dsn opens what a DSN names, whichever database it is of, and keeps credentials
// out of texts. SQLite's driver is that which the program registers as "sqlite3".
package dsn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
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

var (
	// keywords is libpq's keyword string.
	keywords  = regexp.MustCompile(`^\s*(host|hostaddr|port|dbname|database|user|password|passfile|service|servicefile|sslmode|sslrootcert|sslcert|sslkey|connect_timeout|application_name|target_session_attrs|options|search_path)\s*=`)
	sqliteURL = regexp.MustCompile(`^(?i)(file:|sqlite3?://)`)
	// goMySQL is go-sql-driver's form: [user[:password]@][net[(address)]]/database.
	goMySQL = regexp.MustCompile(`^(?s:.*@)?([a-z0-9]+(\([^)]*\))?)?/[^/?]*(\?.*)?$`)
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
	if _, err := os.Stat(dsn); err == nil {
		return SQLite
	}
	if goMySQL.MatchString(dsn) && strings.ContainsAny(dsn, "@(") {
		return MySQL
	}
	return ""
}

// Open reaches the database of a DSN, with one connection, and says what kind it is. Its
// errors hold no credentials, nor do texts that the scrubber has cleaned. A SQLite file has
// to be there, and is only read.
func Open(ctx context.Context, dsn string) (*sql.DB, string, Scrubber, error) {
	db, kind, s, err := parse(dsn)
	if err != nil {
		return nil, kind, s, err
	}
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close() // what it was opened for has failed
		return nil, kind, s, fmt.Errorf("can't reach the database: %s", s.Clean(err.Error()))
	}
	return db, kind, s, nil
}

// parse is Open without a connection.
func parse(dsn string) (db *sql.DB, kind string, s Scrubber, err error) {
	s, kind = scrubberOf(dsn), kindOf(dsn)
	switch kind {
	case Postgres:
		db, err = openPostgres(dsn, &s)
	case MySQL:
		db, err = openMySQL(dsn, &s)
	case SQLite:
		db, err = openSQLite(dsn)
	default:
		err = fmt.Errorf("can't tell whose DSN this is, and no file has its name (it is not repeated here: there may be a password in it)\na DSN is: %s", Forms)
	}
	if err != nil {
		return nil, kind, s, errors.New(s.Clean(err.Error()))
	}
	return db, kind, s, nil
}

func openPostgres(dsn string, s *Scrubber) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		if _, bad := url.Parse(dsn); bad != nil && scheme.MatchString(dsn) {
			// The parser's words would be of parts of the password.
			return nil, errors.New("the DSN can't be read: it is no URL (in a password, / ? # @ and % are written as %2F %3F %23 %40 and %25)")
		}
		// pgx repeats the DSN, in which not every password can be told.
		text := err.Error()
		return nil, errors.New("the DSN can't be read: " + strings.TrimLeft(text[strings.LastIndexByte(text, '`')+1:], ": "))
	}
	s.add(config.Password) // it may be from a file or the environment
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "m2msafe audit"
	}
	if !strings.Contains(dsn, "default_query_exec_mode") {
		// No prepared statement outlives its transaction: behind a pool that shares
		// connections it would be met again by others.
		config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	}
	return stdlib.OpenDB(*config), nil
}

func openMySQL(dsn string, s *Scrubber) (*sql.DB, error) {
	if scheme.MatchString(dsn) {
		var err error
		if dsn, err = fromMySQLURL(dsn); err != nil {
			return nil, err
		}
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("the DSN can't be read: %w", err)
	}
	s.add(config.Passwd)
	if config.DBName == "" {
		return nil, errors.New("the DSN names no database: it is what stands behind the last slash")
	}
	config.Logger = &mysql.NopLogger{} // its errors come back all the same
	config.ParseTime = true
	if config.Timeout == 0 {
		config.Timeout = connectLimit
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// fromMySQLURL is the DSN of go-sql-driver for mysql://user:password@host:port/database,
// with settings of that driver behind a question mark.
func fromMySQLURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the DSN can't be read: it is no URL (in a password, / ? # @ and % are written as %2F %3F %23 %40 and %25)")
	}
	config := mysql.NewConfig()
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Net = "tcp"
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	config.Addr = net.JoinHostPort(u.Hostname(), port)
	config.DBName = strings.TrimPrefix(u.Path, "/")
	dsn := config.FormatDSN()
	if u.RawQuery != "" {
		separator := "?"
		if strings.Contains(dsn[strings.LastIndexByte(dsn, '/'):], "?") {
			separator = "&"
		}
		dsn += separator + u.RawQuery
	}
	return dsn, nil
}

// openSQLite opens a file to read it, which has to be there.
func openSQLite(dsn string) (*sql.DB, error) {
	path, query := dsn, ""
	if name := sqliteURL.FindString(dsn); name != "" {
		path, query, _ = strings.Cut(dsn[len(name):], "?")
		if host, rest, ok := strings.Cut(strings.TrimPrefix(path, "//"), "/"); ok && strings.HasPrefix(path, "//") && (host == "" || host == "localhost") {
			path = "/" + rest
		}
		plain, err := url.PathUnescape(path)
		if err != nil {
			return nil, errors.New("the DSN can't be read: it is no URL (in a path, ? # and % are written as %3F %23 and %25)")
		}
		path = plain
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, fmt.Errorf("no SQLite database: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("no SQLite database: %s is a folder", path)
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the settings behind the question mark can't be read")
	}
	if settings.Get("immutable") == "" {
		if err := sidecars(path, os.Geteuid()); err != nil {
			return nil, err
		}
	}
	settings.Set("mode", "ro")
	settings.Del("_txlock") // a write lock that reading has no use for
	file := &url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}
	return sql.Open("sqlite3", file.String())
}
