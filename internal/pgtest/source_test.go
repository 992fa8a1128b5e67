package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestOrderOfSources(t *testing.T) {
	cases := map[string]struct {
		env  map[string]string
		want []string
	}{
		"by default":          {nil, []string{"Docker", "cluster", "installed cluster"}},
		"Docker off":          {map[string]string{dockerEnv: "off"}, []string{"cluster", "installed cluster"}},
		"Docker required":     {map[string]string{dockerEnv: "require"}, []string{"Docker"}},
		"a DSN is the only":   {map[string]string{dsnEnv: "host=db"}, []string{dsnEnv}},
		"a DSN before Docker": {map[string]string{dsnEnv: "host=db", dockerEnv: "require"}, []string{dsnEnv}},
		"a mode unknown":      {map[string]string{dockerEnv: "on"}, []string{dockerEnv}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range sources(env(tc.env)) {
				got = append(got, s.name)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestChooseTakesTheFirstAndJoinsReasons(t *testing.T) {
	errA, errB := errors.New("a is down"), errors.New("b is down")
	down := func(err error) func(context.Context) (*server, error) {
		return func(context.Context) (*server, error) { return nil, err }
	}
	up := func(kind string) func(context.Context) (*server, error) {
		return func(context.Context) (*server, error) { return &server{kind: kind}, nil }
	}
	srv, err := choose(t.Context(), []source{{"a", down(errA)}, {"b", up("b")}, {"c", up("c")}})
	require.NoError(t, err)
	require.Equal(t, "b", srv.kind)

	_, err = choose(t.Context(), []source{{"a", down(errA)}, {"b", down(errB)}})
	require.ErrorIs(t, err, errA)
	require.ErrorIs(t, err, errB)
	require.ErrorContains(t, err, "install PostgreSQL's server")
}

func TestUnknownDockerMode(t *testing.T) {
	_, err := choose(t.Context(), sources(env(map[string]string{dockerEnv: "on"})))
	require.ErrorContains(t, err, `"on", not "", "off" or "require"`)
}

func TestDSNIsUsedAsItIs(t *testing.T) {
	Admin(t)
	dsn := common.server.dsn
	srv, err := choose(t.Context(), sources(env(map[string]string{dsnEnv: dsn, dockerEnv: "off"})))
	require.NoError(t, err)
	require.Equal(t, "dsn", srv.kind)
	require.Equal(t, dsn, srv.dsn)
	require.NoError(t, srv.stop(), "a server of somebody else's is not stopped")
	require.NoError(t, Admin(t).Ping())

	_, err = choose(t.Context(), sources(env(map[string]string{dsnEnv: "host=127.0.0.1 port=1 sslmode=disable"})))
	require.ErrorContains(t, err, dsnEnv, "and nothing else is tried")
}

func TestDockerThatDoesNotAnswer(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	_, err := choose(t.Context(), sources(env(map[string]string{dockerEnv: "require"})))
	require.ErrorContains(t, err, "no engine answers")

	if _, err := pgcluster.Programs(); err != nil {
		t.Skip(err)
	}
	srv, err := choose(t.Context(), sources(env(nil)))
	require.NoError(t, err)
	require.Equal(t, "cluster", srv.kind)
	require.NoError(t, srv.stop())
}

func TestNothingToBeHad(t *testing.T) {
	t.Setenv(pgcluster.BinEnv, t.TempDir())
	_, err := fromCluster(t.Context())
	require.ErrorIs(t, err, pgcluster.ErrNoPrograms)
}

func TestScript(t *testing.T) {
	root := t.TempDir()
	scripts := filepath.Join(root, "testdata", "postgres")
	nested := filepath.Join(root, "nested", "deep")
	require.NoError(t, os.MkdirAll(scripts, 0o750))
	require.NoError(t, os.MkdirAll(nested, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(scripts, "try.sh"), []byte(`echo "got $1"; exit "$1"`), 0o600))
	t.Chdir(nested)
	require.NoError(t, script(t.Context(), "try.sh", "0"))
	require.ErrorContains(t, script(t.Context(), "try.sh", "3"), "exit status 3\ngot 3")
	require.ErrorContains(t, script(t.Context(), "none.sh"), "no testdata/postgres/none.sh")
}

func TestWithSettings(t *testing.T) {
	set := map[string]string{"search_path": "t_1", "application_name": "t_1"}
	cases := map[string]struct {
		dsn, want string
	}{
		"keywords":             {"host=h port=5 user=u dbname=d", "host=h port=5 user=u dbname=d application_name=t_1 search_path=t_1"},
		"keywords, replaced":   {"host=h search_path=other", "host=h search_path=other application_name=t_1 search_path=t_1"},
		"nothing":              {"", "application_name=t_1 search_path=t_1"},
		"URL":                  {"postgres://u@h:5/d", "postgres://u@h:5/d?application_name=t_1&search_path=t_1"},
		"URL, other scheme":    {"postgresql://u@h:5/d", "postgresql://u@h:5/d?application_name=t_1&search_path=t_1"},
		"URL with a query":     {"postgres://u@h:5/d?sslmode=disable", "postgres://u@h:5/d?application_name=t_1&search_path=t_1&sslmode=disable"},
		"URL, replaced":        {"postgres://u@h:5/d?search_path=other", "postgres://u@h:5/d?application_name=t_1&search_path=t_1"},
		"URL of two hosts":     {"postgres://u@h:5,i:6/d", "postgres://u@h:5,i:6/d?application_name=t_1&search_path=t_1"},
		"URL, a space escaped": {"postgres://u@h/d?options=-c%20jit%3Doff", "postgres://u@h/d?application_name=t_1&options=-c%20jit%3Doff&search_path=t_1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := withSettings(tc.dsn, set)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			config, err := pgconn.ParseConfig(got)
			require.NoError(t, err, "the driver takes it")
			require.Equal(t, "t_1", config.RuntimeParams["search_path"])
			require.Equal(t, "t_1", config.RuntimeParams["application_name"])
		})
	}
	t.Run("keywords, quoted", func(t *testing.T) {
		got, err := withSettings("host=h", map[string]string{"search_path": `a 'b' \c`})
		require.NoError(t, err)
		config, err := pgconn.ParseConfig(got)
		require.NoError(t, err)
		require.Equal(t, `a 'b' \c`, config.RuntimeParams["search_path"])
	})
	t.Run("URL, malformed", func(t *testing.T) {
		_, err := withSettings("postgres://h/d?a=%zz", set)
		require.ErrorContains(t, err, "invalid URL escape")
	})
}

func TestSplitImage(t *testing.T) {
	for image, want := range map[string][2]string{
		"postgres":                     {"postgres", "latest"},
		"postgres:17-alpine":           {"postgres", "17-alpine"},
		"localhost:5000/postgres":      {"localhost:5000/postgres", "latest"},
		"localhost:5000/team/pg:16":    {"localhost:5000/team/pg", "16"},
		"registry.example/m2msafe/a:b": {"registry.example/m2msafe/a", "b"},
	} {
		repository, tag := splitImage(image)
		require.Equal(t, want, [2]string{repository, tag}, image)
	}
}
