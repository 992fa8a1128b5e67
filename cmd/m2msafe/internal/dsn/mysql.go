package dsn

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

func openMySQL(dsn string, s *Scrubber) (*sql.DB, error) {
	config, err := configMySQL(dsn, s)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func configMySQL(dsn string, s *Scrubber) (config *mysql.Config, err error) {
	if scheme.MatchString(dsn) {
		config, err = fromMySQLURL(dsn)
	} else {
		config, err = fromGoMySQL(dsn)
	}
	if err != nil {
		return nil, err
	}
	s.add(config.Passwd)
	if config.DBName == "" {
		return nil, ours("the DSN names no database: it is what stands behind the last slash")
	}
	config.Logger = &mysql.NopLogger{} // its errors come back all the same
	config.ParseTime = true
	if config.Timeout == 0 {
		config.Timeout = connectLimit
	}
	return config, nil
}

// fromGoMySQL reads a DSN as go-sql-driver does, which takes what stands between the last @
// and the last slash for network and address, and repeats it: a piece of the password,
// where the address is missing.
func fromGoMySQL(dsn string) (*mysql.Config, error) {
	front := dsn[:max(strings.LastIndexByte(dsn, '/'), 0)]
	network, _, _ := strings.Cut(front[strings.LastIndexByte(front, '@')+1:], "(")
	if !slices.Contains([]string{"", "tcp", "tcp4", "tcp6", "unix"}, network) {
		return nil, ours("the DSN can't be read: in front of the last slash, and behind the @ of the password, it has neither tcp(host:port) nor unix(socket) (in a setting, / is written as %2F)")
	}
	config, err := mysql.ParseDSN(dsn)
	if err == nil {
		return config, nil
	}
	// The driver repeats values. A name that it finds no value for is one of its own.
	_, query, _ := strings.Cut(dsn[len(front):], "?")
	for setting := range strings.SplitSeq(query, "&") {
		if _, err := mysql.ParseDSN("/?" + setting); err != nil {
			name, _, _ := strings.Cut(setting, "=")
			return nil, ours(fmt.Sprintf("the DSN can't be read: %s has a value that it does not take", name))
		}
	}
	return nil, ours("the DSN can't be read: it is not user:password@tcp(host:port)/database?setting=value (in the database's name and in settings, / and % are written as %2F and %25)")
}

// fromMySQLURL reads mysql://user:password@host:port/database, with settings of
// go-sql-driver behind a question mark.
func fromMySQLURL(address string) (*mysql.Config, error) {
	rest := address[len(scheme.FindString(address)):]
	u, err := url.Parse(address)
	if err != nil || strings.Contains(rest, "#") || !readOneWay(rest, "/?", func(string) bool { return false }) {
		return nil, errNoURL
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	dsn := "tcp(" + net.JoinHostPort(u.Hostname(), port) + ")/" + url.PathEscape(strings.TrimPrefix(u.Path, "/"))
	if u.RawQuery != "" {
		dsn += "?" + strings.ReplaceAll(u.RawQuery, "/", "%2F")
	}
	config, err := fromGoMySQL(dsn)
	if err != nil {
		return nil, err
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	return config, nil
}
