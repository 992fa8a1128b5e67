package dsn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A password that was not escaped is cut apart by what is in it. Nothing is dialled then,
// and no piece of it is printed.
func TestNoPieceOfAPasswordIsSaid(t *testing.T) {
	const noURL = "it is no URL (in a password"
	const noList = "a value with blanks has to stand in quotes"
	const noNetwork = "it has neither tcp(host:port) nor unix(socket)"
	for dsn, c := range map[string]struct {
		want   string
		pieces []string
	}{
		"postgres://app:pa@ssw0rd/xyzw@127.0.0.1:1/db":               {noURL, []string{"ssw0rd", "xyzw"}},
		"postgres://app:read@word/in@127.0.0.1:1/db":                 {"the DSN can't be read: " + noURL, nil}, // words of ours are not hidden: that would tell
		"postgres://app:pa@ssw0rd@127.0.0.1:1/db":                    {noURL, []string{"ssw0rd"}},
		"postgres://app:77/secretword@127.0.0.1:1/db":                {noURL, []string{"secretword"}},
		"postgres://postgres:a:b@c/d?e#frag@127.0.0.1:1/db":          {noURL, []string{"frag"}},
		"postgres://app:77?user=secret@xyzw":                         {noURL, []string{"secret", "xyzw"}},
		"postgres://app:77/x?secret=xyzw@127.0.0.1/db":               {noURL, []string{"secret", "xyzw"}},
		"postgres://app:77/x?user=xyzw@127.0.0.1/db":                 {noURL, []string{"xyzw"}},
		"postgres://127.0.0.1:1/db?user=u&password=abcd&xyzw":        {noURL, []string{"abcd", "xyzw"}},
		"postgres://127.0.0.1:1/db?user=u&password=abcd secret":      {noURL, []string{"abcd", "secret"}},
		"mysql://app:pa@ssw0rd/xyzw@127.0.0.1:1/db":                  {noURL, []string{"ssw0rd", "xyzw"}},
		"mysql://app:pa@ssw0rd?xyzw@127.0.0.1:1/db":                  {noURL, []string{"ssw0rd", "xyzw"}},
		"mysql://app:77#secret@127.0.0.1:1/db":                       {noURL, []string{"secret"}},
		"mysql://app:77?secret=xyzw@127.0.0.1:1/db":                  {noURL, []string{"secret", "xyzw"}},
		"app:pa@ssw0rd(x)/y":                                         {noNetwork, []string{"ssw0rd"}},
		"app:pa@ssw0rd/y":                                            {noNetwork, []string{"ssw0rd"}},
		"app:hush@tcp(127.0.0.1:1)/db?loc=Europe/Berlin":             {"/ and % are written as %2F", []string{"hush"}},
		"host=127.0.0.1 port=1 password=correct horse batt dbname=x": {noList, []string{"correct", "horse", "batt"}},
		`host=127.0.0.1 port=1 password=pa ss'wo\rd`:                 {noList, []string{"ss'wo"}},
		`host=127.0.0.1 port=1 password='it''secret' dbname=x`:       {noList, []string{"secret"}},
		`host=127.0.0.1 port=1 password='secret`:                     {noList, []string{"secret"}},
		`host=127.0.0.1 password=secret xyzw`:                        {noList, []string{"secret", "xyzw"}},
	} {
		t.Run(dsn, func(t *testing.T) {
			_, _, _, err := Open(t.Context(), dsn)
			require.ErrorContains(t, err, c.want)
			for _, piece := range c.pieces {
				require.NotContains(t, err.Error(), piece)
			}
		})
	}
}

// These can be read in one way.
func TestBareSignsThatAreNoPassword(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://127.0.0.1:1/db?user=me@example.com":                 "user=me@example.com database=db",
		"postgres:///db?host=127.0.0.1&port=1&user=me@example.com":      "user=me@example.com database=db",
		"postgres://u:pa#ss@127.0.0.1:1/db":                             "user=u database=db",
		"postgres://u:p@127.0.0.1:1,127.0.0.1:2/db":                     "127.0.0.1:2",
		`host=127.0.0.1 port=1 user=u password=a\ b dbname=db`:          "user=u database=db",
		`host=127.0.0.1 port=1 user=u password = 'a b\'c' dbname=db `:   "user=u database=db",
		`host=127.0.0.1 port=1 password= user=u dbname=db`:              "database=db",
		`host=127.0.0.1 port=1 user=u dbname=db options='-c x=a b' p=\`: "user=u database=db",
	} {
		t.Run(dsn, func(t *testing.T) {
			_, _, _, err := Open(t.Context(), dsn)
			require.ErrorContains(t, err, "can't reach the database")
			require.ErrorContains(t, err, want)
		})
	}
}

// A server repeats the names of settings that it does not know.
func TestTheRestOfAPasswordIsHidden(t *testing.T) {
	for _, dsn := range []string{
		"host=127.0.0.1 password=pass secretword=more again=x dbname=db",
		"postgres://127.0.0.1/db?password=pass&secretword=more&again=x",
		`host=127.0.0.1 password=pass secretword='more' again=\x`,
	} {
		_, _, s, err := parse(dsn)
		require.NoError(t, err)
		require.Equal(t, `unrecognized "•••", •••, "•••"`, s.Clean(`unrecognized "secretword", more, "again"`), dsn)
	}
	_, _, s, err := parse("host=127.0.0.1 password='pass' work_mem=1MB")
	require.NoError(t, err)
	require.Equal(t, `"work_mem": 1MB`, s.Clean(`"work_mem": 1MB`))
}

func TestBlanksAround(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u@127.0.0.1:1/shop\n":                 "database=shop`",
		" postgres://u@127.0.0.1:1/shop\r\n":              "database=shop`",
		"\thost=127.0.0.1 port=1 user=u dbname=shop\n":    "database=shop`",
		" u:hush-hush@tcp(127.0.0.1:1)/shop\n":            "dial tcp 127.0.0.1:1",
		"mysql://u:hush-hush@127.0.0.1:1/shop?charset=x ": "dial tcp 127.0.0.1:1",
	} {
		_, _, _, err := Open(t.Context(), dsn)
		require.ErrorContains(t, err, want, dsn)
	}
	s := Scrubber{}
	config, err := configPostgres(trim(`host=h password=ends\ `), &s)
	require.NoError(t, err)
	require.Equal(t, "ends ", config.Password)
	configured, err := configMySQL(trim(" u:p@tcp(h)/shop\n"), &s)
	require.NoError(t, err)
	require.Equal(t, "u|shop", configured.User+"|"+configured.DBName)
}
