package auditcmd

import (
	"database/sql"
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
		"postgres://u:p@h/db":               postgresKind,
		"postgresql:///db?host=/run":        postgresKind,
		"POSTGRES://h/db":                   postgresKind,
		"host=127.0.0.1 dbname=app":         postgresKind,
		"  user = me password='a b'":        postgresKind,
		"service=app":                       postgresKind,
		"u:p@tcp(127.0.0.1:3306)/db":        mysqlKind,
		"u:p/w@x@tcp(h:3306)/db?tls=true":   mysqlKind,
		"u@unix(/run/mysqld/mysqld.sock)/x": mysqlKind,
		"tcp(h)/db":                         mysqlKind,
		"u@/db":                             mysqlKind,
		"mysql://u:p@h/db":                  mysqlKind,
		"mariadb://h/db":                    mysqlKind,
		"app.db":                            sqliteKind,
		filepath.Join(dir, "app.db"):        sqliteKind,
		"odd@(dir)/app.db":                  sqliteKind,
		"file:app.db?cache=private":         sqliteKind,
		"sqlite://app.db":                   sqliteKind,
		"missing.db":                        "",
		"/missing/app.db":                   "",
		"oracle://u:p@h/db":                 "",
		"":                                  "",
	} {
		require.Equal(t, want, kindOf(dsn), dsn)
	}
}

func TestOpenSQLiteReadsAndMakesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a file?100%.db")
	db, err := sql.Open("sqlite3", "file:"+url.PathEscape(file))
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE kept (n int)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	escaped := (&url.URL{Path: file}).EscapedPath()
	for _, dsn := range []string{file, "file:" + escaped, "file://" + escaped + "?mode=rwc&_txlock=immediate", "sqlite://" + escaped} {
		db, kind, _, err := open(t.Context(), dsn)
		require.NoError(t, err, dsn)
		require.Equal(t, sqliteKind, kind)
		var tables int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'kept'").Scan(&tables), dsn)
		require.Equal(t, 1, tables, dsn)
		_, err = db.Exec("CREATE TABLE another (n int)")
		require.ErrorContains(t, err, "readonly", dsn)
		require.NoError(t, db.Close())
	}
	missing := filepath.Join(dir, "missing.db")
	for dsn, want := range map[string]string{
		"file:" + missing: "no SQLite database: stat " + missing,
		dir:               "is a folder",
		missing:           "no file has its name",
		"file:%zz":        "can't be read",
	} {
		_, _, _, err := open(t.Context(), dsn)
		require.ErrorContains(t, err, want)
	}
	require.NoFileExists(t, missing)
}

// A database whose log has not been written back, under an app that writes.
func TestOpenSQLiteBesideAWriter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	writer, err := sql.Open("sqlite3", "file:"+file+"?_pragma=journal_mode(wal)")
	require.NoError(t, err)
	defer func() { require.NoError(t, writer.Close()) }()
	_, err = writer.Exec("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1), (2)")
	require.NoError(t, err)
	begun, err := writer.Begin()
	require.NoError(t, err)
	_, err = begun.Exec("INSERT INTO kept VALUES (3)")
	require.NoError(t, err)
	db, _, _, err := open(t.Context(), file)
	require.NoError(t, err)
	var rows int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM kept").Scan(&rows))
	require.Equal(t, 2, rows)
	require.NoError(t, db.Close())
	require.NoError(t, begun.Commit(), "the writer was not disturbed")
}

func TestOpenSays(t *testing.T) {
	for dsn, want := range map[string]string{
		"oracle://u:hush-hush@h/db":               "can't tell whose DSN this is",
		"postgres://u:hush-hush@127.0.0.1:1/db":   "can't reach the database: failed to connect to `user=u database=db`",
		"postgres://u:hush/hush@127.0.0.1/db":     "it is no URL",
		"postgres://u:hush-hush@h:99999999/db":    "the DSN can't be read",
		"port=hush-hush password=hush-hush":       "the DSN can't be read",
		"u:hush-hush@tcp(127.0.0.1:1)/db":         "can't reach the database: dial tcp 127.0.0.1:1",
		"u:hush-hush@tcp(127.0.0.1:1)/":           "names no database",
		"u:hush-hush@tcp(127.0.0.1:1)/db?tls=x/y": "the DSN can't be read",
		"u:hush-hush@hush(127.0.0.1:1)/db":        "can't reach the database",
		"mysql://u:hush-hush@127.0.0.1:1/db":      "can't reach the database: dial tcp 127.0.0.1:1",
		"mysql://u:hush-hush@127.0.0.1:1":         "names no database",
		"mysql://u:hush/hush@127.0.0.1/db":        "it is no URL",
		"mysql://u:p@127.0.0.1:1/db?tls=hush":     "the DSN can't be read",
	} {
		_, _, _, err := open(t.Context(), dsn)
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
	for _, password := range []string{"hush-hush", "p@ss:w/rd", "100%zz?", `it's \ "one"`, "a&password=b#c", "ключ ключ", "){(tcp(", "://pass/"} {
		for form := range forms {
			f.Add(form, password)
		}
	}
	f.Fuzz(func(t *testing.T, form int, password string) {
		if form < 0 || form >= len(forms) || utf8.RuneCountInString(password) < 6 || !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
			t.Skip()
		}
		for _, word := range []string{Forms, "can't reach the database: •••", "can't tell whose DSN this is, and no file has its name (it is not repeated here: there may be a password in it)\na DSN is"} {
			if strings.Contains(word, password) {
				t.Skip("a word of the message by chance")
			}
		}
		_, _, scrub, err := parse(forms[form](password))
		if form < calledForms {
			_, _, scrub, err = open(t.Context(), forms[form](password))
			require.Error(t, err)
			require.NotContains(t, scrub.clean("can't log in with "+password+"."), password)
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
	require.Equal(t, "table about: user=••• (•••)", s.clean("table about: user=ab (ab)"))
	require.Equal(t, "nothing to hide in app.db", scrubberOf("app.db").clean("nothing to hide in app.db"))
	s = scrubberOf("u:long-secret@tcp(h)/db?allowCleartextPasswords=true")
	require.Equal(t, fmt.Sprint(true, " "+hidden), s.clean("true long-secret"))
	t.Setenv("PGPASSWORD", "from-outside")
	require.Equal(t, hidden, scrubberOf("host=h").clean("from-outside"))
}
