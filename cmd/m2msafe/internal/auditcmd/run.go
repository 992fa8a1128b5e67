// Package auditcmd is the command "m2msafe audit": it looks at the database of a DSN, and
// writes what it has found for people, for programs, for code hosts, and as migrations.
package auditcmd

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
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
	FailOn    string   // the lowest severity that ExitFindings is for; "" is a note
	Ignore    []string // "RULE" or "RULE:TABLE": findings that are left out

	Width    int  // of the terminal
	Color    bool // on standard output
	Progress func(done, all int, now string)
	Looked   func() // is called when the database has been asked, before anything is printed
	Now      func() time.Time

	run func(context.Context, *sql.DB, string, audit.Options) (*audit.Report, error)
}

// Run makes the audit, and returns the exit code. What is wrong with the call itself is
// said before the database is asked. What was found is printed also where a file could not
// be written.
func (c *Command) Run(ctx context.Context, stdout, stderr io.Writer) int {
	o, err := c.check()
	var r *report
	errs := []error{err}
	if err == nil {
		r, errs = c.audit(ctx, o, stderr)
	}
	// Other arguments are repeated, and one may be the DSN that was put in its place.
	given := dsn.ScrubberOf(slices.Concat([]string{c.HTML, c.Fix}, c.Lookups, c.Tables, c.Ignore)...)
	var said []string
	for _, err := range errs {
		said = append(said, given.Clean(err.Error()))
	}
	interrupted := ctx.Err() != nil && len(errs) > 0
	if interrupted {
		said = []string{"interrupted"}
	}
	if err := c.write(stdout, r, said); err != nil {
		said = append(said, "can't write the report: "+given.Clean(err.Error()))
	}
	for _, text := range said {
		fmt.Fprintf(stderr, "m2msafe: %s\n", text)
	}
	switch {
	case interrupted:
		return ExitInterrupted
	case len(said) > 0:
		return ExitFailed
	case slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return f.Severity >= o.failOn }):
		return ExitFindings
	case len(r.Unseen) > 0:
		// Clean would be more than is known.
		return ExitFailed
	}
	return ExitClean
}

// audit looks at the database and writes the files. The report is nil if nothing could be
// looked at.
func (c *Command) audit(ctx context.Context, o *orders, stderr io.Writer) (*report, []error) {
	found, err := c.look(ctx, o.migration)
	if c.Looked != nil {
		c.Looked()
	}
	if err != nil {
		return nil, []error{err}
	}
	r := leaveOut(found, o.ignored)
	var errs []error
	if c.HTML != "" {
		if err := c.page(r); err != nil {
			errs = append(errs, fmt.Errorf("--html: %w", err))
		}
	}
	if o.migration != nil {
		if err := fix(o.migration, r, stderr); err != nil {
			errs = append(errs, err)
		}
	}
	return r, errs
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
