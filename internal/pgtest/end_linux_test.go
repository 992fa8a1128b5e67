package pgtest

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const endEnv = "M2MSAFE_PGTEST_END"

// TestServerGoesWithTheTests starts this test binary again, lets it end in
// every way that a test run can end in, and looks whether its server, cluster
// or container, is gone.
func TestServerGoesWithTheTests(t *testing.T) {
	Admin(t)
	if ServerKind() == "dsn" {
		t.Skip(dsnEnv + " names a server that is not ours to stop")
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	// A killed process cannot remove its folder, so all of them make it in here.
	tmp, err := os.MkdirTemp("", "m2msafe-test-*")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(tmp, 0o755)) // the server has a user of its own
	t.Cleanup(func() {
		// The last of the server's processes may be writing yet.
		require.Eventually(t, func() bool { return os.RemoveAll(tmp) == nil }, 10*time.Second, 50*time.Millisecond)
	})
	for _, end := range []string{"return", "fail", "exit", "panic in a goroutine", "interrupt", "kill"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(exe, "-test.run=^TestAnotherRun$", "-test.v")
			child.Env = append(os.Environ(), endEnv+"="+end, "TMPDIR="+tmp)
			out, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			var dsn string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if rest, ok := strings.CutPrefix(lines.Text(), "server: "); ok {
					dsn = rest
					db, err := open(t.Context(), dsn)
					require.NoError(t, err)
					require.NoError(t, db.Close())
					switch end {
					case "interrupt":
						require.NoError(t, child.Process.Signal(os.Interrupt))
					case "kill":
						require.NoError(t, child.Process.Kill())
					}
				}
			}
			err = child.Wait()
			require.NotEmpty(t, dsn)
			if end == "return" {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
			require.Eventually(t, func() bool { return !answers(dsn) }, 20*time.Second, 50*time.Millisecond,
				"the server outlived its tests")
		})
	}
}

// TestAnotherRun is the run that TestServerGoesWithTheTests starts.
func TestAnotherRun(t *testing.T) {
	end := os.Getenv(endEnv)
	if end == "" {
		t.Skip("the body of TestServerGoesWithTheTests")
	}
	DSN(t)
	fmt.Println("\nserver: " + common.server.dsn)
	switch end {
	case "interrupt", "kill":
		select {}
	}
	time.Sleep(time.Second) // the parent has a look first
	switch end {
	case "fail":
		t.Fail()
	case "exit":
		os.Exit(3)
	case "panic in a goroutine":
		go func() { panic("on purpose") }()
		select {}
	}
}

func answers(dsn string) bool {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return false
	}
	defer db.Close()
	return db.Ping() == nil
}
