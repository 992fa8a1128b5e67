package dsn

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKindOfADSN(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("app.db", nil, 0o600))
	require.NoError(t, os.MkdirAll("odd@(dir)", 0o700))
	require.NoError(t, os.WriteFile("odd@(dir)/app.db", nil, 0o600))
	require.NoError(t, os.MkdirAll("mg", 0o700))
	require.NoError(t, os.WriteFile("mg/y.db", nil, 0o600))
	for dsn, want := range map[string]string{
		"postgres://u:p@h/db":               Postgres,
		"postgresql:///db?host=/run":        Postgres,
		"POSTGRES://h/db":                   Postgres,
		"host=127.0.0.1 dbname=app":         Postgres,
		"  user = me password='a b'":        Postgres,
		"service=app":                       Postgres,
		"u:p@tcp(127.0.0.1:3306)/db":        MySQL,
		"u:p/w@x@tcp(h:3306)/db?tls=true":   MySQL,
		"u@unix(/run/mysqld/mysqld.sock)/x": MySQL,
		"tcp(h)/db":                         MySQL,
		"u@/db":                             MySQL,
		"mysql://u:p@h/db":                  MySQL,
		"mariadb://h/db":                    MySQL,
		"app.db":                            SQLite,
		filepath.Join(dir, "app.db"):        SQLite,
		"odd@(dir)/app.db":                  SQLite,
		"file:app.db?cache=private":         SQLite,
		"sqlite://app.db":                   SQLite,
		"TimeZone=UTC host=h":               Postgres,
		"client_encoding=UTF8 dbname=d":     Postgres,
		"sslcertmode=allow":                 Postgres,
		"app.tenant=7 dbname=d":             Postgres,
		"app.db?_pragma=foreign_keys(1)":    SQLite,
		"mg/y.db?_pragma=foreign_keys(1)":   SQLite,
		"mg/n.db?_pragma=foreign_keys(1)":   "",
		"app.db?key=a&dbname=@(x)/y":        SQLite,
		"missing=app.db":                    "",
		"/a@b.db":                           "",
		"u:p@(h)/db":                        MySQL,
		"missing.db":                        "",
		"/missing/app.db":                   "",
		"oracle://u:p@h/db":                 "",
		"":                                  "",
	} {
		require.Equal(t, want, kindOf(dsn), dsn)
	}
}

func TestOpenSays(t *testing.T) {
	for dsn, want := range map[string]string{
		"oracle://u:hush-hush@h/db":               "can't tell whose DSN this is",
		"postgres://u:hush-hush@127.0.0.1:1/db":   "can't reach the database: failed to connect to `user=u database=db`",
		"postgres://u:hush/hush@127.0.0.1/db":     "it is no URL",
		"postgres://u:hush-hush@h:99999999/db":    "the DSN can't be read: invalid port",
		"port=hush-hush password=hush-hush":       "the DSN can't be read: invalid port",
		"port=x password=hush-hush;&rest":         "the DSN can't be read: invalid port",
		"u:hush-hush@tcp(127.0.0.1:1)/db":         "can't reach the database: dial tcp 127.0.0.1:1",
		"u:hush-hush@tcp(127.0.0.1:1)/":           "names no database",
		"u:hush-hush@tcp(127.0.0.1:1)/db?tls=x/y": "the DSN can't be read",
		"u:hush-hush@tcp(127.0.0.1:1)/db?tls=odd": "the DSN can't be read: tls has a value that it does not take",
		"u:hush-hush@tcp(127.0.0.1:1)/d%zz":       "the DSN can't be read: it is not user:password@tcp(host:port)/database",
		"POSTGRES://u:hush-hush@127.0.0.1:1/db":   "can't reach the database: failed to connect to `user=u database=db`",
		"u:hush-hush@hush(127.0.0.1:1)/db":        "it has neither tcp(host:port) nor unix(socket)",
		"mysql://u:hush-hush@127.0.0.1:1/db":      "can't reach the database: dial tcp 127.0.0.1:1",
		"mysql://u:hush-hush@127.0.0.1:1":         "names no database",
		"mysql://u:hush/hush@127.0.0.1/db":        "it is no URL",
		"mysql://u:p@127.0.0.1:1/db?tls=hush":     "the DSN can't be read",
	} {
		_, _, _, err := Open(t.Context(), dsn)
		require.ErrorContains(t, err, want, dsn)
		require.NotContains(t, err.Error(), "hush-hush", dsn)
	}
}

func TestMySQLURL(t *testing.T) {
	for address, want := range map[string]string{
		"mysql://h/db":                           "tcp(h:3306)/db",
		"mysql://u:p%40%2F@h:3307/db":            "u:p@/@tcp(h:3307)/db",
		"mysql://u@[::1]/db?tls=true&timeout=1s": "u@tcp([::1]:3306)/db?timeout=1s&tls=true",
		"mysql://u@h/a%2Fb?loc=Europe/Berlin":    "u@tcp(h:3306)/a%2Fb?loc=Europe%2FBerlin",
	} {
		got, err := fromMySQLURL(address)
		require.NoError(t, err, address)
		require.Equal(t, want, got.FormatDSN())
	}
}

func TestScrubberTakesShortSecretsAsWords(t *testing.T) {
	s := scrubberOf("host=h password=ab")
	require.Equal(t, "table about: user=••• (•••)", s.Clean("table about: user=ab (ab)"))
	s = scrubberOf("host=h password=p")
	require.Equal(t, "user 'app' (•••)", s.Clean("user 'app' (p)"))
	s = scrubberOf("host=h password=s3")
	require.Equal(t, "s3s3 is not •••", s.Clean("s3s3 is not s3"))
	require.Equal(t, "nothing to hide in app.db", scrubberOf("app.db").Clean("nothing to hide in app.db"))
	s = scrubberOf("host=h password=of&two;parts")
	require.Equal(t, Hidden+" "+Hidden, s.Clean("of&two;parts of%26two%3Bparts"))
	s = scrubberOf("file:app.db?hexkey=first-key&textkey=second-key")
	require.Equal(t, Hidden+" "+Hidden, s.Clean("first-key second-key"))
	s = scrubberOf("u:long-secret@tcp(h)/db?allowCleartextPasswords=true")
	require.Equal(t, fmt.Sprint(true, " "+Hidden), s.Clean("true long-secret"))
	s = ScrubberOf("audit", "host=h", "password=of-a-piece", "postgres://u:of-a-url@h/db")
	require.Equal(t, "audit host=h "+Hidden+" "+Hidden, s.Clean("audit host=h of-a-piece of-a-url"))
	s = ScrubberOf("audit", "password=correct", "horse", "battery", "host=h", "rest")
	require.Equal(t, fmt.Sprint(Hidden, " ", Hidden, " ", Hidden, " host=h rest"), s.Clean("correct horse battery host=h rest"))
	t.Setenv("PGPASSWORD", "from-outside")
	require.Equal(t, Hidden, scrubberOf("host=h").Clean("from-outside"))
}

func TestScrubberKnowsWhatAPasswordFileSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passfile")
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:*:from-the-file\n"), 0o600))
	t.Setenv("PGPASSFILE", file)
	db, _, s, err := parse("host=127.0.0.1 port=1 user=u dbname=d")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.Equal(t, Hidden, s.Clean("from-the-file"))
}
