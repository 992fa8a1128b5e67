package auditcmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDocsLockTimeout types what docs/audit.md says, while somebody keeps a transaction
// open that has written, and again when it has ended.
func TestDocsLockTimeout(t *testing.T) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip(err)
	}
	page, err := os.ReadFile(docs + "audit.md")
	require.NoError(t, err)
	dsn := sampleDatabase(t)
	line := strings.Replace(typed(t, string(page), "PGOPTIONS=")[0], "DSN", "'"+dsn+"'", 1)
	open, err := openPgx(t, dsn).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = open.Rollback() }()
	_, err = open.Exec("UPDATE user_groups SET user_id = user_id WHERE id = 1")
	require.NoError(t, err)

	run := func(dir string) (code int, output string) {
		c := Command{DSN: dsn, Format: "table", Fix: filepath.Join(dir, "fix.sql"), FixFormat: "sql", Width: 90, Timeout: time.Minute, CountUpTo: 1_000_000, Now: func() time.Time { return morning }}
		require.Equal(t, ExitFindings, c.Run(t.Context(), &strings.Builder{}, &strings.Builder{}))
		return shell(t, dir, line)
	}
	code, output := run(t.TempDir())
	require.NotZero(t, code)
	require.Contains(t, output, "canceling statement due to lock timeout")
	require.NoError(t, open.Rollback())
	code, output = run(t.TempDir())
	require.Zero(t, code, output)
	c := Command{DSN: dsn, Format: "table", Width: 90, Timeout: time.Minute, CountUpTo: 1_000_000, Now: time.Now}
	var out strings.Builder
	require.Equal(t, ExitClean, c.Run(t.Context(), &out, &out), out.String())
}
