package main

import (
	"context"
	"fmt"
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
	Timeout   time.Duration `default:"30s" placeholder:"TIME" help:"Ends a statement (default ${default}); its table is then not looked at."`
	CountUpTo int64         `default:"10000000" placeholder:"ROWS" help:"Of larger tables the database's estimates are taken, and nothing is counted (default ${default})."`
}

func (c *auditCommand) run(ctx context.Context, stdout, stderr io.Writer) int {
	if c.Timeout <= 0 || c.CountUpTo < 1 {
		return fail(stderr, fmt.Errorf("--timeout %v, --count-up-to %d: they take more than nothing", c.Timeout, c.CountUpTo))
	}
	dsn := c.DSN
	if dsn == "" {
		dsn = os.Getenv(auditcmd.DSNEnv)
	}
	command := &auditcmd.Command{
		DSN: dsn, Tables: c.Table, Lookups: c.Lookup, Format: c.Format, HTML: c.HTML, Fix: c.Fix, FixFormat: c.FixFormat,
		Timeout: c.Timeout, CountUpTo: c.CountUpTo, Now: time.Now,
	}
	command.Width, command.Color = screen(stdout)
	command.Progress, command.Looked = watchAudit(stderr)
	return command.Run(ctx, stdout, stderr)
}

// watchAudit shows an audit's progress on a terminal; elsewhere there is none.
func watchAudit(w io.Writer) (progress func(done, all int, now string), looked func()) {
	if !isTerminal(w) {
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
