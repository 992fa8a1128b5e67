package auditlab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// django is a running testdata/django/lab.py. It does one job at a time.
type django struct {
	sync.Mutex
	in  io.WriteCloser
	out *bufio.Scanner
}

var stopDjango func() error

// theDjango is the one of all tests; Django is installed where it can be. Where it can't,
// tests fail that want it: nothing that needs Django passes without it.
var theDjango = sync.OnceValues(func() (*django, error) {
	if out, err := install("django"); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	cmd := exec.Command("/usr/bin/python3", "lab.py")
	cmd.Dir = filepath.Join("testdata", "django")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stopDjango = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	return &django{in: in, out: bufio.NewScanner(out)}, nil
})

// say sends a line.
func (p *django) say(t testing.TB, what any) {
	t.Helper()
	require.NoError(t, json.NewEncoder(p.in).Encode(what))
}

// hear reads a line.
func (p *django) hear(t testing.TB, into any) {
	t.Helper()
	require.True(t, p.out.Scan(), "Django has ended: %v", p.out.Err())
	require.NoError(t, json.Unmarshal(p.out.Bytes(), into), p.out.Text())
}

// begin begins a job on a database. Whoever calls it has locked p.
func (p *django) begin(t testing.TB, job string, d *database) {
	t.Helper()
	p.say(t, map[string]any{"do": job, "database": d.django})
}

// end waits for the end of a job.
func (p *django) end(t testing.TB) {
	t.Helper()
	var answer struct{ Error string }
	p.hear(t, &answer)
	require.Empty(t, answer.Error)
}

func runDjango(t testing.TB, job string, d *database) {
	t.Helper()
	p, err := theDjango()
	require.NoError(t, err)
	p.Lock()
	defer p.Unlock()
	p.begin(t, job, d)
	p.end(t)
}

func migrateDjango(t testing.TB, d *database) { runDjango(t, "migrate", d) }

// smokeDjango has the app use each of its relations, from both sides.
func smokeDjango(t testing.TB, d *database) { runDjango(t, "smoke", d) }
