package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/auditcmd"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/lab"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/testserver"
)

func TestMain(m *testing.M) {
	testscript.Main(testserver.Tests{M: m}, map[string]func(){"m2msafe": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv(dsnEnv, "") // the scripts say which database
			env.Setenv(auditcmd.DSNEnv, "")
			return nil
		},
		Condition: func(condition string) (bool, error) {
			if condition == "postgres" {
				return testserver.Missing() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"postgres": postgresDatabase, "sqlite": sqliteDatabase, "exits": exits},
	})
}

// exits runs a program that has to end with an exit code: "! exec" takes any but 0.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("exits CODE PROGRAM ARGUMENT...")
	}
	code := exitOK
	err := ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d instead of %s", code, args[0])
	}
}

// postgresDatabase makes a database for a script, runs the SQL of the files there, and
// sets DSN. Each file is a transaction.
func postgresDatabase(ts *testscript.TestScript, _ bool, files []string) {
	dsn, err := testserver.Database()
	ts.Check(err)
	ts.Setenv("DSN", dsn)
	for _, setting := range strings.Fields(dsn) { // of two dbname the last one counts
		name, value, _ := strings.Cut(setting, "=")
		ts.Setenv("PG_"+strings.ToUpper(name), value)
	}
	for _, file := range files {
		ts.Check(testserver.Exec(dsn, ts.ReadFile(file)))
	}
}

// sqliteDatabase runs the SQL of the files in a SQLite database, which is made.
func sqliteDatabase(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("sqlite DATABASE FILE...")
	}
	for _, file := range args[1:] {
		ts.Check(runSQLite(ts.MkAbs(args[0]), ts.ReadFile(file)))
	}
}

func runSQLite(file, statements string) (err error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: file}).EscapedPath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// What is for the sqlite3 program alone: a driver stops at an error by itself.
	_, err = db.Exec(strings.Replace(statements, "\n.bail on\n", "\n", 1))
	return err
}

// output cancels a context once a text was written to it.
type output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	until  string
	cancel func()
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	if strings.Contains(o.text.String(), o.until) {
		o.cancel()
	}
	return n, err
}

func TestInterruptedRunReportsWhatIsDoneAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancel(t.Context())
	var stdout bytes.Buffer
	stderr := &output{until: "running second-key", cancel: cancel}
	c := labCommand{Engine: lab.SQLite, Threads: 3, Quick: true, Format: "table", Rows: []string{"no-key", "second-key"}}

	require.Equal(t, exitInterrupted, c.run(ctx, &stdout, stderr))
	require.Contains(t, stdout.String(), "no-key\n")
	require.NotContains(t, stdout.String(), "second-key\n")
	require.Contains(t, stdout.String(), "Interrupted: the rest was not run.")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestInterruptedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	c := labCommand{Engine: lab.SQLite, Threads: 8, Quick: true, Format: "table"}
	require.Equal(t, exitInterrupted, c.run(ctx, &stdout, &stderr))
	require.Empty(t, stdout.String())
}

func TestVerdict(t *testing.T) {
	var stderr bytes.Buffer
	require.Equal(t, exitOK, verdict(&lab.Report{OK: true}, &stderr))
	require.Empty(t, stderr.String())
	require.Equal(t, exitUnclean, verdict(&lab.Report{}, &stderr))
	require.Equal(t, exitInterrupted, verdict(&lab.Report{OK: true, Interrupted: true}, &stderr))
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, run([]string{"lab", "--help"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), dsnEnv)
	for _, e := range lab.All() {
		require.Contains(t, stdout.String(), e.Name)
	}
}
