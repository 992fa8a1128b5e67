package pgcluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const childEnv = "M2MSAFE_PGCLUSTER_CHILD"

// TestMain lets this test binary be started as a program that owns a cluster.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	c, err := Start(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.server.PID, c.folder.Dir)
	select {}
}

func TestServerDiesWithItsParent(t *testing.T) {
	needPrograms(t)
	openTemp(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(exe)
	child.Env = append(os.Environ(), childEnv+"=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var pid int
	var dir string
	_, err = fmt.Sscan(line, &pid, &dir)
	require.NoError(t, err, line)
	require.True(t, alive(pid))

	// While its owner lives a folder is nobody else's to remove.
	c, err := Start(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Stop())
	require.DirExists(t, dir)

	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait()
	require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 10*time.Millisecond,
		"the server outlived a parent that was killed")

	require.DirExists(t, dir, "nobody was there to remove it")
	c, err = Start(t.Context())
	require.NoError(t, err)
	require.NoDirExists(t, dir, "the next start removes it")
	require.NoError(t, c.Stop())
}
