package dsn

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestKindOfADSN(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("app.db", nil, 0o600))
	require.NoError(t, os.MkdirAll("odd@(dir)", 0o700))
	require.NoError(t, os.WriteFile("odd@(dir)/app.db", nil, 0o600))
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
		"u:hush-hush@hush(127.0.0.1:1)/db":        "can't reach the database",
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
		"mysql://u@[::1]/db?tls=true&timeout=1s": "u@tcp([::1]:3306)/db?tls=true&timeout=1s",
	} {
		got, err := fromMySQLURL(address)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// forms are the ways to write a DSN with a password. No server is at the address of the
// first ones. The others may be read as any address, or not at all: they are not called.
var forms = []func(password string) string{
	func(p string) string {
		return (&url.URL{Scheme: "postgres", User: url.UserPassword("u", p), Host: "127.0.0.1:1", Path: "db"}).String()
	},
	func(p string) string { return "host=127.0.0.1 port=1 user=u password='" + pgQuote(p) + "'" },
	func(p string) string { return "postgres://127.0.0.1:1/db?user=u&password=" + url.QueryEscape(p) },
	func(p string) string {
		return (&url.URL{Scheme: "mysql", User: url.UserPassword("u", p), Host: "127.0.0.1:1", Path: "db"}).String()
	},
	func(p string) string { return "u:" + p + "@tcp(127.0.0.1:1)/db" },
	func(p string) string { return "u:" + p + "@" + "tcp(127.0.0.1:1)/db?timeout=" + url.QueryEscape(p) },
	func(p string) string { return "file:missing.db?textkey=" + url.QueryEscape(p) },
	func(p string) string { return "postgres://u:" + p + "@127.0.0.1:1/db" },
	func(p string) string { return "mysql://u:" + p + "@127.0.0.1:1/db" },
	func(p string) string { return "host=127.0.0.1 port=" + p + " password=" + p },
	func(p string) string { return "postgre:/u:" + p + "@127.0.0.1:1/db" },
}

const calledForms = 7

func pgQuote(s string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) }

func FuzzNoPasswordIsInAnError(f *testing.F) {
	for _, password := range []string{"hush-hush", "p@ss:w/rd", "100%zz?", `it's \ "one"`, "a&password=b#c", "ключ ключ", "){(tcp(", "://pass/", "//slashes", "&and=;more"} {
		for form := range forms {
			f.Add(form, password)
		}
	}
	f.Fuzz(func(t *testing.T, form int, password string) {
		if form < 0 || form >= len(forms) || utf8.RuneCountInString(password) < 6 || !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
			t.Skip("no form, or a password that is a part of words or no text")
		}
		for _, word := range []string{Forms, "can't reach the database: •••", "can't tell whose DSN this is, and no file has its name (it is not repeated here: there may be a password in it)\na DSN is"} {
			if strings.Contains(word, password) {
				t.Skip("a word of the message by chance")
			}
		}
		_, _, scrub, err := parse(forms[form](password))
		if form < calledForms {
			_, _, scrub, err = Open(t.Context(), forms[form](password))
			require.Error(t, err)
			require.NotContains(t, scrub.Clean("can't log in with "+password+"."), password)
		}
		if err == nil {
			return
		}
		require.NotContains(t, err.Error(), password)
		require.NotContains(t, err.Error(), url.QueryEscape(password))
	})
}

func TestScrubberTakesShortSecretsAsWords(t *testing.T) {
	s := scrubberOf("host=h password=ab")
	require.Equal(t, "table about: user=••• (•••)", s.Clean("table about: user=ab (ab)"))
	require.Equal(t, "nothing to hide in app.db", scrubberOf("app.db").Clean("nothing to hide in app.db"))
	s = scrubberOf("host=h password=of&two;parts")
	require.Equal(t, Hidden+" "+Hidden, s.Clean("of&two;parts of%26two%3Bparts"))
	s = scrubberOf("file:app.db?hexkey=first-key&textkey=second-key")
	require.Equal(t, Hidden+" "+Hidden, s.Clean("first-key second-key"))
	s = scrubberOf("u:long-secret@tcp(h)/db?allowCleartextPasswords=true")
	require.Equal(t, fmt.Sprint(true, " "+Hidden), s.Clean("true long-secret"))
	s = ScrubberOf("audit", "host=h", "password=of-a-piece", "postgres://u:of-a-url@h/db")
	require.Equal(t, "audit host=h "+Hidden+" "+Hidden, s.Clean("audit host=h of-a-piece of-a-url"))
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
