package auditcmd

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// call runs a command whose audit is a given one, on a database that is there.
func call(t *testing.T, c *Command, run func(audit.Options) (*audit.Report, error)) (code int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	c.DSN = "file:" + file + "?textkey=hush-hush"
	c.Now = func() time.Time { return morning }
	if c.Timeout == 0 {
		c.Timeout, c.CountUpTo = time.Minute, 7
	}
	if c.Format == "" {
		c.Format = "table"
	}
	if c.Width == 0 {
		c.Width = 100
	}
	c.run = func(_ context.Context, db *sql.DB, kind string, o audit.Options) (*audit.Report, error) {
		require.Equal(t, dsn.SQLite, kind)
		require.NotNil(t, db)
		return run(o)
	}
	var out, errs bytes.Buffer
	code = c.Run(t.Context(), &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	join := []audit.JoinTable{{Name: "links"}}
	finding := []audit.Finding{{Rule: audit.NoReverseIndex, Severity: audit.Note, Table: "links"}}
	unseen := []audit.Unseen{{Table: "links", Reason: "counting took longer than 30s"}}
	for name, c := range map[string]struct {
		report *audit.Report
		err    error
		want   int
	}{
		"clean":                     {&audit.Report{Tables: join}, nil, ExitClean},
		"nothing there":             {&audit.Report{}, nil, ExitClean},
		"a note":                    {&audit.Report{Tables: join, Findings: finding}, nil, ExitFindings},
		"not all was seen":          {&audit.Report{Tables: join, Unseen: unseen}, nil, ExitFailed},
		"a finding, and not all":    {&audit.Report{Tables: join, Findings: finding, Unseen: unseen}, nil, ExitFindings},
		"the catalogue was refused": {nil, errors.New("no"), ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, _ := call(t, &Command{}, func(audit.Options) (*audit.Report, error) { return c.report, c.err })
			require.Equal(t, c.want, code)
		})
	}
}

func TestRunHandsItsOptionsOn(t *testing.T) {
	var heard []string
	c := &Command{
		Tables: []string{"a"}, Lookups: []string{"b.c"}, CountUpTo: 7, Timeout: time.Minute,
		Progress: func(int, int, string) { heard = append(heard, "progress") },
		Looked:   func() { heard = append(heard, "looked") },
	}
	code, stdout, _ := call(t, c, func(o audit.Options) (*audit.Report, error) {
		o.Progress(0, 1, "a")
		o.Progress = nil
		require.Equal(t, audit.Options{Tables: []string{"a"}, Lookups: []string{"b.c"}, CountUpTo: 7, Timeout: time.Minute}, o)
		return &audit.Report{Database: "SQLite"}, nil
	})
	require.Equal(t, ExitClean, code)
	require.Equal(t, []string{"progress", "looked"}, heard)
	require.Contains(t, stdout, "SQLite")
}

func TestNoCredentialIsPrinted(t *testing.T) {
	dir := t.TempDir()
	leak := "driver: textkey hush-hush is wrong"
	for _, format := range Formats {
		c := &Command{Format: format, HTML: filepath.Join(dir, "page.html")}
		code, stdout, stderr := call(t, c, func(audit.Options) (*audit.Report, error) {
			return &audit.Report{Unseen: []audit.Unseen{{Table: "links", Reason: leak}}}, nil
		})
		require.Equal(t, ExitFailed, code)
		page, err := os.ReadFile(c.HTML)
		require.NoError(t, err)
		for _, text := range []string{stdout, string(page)} {
			require.Contains(t, text, "driver: textkey "+dsn.Hidden)
			require.NotContains(t, text+stderr, "hush-hush")
		}
	}
	code, stdout, stderr := call(t, &Command{}, func(audit.Options) (*audit.Report, error) { return nil, errors.New(leak) })
	require.Equal(t, ExitFailed, code)
	require.Equal(t, "m2msafe: driver: textkey "+dsn.Hidden+" is wrong\n", stderr)
	require.Empty(t, stdout)
}

func TestInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	c := &Command{DSN: file, Format: "table", Timeout: time.Minute, CountUpTo: 7, run: func(ctx context.Context, _ *sql.DB, _ string, _ audit.Options) (*audit.Report, error) {
		cancel()
		return nil, ctx.Err()
	}}
	var stdout, stderr bytes.Buffer
	require.Equal(t, ExitInterrupted, c.Run(ctx, &stdout, &stderr))
	require.Equal(t, "m2msafe: interrupted\n", stderr.String())
	require.Empty(t, stdout.String())
}

func TestJSONIsTheReport(t *testing.T) {
	_, stdout, _ := call(t, &Command{Format: "json"}, func(audit.Options) (*audit.Report, error) { return sample(), nil })
	var report struct {
		Database string
		Findings []struct {
			Rule, Severity, Title string
			Rows                  int64
			Fix                   []audit.Statement
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Equal(t, "PostgreSQL 15.14", report.Database)
	require.Len(t, report.Findings, 5)
	require.Equal(t, "error", report.Findings[0].Severity)
	require.Equal(t, sample().Findings[0].Fix, report.Findings[0].Fix)

	_, stdout, _ = call(t, &Command{Format: "json"}, func(audit.Options) (*audit.Report, error) { return &audit.Report{}, nil })
	require.JSONEq(t, `{"database": "", "tables": [], "findings": [], "unseen": [], "ignored": 0}`, stdout)
}
