// Package auditcmd is the command "m2msafe audit": it looks at the database of a DSN, and
// writes what it has found for people, for programs, for code hosts, and as migrations.
package auditcmd

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver" // dsn.Open asks for it by its name

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// The exit codes.
const (
	ExitClean       = 0
	ExitFindings    = 1
	ExitFailed      = 2 // the database, or a part of it, could not be looked at
	ExitInterrupted = 130
)

// DSNEnv names the environment variable that stands in for a DSN: an argument is seen by
// everybody who may list the processes.
const DSNEnv = "M2MSAFE_AUDIT_DSN"

// Formats are the formats of the report on standard output.
var Formats = []string{"table", "json", "sarif"}

// Command is a call of the command.
type Command struct {
	DSN       string
	Tables    []string // to look at; none stands for all that are recognized
	Lookups   []string // "table.column"
	Format    string   // one of Formats
	HTML      string   // file for the page
	Fix       string   // file or folder for the migration
	FixFormat string   // one of FixFormats
	Timeout   time.Duration
	CountUpTo int64

	Width    int  // of the terminal
	Color    bool // on standard output
	Progress func(done, all int, now string)
	Looked   func() // is called when the database has been asked, before anything is printed
	Now      func() time.Time

	run func(context.Context, *sql.DB, string, audit.Options) (*audit.Report, error)
}

// Run makes the audit, and returns the exit code. What is wrong with the call itself is
// said before the database is asked.
func (c *Command) Run(ctx context.Context, stdout, stderr io.Writer) int {
	report, err := c.audit(ctx, stdout, stderr)
	switch {
	case ctx.Err() != nil && err != nil:
		fmt.Fprintln(stderr, "m2msafe: interrupted")
		return ExitInterrupted
	case err != nil:
		// Other arguments are repeated, and one may be the DSN that was put in its place.
		said := dsn.ScrubberOf(slices.Concat([]string{c.HTML, c.Fix}, c.Lookups, c.Tables)...).Clean(err.Error())
		fmt.Fprintf(stderr, "m2msafe: %s\n", said)
		return ExitFailed
	case len(report.Findings) > 0:
		return ExitFindings
	case len(report.Unseen) > 0:
		// Clean would be more than is known.
		return ExitFailed
	}
	return ExitClean
}

func (c *Command) audit(ctx context.Context, stdout, stderr io.Writer) (*audit.Report, error) {
	if c.DSN == "" {
		return nil, fmt.Errorf("no DSN: give one, or set %s\na DSN is: %s", DSNEnv, dsn.Forms)
	}
	for _, lookup := range c.Lookups {
		if table, column, ok := strings.Cut(lookup, "."); !ok || table == "" || column == "" {
			return nil, fmt.Errorf("--lookup %s: it takes TABLE.COLUMN", lookup)
		}
	}
	var m *migration
	if c.Fix != "" {
		var err error
		if m, err = newMigration(c.Fix, c.FixFormat, c.Now()); err != nil {
			return nil, err
		}
	}
	if c.HTML != "" {
		// Before the work: a report of ten minutes should find its file.
		if err := writable(c.HTML); err != nil {
			return nil, fmt.Errorf("--html: %w", err)
		}
	}
	report, err := c.look(ctx, m)
	if c.Looked != nil {
		c.Looked()
	}
	if err != nil {
		return nil, err
	}
	if c.HTML != "" {
		if err := c.page(report); err != nil {
			return nil, fmt.Errorf("--html: %w", err)
		}
	}
	if m != nil {
		if err := c.fix(m, report, stderr); err != nil {
			return nil, err
		}
	}
	if err := write(stdout, report, c.Format, c.Width, c.Color); err != nil {
		return nil, fmt.Errorf("can't write the report: %w", err)
	}
	return report, nil
}

// look asks the database. Its errors and the report hold no credentials.
func (c *Command) look(ctx context.Context, m *migration) (*audit.Report, error) {
	db, kind, s, err := dsn.Open(ctx, c.DSN)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // it was read only
	if m != nil {
		m.kind = kind
	}
	run := c.run
	if run == nil {
		run = audit.Run
	}
	report, err := run(ctx, db, kind, audit.Options{
		Tables: c.Tables, Lookups: c.Lookups, CountUpTo: c.CountUpTo, Timeout: c.Timeout, Progress: c.Progress,
	})
	if err != nil {
		return nil, errors.New(s.Clean(err.Error()))
	}
	// A table's name here is one that was asked for, and that may be the DSN in the wrong place.
	given := dsn.ScrubberOf(slices.Concat(c.Tables, c.Lookups)...)
	for i, u := range report.Unseen {
		report.Unseen[i] = audit.Unseen{Table: given.Clean(s.Clean(u.Table)), Reason: given.Clean(s.Clean(u.Reason))}
	}
	return report, nil
}

// writable says whether a file can be written, and leaves it as it was.
func writable(path string) error {
	_, before := os.Stat(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644) // #nosec G302 G304 -- the user's own path, and no secret
	if err != nil {
		return err
	}
	err = file.Close()
	if errors.Is(before, os.ErrNotExist) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// page writes the report as a page, in the place of an older one.
func (c *Command) page(r *audit.Report) (err error) {
	file, err := os.Create(c.HTML)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return writeHTML(file, r, c.Now())
}

// fix writes the migration, and says on standard error what it has written.
func (c *Command) fix(m *migration, report *audit.Report, stderr io.Writer) error {
	findings := slices.DeleteFunc(slices.Clone(report.Findings), func(f audit.Finding) bool { return len(f.Fix) == 0 })
	if len(findings) == 0 {
		fmt.Fprintln(stderr, "m2msafe: there is nothing to mend, so --fix wrote nothing")
		return nil
	}
	paths, err := m.write(findings)
	if err != nil {
		return err
	}
	for _, path := range paths {
		fmt.Fprintf(stderr, "m2msafe: wrote %s\n", path)
	}
	return nil
}

// write writes the report in one of Formats.
func write(w io.Writer, r *audit.Report, format string, width int, color bool) error {
	switch format {
	case "json":
		all := *r // with lists, where there is nothing in them
		all.Tables, all.Findings = append([]audit.JoinTable{}, r.Tables...), append([]audit.Finding{}, r.Findings...)
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	case "sarif":
		return writeSARIF(w, r)
	case "table":
		return writeText(w, r, width, color)
	}
	return fmt.Errorf("no format is called %q; there are: %s", format, strings.Join(Formats, ", "))
}
