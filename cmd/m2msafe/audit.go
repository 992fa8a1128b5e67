package main

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/auditcmd"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

type auditCommand struct {
	DSN       string        `arg:"" optional:"" name:"dsn" help:"The database: ${dsnForms}. Default: $$${auditDSNEnv}, which other users of the machine can't see."`
	Table     []string      `sep:"none" placeholder:"NAME" help:"Join table to look at, with its schema where it is not the default one. May be repeated. Default: all that are recognized."`
	Lookup    []string      `sep:"none" placeholder:"TABLE.COLUMN" help:"Column by which the app looks rows up, as tags.name. May be repeated."`
	Format    string        `enum:"${auditFormats}" default:"table" help:"Output: ${enum}."`
	HTML      string        `name:"html" placeholder:"FILE" help:"Write the report as a page too."`
	Fix       string        `placeholder:"FILE" help:"Write the SQL that mends what is found, and the SQL that takes it back. goose and migrate take a folder too."`
	FixFormat string        `enum:"${fixFormats}" default:"sql" help:"Form of --fix: ${enum}. migrate is golang-migrate."`
	FailOn    string        `enum:"error,warning,note" default:"note" help:"Lowest severity that exit code 1 is for: ${enum} (default ${default})."`
	Ignore    []string      `sep:"none" placeholder:"RULE[:TABLE]" help:"Findings to leave out of all output and of the fix, of one table or of all. May be repeated."`
	Timeout   time.Duration `default:"30s" placeholder:"TIME" help:"Ends a statement (default ${default}); its table is then not looked at."`
	CountUpTo int64         `default:"10000000" placeholder:"ROWS" help:"Of larger tables the database's estimates are taken, and nothing is counted (default ${default})."`
}

// Help stands below the command's description.
func (*auditCommand) Help() string {
	return `Exit codes:

  0    clean, or no join table was recognized: the first line says which
  1    findings of the severity of --fail-on, or above
  2    the database could not be looked at, or a table could not and nothing was found;
       a file could not be written; or the call is wrong
  130  interrupted`
}

func (c *auditCommand) run(ctx context.Context, stdout, stderr io.Writer) int {
	dsn := c.DSN
	if dsn == "" {
		dsn = os.Getenv(auditcmd.DSNEnv)
	}
	command := &auditcmd.Command{
		DSN: dsn, Tables: c.Table, Lookups: c.Lookup, Format: c.Format, HTML: c.HTML, Fix: c.Fix, FixFormat: c.FixFormat,
		Timeout: c.Timeout, CountUpTo: c.CountUpTo, FailOn: c.FailOn, Ignore: c.Ignore, Now: time.Now,
	}
	command.Width, command.Color = screen(stdout)
	command.Progress, command.Looked = watchAudit(stderr)
	return command.Run(ctx, stdout, stderr)
}

// watchAudit shows an audit's progress on a terminal; elsewhere there is none.
func watchAudit(w io.Writer) (progress func(done, all int, now string), looked func()) {
	if !drawsBars(w) {
		return nil, func() {}
	}
	var mu sync.Mutex
	var at barState
	erase := startBar(w, func() barState {
		mu.Lock()
		defer mu.Unlock()
		return at
	})
	return func(done, all int, now string) {
		mu.Lock()
		defer mu.Unlock()
		at = barState{int64(done), int64(all), show.Visible(now, false)}
	}, erase
}
