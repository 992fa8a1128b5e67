package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/lab"
)

// terminal is a pseudo-terminal of 100 columns: what is written to it comes out of the
// first, and a program is given the second.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	require.NoError(t, unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}))
	return ours, theirs
}

func TestAuditOnATerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, runSQLite(file, `CREATE TABLE users (id integer PRIMARY KEY); CREATE TABLE groups (id integer PRIMARY KEY);
		CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)`))
	for name, c := range map[string]struct {
		env  []string
		want []string
		not  []string
	}{
		"color": {[]string{"TERM=xterm", "NO_COLOR="}, []string{"\x1b[31;1merror\x1b[0m", "\x1b[2K\x1b[1mm2msafe audit\x1b[0m"}, nil},
		// The bar is drawn all the same: it is no color. It is taken away by blanks.
		"NO_COLOR": {[]string{"TERM=xterm", "NO_COLOR=1"}, []string{"error  user_groups", "\r" + strings.Repeat(" ", 99) + "\rm2msafe audit"}, []string{"\x1b"}},
		"dumb":     {[]string{"TERM=dumb", "NO_COLOR="}, []string{"error  user_groups"}, []string{"\x1b", "\r ", "▕"}},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := terminal(t)
			cmd := exec.CommandContext(t.Context(), "m2msafe", "audit", file)
			cmd.Env = append(os.Environ(), c.env...)
			cmd.Stdout, cmd.Stderr = theirs, theirs
			require.NoError(t, cmd.Start())
			require.NoError(t, theirs.Close())
			var screen bytes.Buffer
			_, _ = io.Copy(&screen, ours) // ends with an error when the program has ended
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &exit)
			require.Equal(t, exitUnclean, exit.ExitCode())
			for _, want := range c.want {
				require.Contains(t, screen.String(), want)
			}
			for _, not := range c.not {
				require.NotContains(t, screen.String(), not)
			}
		})
	}
}

// A terminal that knows no control sequences gets the lines of a pipe.
func TestLabOnADumbTerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	ours, theirs := terminal(t)
	l := &lab.Lab{}
	watch(l, theirs)()
	l.Progress(&lab.Experiment{Name: "hooks"}, nil)
	require.NoError(t, theirs.Close())
	screen, _ := io.ReadAll(ours) // ends with an error
	require.Equal(t, "m2msafe: running hooks\r\n", string(screen))
	require.NoError(t, ours.Close())
}

// TestProgressOfAnAudit is of the bar that is drawn while a table is looked at: whose it is,
// in letters that move no cursor, how many there are, and that it goes away.
func TestProgressOfAnAudit(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	ours, theirs := terminal(t)
	progress, looked := watchAudit(theirs)
	progress(2, 8, "user\x1b[2Jgroups")
	drawn := make(chan string)
	go func() {
		var screen []byte
		defer func() { drawn <- string(screen) }()
		for some := make([]byte, 1024); !bytes.HasSuffix(screen, []byte("\r\x1b[2K")); {
			n, err := ours.Read(some)
			if err != nil {
				return
			}
			if screen = append(screen, some[:n]...); bytes.Contains(screen, []byte("2/8")) {
				looked()
			}
		}
	}()
	select {
	case screen := <-drawn:
		require.Contains(t, screen, `user\x1b[2Jgroups`)
		require.Contains(t, screen, "2/8")
		require.Regexp(t, "\r\x1b\\[2K$", screen)
	case <-time.After(30 * time.Second):
		t.Fatal("no bar was drawn")
	}
	require.NoError(t, theirs.Close())
	require.NoError(t, ours.Close())
}
