package auditcmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// shell runs a snippet of the docs as a code host's runner does.
func shell(t *testing.T, dir, snippet string, env ...string) (code int, output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", snippet)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.IsType(t, &exec.ExitError{}, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// typed are the lines of the indented block that begins so.
func typed(t *testing.T, page, begin string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n    "+begin)
	require.True(t, ok, begin)
	block, _, _ := strings.Cut(rest, "\n\n")
	return strings.Split(begin+strings.ReplaceAll(block, "\n    ", "\n"), "\n")
}

// TestDocsSnippets runs what docs/audit.md says to type, and its steps for CI, with a
// database of the test.
func TestDocsSnippets(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	page, err := os.ReadFile(docs + "audit.md")
	require.NoError(t, err)
	dsn, mendedDSN := sampleDatabase(t), sampleDatabase(t)
	root, err := filepath.Abs(docs + "..")
	require.NoError(t, err)

	first := typed(t, string(page), "go build")
	require.Len(t, first, 2)
	dir := t.TempDir()
	code, output := shell(t, root, strings.Replace(first[0], "$PWD", dir, 1))
	require.Zero(t, code, output)
	for file, want := range map[string]string{"../README.md": "`" + first[0] + "`", "../.gitignore": "\n/m2msafe\n"} {
		text, err := os.ReadFile(docs + file) // #nosec G304 -- two files of the repository
		require.NoError(t, err)
		require.Contains(t, string(text), want)
	}
	code, output = shell(t, dir, strings.Replace(first[1], "postgres://app@localhost/shop", dsn, 1))
	require.Equal(t, ExitFindings, code, output)
	require.Contains(t, output, "error  user_groups  no-unique-key\n")

	for i, line := range typed(t, string(page), "./m2msafe audit DSN --fix") {
		if _, err := exec.LookPath("psql"); err != nil && i > 0 {
			break
		}
		code, output := shell(t, dir, strings.Replace(line, "DSN", "'"+mendedDSN+"'", 1))
		require.Equal(t, []int{ExitFindings, 0, ExitClean}[i], code, "%s: %s", line, output)
	}

	_, rest, ok := strings.Cut(string(page), "```yaml\n")
	require.True(t, ok)
	text, _, _ := strings.Cut(rest, "```")
	var steps []struct {
		Uses, Run, If string
		With, Env     map[string]string
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &steps))
	require.Len(t, steps, 4)
	checkout, build, audit, upload := steps[0], steps[1], steps[2], steps[3]
	require.Equal(t, first[0], strings.NewReplacer("-C "+checkout.With["path"]+"/", "-C ", "$RUNNER_TEMP", "$PWD").Replace(build.Run), "it is built once here")
	work := t.TempDir()
	require.Contains(t, audit.Env, DSNEnv)
	code, output = shell(t, work, audit.Run, "RUNNER_TEMP="+dir, DSNEnv+"="+dsn)
	require.Equal(t, ExitFindings, code, "a step that finds something fails: %s", output)
	require.Equal(t, "always()", upload.If, "which the upload has to survive")
	found, err := os.ReadFile(filepath.Join(work, upload.With["sarif_file"]))
	require.NoError(t, err)
	validSARIF(t, found)

	// Where the audit fails there is something to upload too.
	code, output = shell(t, work, audit.Run, "RUNNER_TEMP="+dir, DSNEnv+"=host=127.0.0.1 port=1")
	require.Equal(t, ExitFailed, code, output)
	found, err = os.ReadFile(filepath.Join(work, upload.With["sarif_file"]))
	require.NoError(t, err)
	validSARIF(t, found)
	require.Contains(t, string(found), "can't reach the database")
}
