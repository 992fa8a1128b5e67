package dsn

import (
	"database/sql"
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// settings are libpq's and pgx's keywords, and what else often stands in a DSN.
const settings = `host|hostaddr|port|dbname|database|user|password|passfile|service|servicefile|options|` +
	`application_name|fallback_application_name|connect_timeout|client_encoding|replication|` +
	`keepalives|keepalives_idle|keepalives_interval|keepalives_count|tcp_user_timeout|` +
	`sslmode|sslcert|sslkey|sslpassword|sslcertmode|sslrootcert|sslcrl|sslcrldir|sslsni|sslcompression|sslnegotiation|` +
	`requiressl|requirepeer|require_auth|channel_binding|gssencmode|gsslib|gssdelegation|krbspn|krbsrvname|` +
	`ssl_min_protocol_version|ssl_max_protocol_version|min_protocol_version|max_protocol_version|` +
	`target_session_attrs|load_balance_hosts|` +
	`default_query_exec_mode|statement_cache_capacity|description_cache_capacity|` +
	`timezone|search_path|datestyle|intervalstyle|role|statement_timeout|lock_timeout|` +
	`idle_in_transaction_session_timeout|default_transaction_read_only`

var (
	// keywords is libpq's keyword string; one setting of another name may stand in front.
	keywords = regexp.MustCompile(`^(?is)\s*([\w.]+\s*=.*\s)?(` + settings + `)\s*=`)
	known    = regexp.MustCompile(`^(?i)(` + settings + `)$`)
	// keyValue is one setting of a keyword string: a value in quotes, or without blanks.
	keyValue = regexp.MustCompile(`^(?s)([^\s\v=]+)[\s\v]*=[\s\v]*(?:('(?:[^'\\]|\\.)*')|((?:[^\s\v'\\]|\\.)(?:[^\s\v\\]|\\.)*\\?|\\?))(?:[\s\v]+|$)`)
)

func openPostgres(dsn string, s *Scrubber) (*sql.DB, error) {
	config, err := configPostgres(dsn, s)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}

func configPostgres(dsn string, s *Scrubber) (*pgx.ConnConfig, error) {
	if name := scheme.FindString(dsn); name != "" {
		rest := dsn[len(name):]
		if !readOneWay(rest, "/?", known.MatchString) {
			return nil, errNoURL
		}
		dsn = strings.ToLower(name) + rest // as pgx wants it
		_, query, _ := strings.Cut(rest, "?")
		rests := passwordRests{}
		for setting := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(setting, "=")
			rests.add(s, key, value, false)
		}
	} else if err := checkKeywords(dsn, s); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// pgx repeats the DSN, in which not every password can be told, and the pieces of
		// what it can't read as a URL.
		text := err.Error()
		if strings.Contains(text, "failed to parse as ") {
			return nil, errNoURL
		}
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
	return config, nil
}

// checkKeywords says whether a keyword string can be read. pgx says it too, in words of
// the password's.
func checkKeywords(dsn string, s *Scrubber) error {
	rests := passwordRests{}
	for rest := strings.TrimLeft(dsn, " \t\n\r\v\f"); rest != ""; {
		found := keyValue.FindStringSubmatch(rest)
		if found == nil {
			return ours(`the DSN can't be read: it is no list of key=value (a value with blanks has to stand in quotes, 'two words', and ' and \ in it are written as \' and \\)`)
		}
		rests.add(s, found[1], found[2]+found[3], found[2] != "")
		rest = rest[len(found[0]):]
	}
	return nil
}

// passwordRests finds settings that may be the rest of a password in front of them: with a
// blank in it, or an & in a URL, it ends too soon. The server repeats such a key.
type passwordRests struct{ behind bool }

func (r *passwordRests) add(s *Scrubber, key, value string, quoted bool) {
	secret, known := isSecret.MatchString(key), known.MatchString(key)
	switch {
	case r.behind && !known:
		for _, piece := range []string{key, strings.Trim(value, "'")} { // and as pgx reads them
			s.add(strings.TrimSpace(piece))
			s.add(strings.ReplaceAll(piece, `\`, ""))
		}
	case secret:
		r.behind = !quoted
	case known:
		r.behind = false
	}
}
