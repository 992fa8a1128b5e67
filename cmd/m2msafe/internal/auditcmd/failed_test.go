package auditcmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

func found(audit.Options) (*audit.Report, error) { return sample(), nil }

// never is an audit that must not be made: what can't be written is known before.
func never(audit.Options) (*audit.Report, error) { panic("the database was asked") }

func TestFixIsProbedBeforeTheAudit(t *testing.T) {
	long := strings.Repeat("n", 250) // its undo has no room
	for _, format := range FixFormats {
		code, stdout, stderr := call(t, &Command{Fix: filepath.Join(t.TempDir(), "1_"+long+".sql"), FixFormat: format}, never)
		require.Equal(t, ExitFailed, code)
		require.Contains(t, stderr, "m2msafe: --fix: ")
		require.Contains(t, stderr, "file name too long")
		require.Empty(t, stdout)
	}
	dir := t.TempDir()
	_, _, _ = call(t, &Command{Fix: filepath.Join(dir, "fix.sql"), FixFormat: "sql"}, func(audit.Options) (*audit.Report, error) { return nil, errors.New("no") })
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	if os.Geteuid() == 0 {
		dir = "/proc" // where root can make no file either
	} else {
		require.NoError(t, os.Chmod(dir, 0o500)) // #nosec G302 -- a folder
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	for _, format := range FixFormats {
		code, _, stderr := call(t, &Command{Fix: filepath.Join(dir, "1_fix.sql"), FixFormat: format}, never)
		require.Equal(t, ExitFailed, code)
		require.Regexp(t, "^m2msafe: --fix: open .*: (permission denied|no such file or directory)\n$", stderr)
	}
}

// What was found is not lost with the file that it was to be written to.
func TestWhatCanNotBeWrittenDoesNotTakeTheReportAway(t *testing.T) {
	for name, c := range map[string]struct {
		path, format string
		spoil        func(dir string) error
		want         string
	}{
		"a version came meanwhile": {"1_fix.sql", "goose", func(dir string) error { return os.WriteFile(filepath.Join(dir, "5_other.sql"), nil, 0o600) }, "5_other.sql is there, and goose runs versions in their order: take one above it, as 6_fix.sql"},
		"the folder is gone":       {"fix.sql", "sql", os.RemoveAll, "fix.sql: no such file or directory"},
		"a file came meanwhile":    {"fix.sql", "sql", func(dir string) error { return os.WriteFile(filepath.Join(dir, "fix.sql"), nil, 0o600) }, "fix.sql: file exists"},
	} {
		for _, format := range Formats {
			t.Run(name+" "+format, func(t *testing.T) {
				dir := t.TempDir()
				code, stdout, stderr := call(t, &Command{Format: format, Fix: filepath.Join(dir, c.path), FixFormat: c.format}, func(audit.Options) (*audit.Report, error) {
					return sample(), c.spoil(dir)
				})
				require.Equal(t, ExitFailed, code)
				require.Regexp(t, "^m2msafe: --fix: .*\n$", stderr)
				require.Contains(t, stderr, c.want)
				require.Contains(t, stdout, "Nothing keeps a pair from being stored twice")
				if format == "sarif" {
					validSARIF(t, []byte(stdout))
					require.Contains(t, stdout, c.want)
				}
			})
		}
	}
	dir := filepath.Join(t.TempDir(), "pages")
	require.NoError(t, os.Mkdir(dir, 0o700))
	code, stdout, stderr := call(t, &Command{HTML: filepath.Join(dir, "page.html")}, func(audit.Options) (*audit.Report, error) { return sample(), os.RemoveAll(dir) })
	require.Equal(t, ExitFailed, code)
	require.Contains(t, stderr, "m2msafe: --html: open ")
	require.Contains(t, stdout, "Nothing keeps a pair from being stored twice")
}

// A step that uploads what it finds on standard output has something to upload.
func TestSARIFOfAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		command *Command
		run     func(audit.Options) (*audit.Report, error)
		want    string
	}{
		"the database":   {&Command{}, func(audit.Options) (*audit.Report, error) { return nil, errors.New("driver {0}: textkey hush-hush") }, "driver {{0}}: textkey " + dsn.Hidden},
		"the call":       {&Command{Lookups: []string{"name"}}, never, "--lookup name: it takes TABLE.COLUMN"},
		"a file":         {&Command{HTML: "missing/page.html"}, never, "--html: open missing/page.html: no such file or directory"},
		"a rule's name":  {&Command{Ignore: []string{"nonsense"}}, never, `no rule is called "nonsense"`},
		"what was ended": {&Command{Format: "sarif"}, func(audit.Options) (*audit.Report, error) { return nil, errors.New("audit: no") }, "audit: no"},
	} {
		t.Run(name, func(t *testing.T) {
			c.command.Format = "sarif"
			code, stdout, stderr := call(t, c.command, c.run)
			require.Equal(t, ExitFailed, code)
			require.NotContains(t, stdout+stderr, "hush-hush")
			validSARIF(t, []byte(stdout))
			var log sarifLog
			require.NoError(t, json.Unmarshal([]byte(stdout), &log))
			invocation := log.Runs[0].Invocations[0]
			require.False(t, invocation.ExecutionSuccessful)
			require.Len(t, invocation.Notifications, 1)
			require.Contains(t, invocation.Notifications[0].Message.Text, c.want)
			require.Empty(t, log.Runs[0].Results)
		})
	}
}

func TestCallIsRefused(t *testing.T) {
	for want, c := range map[string]*Command{
		"--html -: give a file's name":                          {HTML: "-"},
		"--fix -: give a file's name":                           {Fix: "-", FixFormat: "sql"},
		"--fix-format goose: there is no --fix FILE to write":   {FixFormat: "goose"},
		"--timeout -1s, --count-up-to 7: they take more":        {Timeout: -1e9, CountUpTo: 7},
		`no format is called "csv"; there are: table, json, sa`: {Format: "csv"},
	} {
		code, stdout, stderr := call(t, c, never)
		require.Equal(t, ExitFailed, code)
		require.Contains(t, stderr, want)
		require.Empty(t, stdout)
	}
	for _, name := range []string{"-"} {
		require.NoFileExists(t, name)
	}
}

// Somebody holds a lock that counting waits for.
func TestAdviceOfAnAuditThatTookTooLong(t *testing.T) {
	address := sampleDatabase(t)
	db := openPgx(t, address)
	tx, err := db.Begin()
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.Exec("LOCK TABLE user_groups IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	c := &Command{DSN: address, Format: "table", Tables: []string{"user_groups"}, Width: 100, Timeout: 300 * time.Millisecond, CountUpTo: 1_000_000}
	var stdout, stderr bytes.Buffer
	require.Equal(t, ExitFindings, c.Run(t.Context(), &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "\n  user_groups: counting took longer than 300ms\n--timeout TIME gives each statement longer.")

	c.CountUpTo, stdout = 1, bytes.Buffer{}
	require.Equal(t, ExitFindings, c.Run(t.Context(), &stdout, &stderr), stderr.String())
	require.NotContains(t, stdout.String(), "Not looked at")
}

func TestAdviceIsGivenOnceForAKind(t *testing.T) {
	unseen := []audit.Unseen{
		{Table: "a", Reason: "counting took longer than 30s"}, {Table: "b", Reason: "counting took longer than 30s"},
		{Table: "c", Reason: "no privilege to read its rows"}, {Table: "d", Reason: "its two ends could not be made out"},
	}
	page := filepath.Join(t.TempDir(), "page.html")
	_, stdout, _ := call(t, &Command{Width: 100, HTML: page}, func(audit.Options) (*audit.Report, error) { return &audit.Report{Unseen: unseen}, nil })
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, output := range []string{stdout, string(text)} {
		for _, want := range []string{"--timeout", "--count-up-to", "GRANT SELECT"} {
			require.Equal(t, 1, strings.Count(output, want), want)
		}
	}
	require.Empty(t, advice(unseen[3:]))
}
