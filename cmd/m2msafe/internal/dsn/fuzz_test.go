package dsn

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

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
	func(p string) string { return "host=127.0.0.1 port=1 user=u password=" + p + " dbname=db" },
	func(p string) string { return "postgres://127.0.0.1:1/db?user=u&password=" + p },
	func(p string) string { return "u:" + p + "/db" },
	func(p string) string { return "u:" + p + "@127.0.0.1/db" },
}

const calledForms = 7

func pgQuote(s string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) }

var (
	separators = regexp.MustCompile(`[@:/?#=&()\s\v]+`)
	// setting is one that a password has to be escaped for: no rule tells it from the DSN's own.
	setting = regexp.MustCompile(`(?i)[\s\v&?](` + settings + `|\w*(password|passwd|pwd|secret|token)\w*|(hex|text)?key)[\s\v]*=`)
)

// read is all that a driver would be given of a DSN, and might repeat, but for the password.
func read(t *testing.T, dsn string) (text string, err error) {
	dsn = trim(dsn)
	s := scrubberOf(dsn)
	switch kindOf(dsn) {
	case Postgres:
		config, err := configPostgres(dsn, &s)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf("%q %q %q %v", config.Host, config.User, config.Database, config.RuntimeParams)
		for _, f := range config.Fallbacks {
			text += f.Host + " "
		}
	case MySQL:
		config, err := configMySQL(dsn, &s)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf("%q %q %q %q %v", config.User, config.Net, config.Addr, config.DBName, config.Params)
	default:
		t.Skip("no server's")
	}
	return s.Clean(text), nil
}

// FuzzNoPasswordIsInAnError looks for the password, and for each piece of it that a
// separator might cut off.
func FuzzNoPasswordIsInAnError(f *testing.F) {
	f.Setenv("PGSERVICE", "") // the machine's own settings are not what is tested
	said := Forms + errNoURL.Error()
	for form := range forms { // what is said whatever the password is
		for _, password := range []string{"0", "1@0", "0 1", "0/1", "%"} {
			_, _, _, err := parse(forms[form](password))
			if err == nil && form < calledForms {
				_, _, _, err = Open(f.Context(), forms[form](password))
			}
			if err == nil {
				continue
			}
			said += err.Error()
		}
	}
	said += "missing.db •••"
	for _, password := range []string{"hush-hush", "p@ss:w/rd", "100%zz?", `it's \ "one"`, "a&password=b#c", "ключ ключ", "){(tcp(", "://pass/", "//slashes", "&and=;more",
		"pa@ssw0rd/xy", "77/secretword", "postgres:a:b@c/d?e#fragment", "pa@ssw0rd?xy", "pa@ssw0rd(x)/y", "correct horse battery", `pa ss'wo\rd`, "pa@ssw0rd(x)", "77?hushed=more", "more work_mem=hushed", "ключ\x01secret", "abcd&hushed&more", "abcd&= hushed", `abcd more=hu\shed`} {
		for form := range forms {
			f.Add(form, password)
		}
	}
	f.Fuzz(func(t *testing.T, form int, password string) {
		if form < 0 || form >= len(forms) || utf8.RuneCountInString(password) < 6 || !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
			t.Skip("no form, or a password that is a part of words or no text")
		}
		var secrets []string
		for _, secret := range append(separators.Split(password+" "+strings.ReplaceAll(password, `\`, ""), -1), password, url.QueryEscape(password)) {
			if utf8.RuneCountInString(secret) > 3 && !strings.Contains(said, secret) {
				secrets = append(secrets, secret)
			}
		}
		dsn := forms[form](password)
		_, _, scrub, err := parse(dsn)
		if form < calledForms {
			_, _, scrub, err = Open(t.Context(), dsn)
			require.Error(t, err)
			if !strings.Contains(said, password) {
				require.NotContains(t, scrub.Clean("can't log in with "+password+"."), password)
			}
		}
		if err != nil {
			for _, secret := range secrets {
				require.NotContains(t, err.Error(), secret)
			}
			return
		}
		if setting.MatchString(password) {
			return
		}
		text, err := read(t, dsn)
		require.NoError(t, err)
		for _, secret := range secrets {
			require.NotContains(t, text, secret)
		}
	})
}
