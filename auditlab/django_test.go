package auditlab

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// djangoInstalled installs Django where it can.
var djangoInstalled = sync.OnceValues(func() (string, error) { return install("django") })

// djangoCommand is one of testdata/django/lab.py, on a database. The test is left out where
// Django is neither there nor can be installed.
func djangoCommand(t testing.TB, d *database, args ...string) *exec.Cmd {
	t.Helper()
	if out, err := djangoInstalled(); err != nil {
		if os.Geteuid() != 0 {
			t.Skip(out)
		}
		require.NoError(t, err, out)
	}
	settings, err := json.Marshal(d.django)
	require.NoError(t, err)
	cmd := exec.Command("/usr/bin/python3", append([]string{"lab.py"}, args...)...)
	cmd.Dir = filepath.Join("testdata", "django")
	cmd.Env = append(os.Environ(), "LAB_DATABASE="+string(settings), "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// runDjango runs a command to its end.
func runDjango(t testing.TB, d *database, args ...string) {
	t.Helper()
	out, err := djangoCommand(t, d, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func migrateDjango(t testing.TB, d *database) { runDjango(t, d, "migrate", "-v0") }

// smokeDjango has the app use each of its relations, from both sides.
func smokeDjango(t testing.TB, d *database) { runDjango(t, d, "smoke") }
