package pgcluster

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/throwaway"
	"go.uber.org/goleak"
)

// needPrograms skips a test on a machine without PostgreSQL, which is a valid
// one: internal/pgtest then installs it or takes a container.
func needPrograms(t *testing.T) {
	t.Helper()
	if _, err := Programs(); err != nil {
		t.Skip(err)
	}
}

func startCluster(t *testing.T) *Cluster {
	t.Helper()
	needPrograms(t)
	c, err := Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	return c
}

func TestStartServesAndStopLeavesNothing(t *testing.T) {
	needPrograms(t)
	t.Cleanup(func() { goleak.VerifyNone(t) }) // last: after the pool is closed
	c := startCluster(t)
	db, err := sql.Open("pgx", c.DSN())
	require.NoError(t, err)
	defer db.Close()

	for setting, want := range map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"full_page_writes":        "off",
		"max_connections":         "200",
		"server_encoding":         "UTF8",
		"TimeZone":                "UTC",
		"port":                    strconv.Itoa(c.port),
	} {
		var got string
		require.NoError(t, db.QueryRow("SELECT current_setting($1)", setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
	require.NoError(t, db.Close())

	dir, pid := c.folder.Dir, c.server.PID
	require.DirExists(t, dir)
	require.NoError(t, c.Stop())
	require.NoDirExists(t, dir)
	_, err = net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), time.Second)
	require.Error(t, err, "the port still answers")
	require.Eventually(t, func() bool { return !alive(pid) }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, c.Stop(), "a second Stop")
}

func TestSettingsWinOverThePackagesOwn(t *testing.T) {
	needPrograms(t)
	c, err := Start(t.Context(), "work_mem=12MB", "max_connections=33")
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Stop()) }()
	db, err := sql.Open("pgx", c.DSN())
	require.NoError(t, err)
	defer db.Close()
	for setting, want := range map[string]string{"work_mem": "12MB", "max_connections": "33", "fsync": "off"} {
		var got string
		require.NoError(t, db.QueryRow("SELECT current_setting($1)", setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
}

func TestPasswordIsAskedFor(t *testing.T) {
	c := startCluster(t)
	db, err := sql.Open("pgx", strings.Replace(c.DSN(), c.password, "wrong", 1))
	require.NoError(t, err)
	defer db.Close()
	require.ErrorContains(t, db.Ping(), "password authentication failed")
	require.NoFileExists(t, filepath.Join(c.folder.Dir, "password"))
}

func TestPortTakenByAnother(t *testing.T) {
	needPrograms(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	takenPort := taken.Addr().(*net.TCPAddr).Port

	t.Run("the next one is tried", func(t *testing.T) {
		calls := 0
		c, err := start(t.Context(), programs(t), func() (int, error) {
			if calls++; calls == 1 {
				return takenPort, nil
			}
			return throwaway.FreePort()
		})
		require.NoError(t, err)
		require.Equal(t, 2, calls)
		require.NotEqual(t, takenPort, c.port)
		require.NoError(t, c.Stop())
	})
	t.Run("given up in the end, with the log", func(t *testing.T) {
		tmp := openTemp(t)
		calls := 0
		_, err := start(t.Context(), programs(t), func() (int, error) { calls++; return takenPort, nil })
		require.ErrorIs(t, err, errPortTaken)
		require.ErrorContains(t, err, "could not bind", "the server's log")
		require.Equal(t, portTries, calls)
		require.Empty(t, folders(t, tmp))
	})
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	needPrograms(t)
	tmp := openTemp(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Start(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, folders(t, tmp))
}

func TestNoPrograms(t *testing.T) {
	t.Setenv(BinEnv, t.TempDir())
	_, err := Start(t.Context())
	require.ErrorIs(t, err, ErrNoPrograms)
	require.ErrorContains(t, err, BinEnv)
}

func TestNewestFirst(t *testing.T) {
	got := newestFirst([]string{
		"/usr/lib/postgresql/9.6/bin",
		"/opt/other/bin",
		"/usr/lib/postgresql/15/bin",
		"/opt/homebrew/opt/postgresql@16/bin",
		"/usr/pgsql-14/bin",
		"/usr/libexec/postgresql17",
	})
	require.Equal(t, []string{
		"/usr/libexec/postgresql17",
		"/opt/homebrew/opt/postgresql@16/bin",
		"/usr/lib/postgresql/15/bin",
		"/usr/pgsql-14/bin",
		"/usr/lib/postgresql/9.6/bin",
		"/opt/other/bin",
	}, got)
}

func TestClosedTempFolderIsNotUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	needPrograms(t)
	closed := filepath.Join(t.TempDir(), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	t.Setenv("TMPDIR", closed)
	c := startCluster(t)
	require.False(t, strings.HasPrefix(c.folder.Dir, closed), c.folder.Dir)
	require.Empty(t, folders(t, closed))
}

// openTemp makes TMPDIR a fresh folder that any user can enter, which
// t.TempDir's parents are not bound to be.
func openTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "m2msafe-test-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Setenv("TMPDIR", dir)
	return dir
}

func folders(t *testing.T, base string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	require.NoError(t, err)
	return found
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	// A dead process that nobody has waited for yet is a zombie, and not alive.
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil {
		return !strings.Contains(string(stat), ") Z ")
	}
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func programs(t *testing.T) string {
	t.Helper()
	bin, err := Programs()
	require.NoError(t, err)
	return bin
}
