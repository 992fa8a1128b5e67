// Command m2msafe shows what becomes of many-to-many writes when several
// writers make them at once: by hand, on stock GORM and with m2msafe. And it looks
// at a database, whoever made it, for join tables that can't be safe.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/auditcmd"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/lab"
)

// The exit codes.
const (
	exitOK          = 0
	exitUnclean     = 1 // m2msafe had an error, a duplicate, a lost link or a wrong ID
	exitFailed      = 2 // the lab could not be run
	exitInterrupted = 130
)

// dsnEnv names a PostgreSQL server, as for the project's tests.
const dsnEnv = "M2MSAFE_TEST_POSTGRES"

type cli struct {
	Version kong.VersionFlag `help:"Print the program's version and Go's, and exit."`

	Lab   labCommand   `cmd:"" help:"Run the experiments and print what the database holds afterwards."`
	Audit auditCommand `cmd:"" help:"Find the join tables of a database that can't be safe, and write the SQL that mends them. Reads only."`
}

type labCommand struct {
	Engine  string   `enum:"auto,postgres,sqlite" default:"auto" help:"Database: ${enum}. auto is a throwaway PostgreSQL if one can be had, else embedded SQLite."`
	DSN     string   `name:"dsn" placeholder:"DSN" help:"PostgreSQL server to run on, in a schema of its own that is dropped afterwards. Default: $$${dsnEnv}."`
	Threads int      `default:"8" placeholder:"N" help:"Writers at the same time, 1 to 64 (default ${default})."`
	Quick   bool     `help:"Smaller sizes, for a look: some seconds instead of two minutes."`
	Rows    []string `placeholder:"NAME" help:"Experiments to run, by name: ${experiments}."`
	Format  string   `enum:"${formats}" default:"table" help:"Output: ${enum}."`
	Seed    uint64   `default:"1" help:"Seed of the random choices; the three ways make the same ones."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	var call *kong.Context
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("m2msafe"),
		kong.Description("Many-to-many writes under concurrency: shown in a lab, and audited in your database."),
		kong.Vars{
			"experiments": experimentNames(), "formats": strings.Join(lab.Formats, ","), "dsnEnv": dsnEnv,
			"auditFormats": strings.Join(auditcmd.Formats, ","), "fixFormats": strings.Join(auditcmd.FixFormats, ","),
			"auditDSNEnv": auditcmd.DSNEnv, "dsnForms": dsn.Forms, "version": versionText(),
		},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), // after --help
	)
	if err == nil {
		call, err = parser.Parse(args)
	}
	switch {
	case exited >= 0:
		return exited
	case err != nil:
		// The parser repeats what it does not understand, which may be a DSN, or a piece of one.
		said := dsn.ScrubberOf(args...).Clean(err.Error())
		return fail(stderr, fmt.Errorf("%s\nm2msafe %s--help says how it is called", said, commandOf(args)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if call.Selected().Name == "audit" {
		return c.Audit.run(ctx, stdout, stderr)
	}
	return c.Lab.run(ctx, stdout, stderr)
}

// commandOf is the command that was meant, with a blank behind it; "" if there is none: it
// stands before all flags but the program's own.
func commandOf(args []string) string {
	if len(args) > 0 && (args[0] == "audit" || args[0] == "lab") {
		return args[0] + " "
	}
	return ""
}

// versionText is the program's version, as it was built, and that of Go.
func versionText() string {
	text := "m2msafe (no version)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	if info.Main.Version != "" {
		text = "m2msafe " + info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += ", commit " + s.Value
		}
	}
	return text + ", " + info.GoVersion
}

func experimentNames() string {
	var names []string
	for _, e := range lab.All() {
		names = append(names, e.Name)
	}
	return strings.Join(names, ", ")
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "m2msafe: %v\n", err)
	return exitFailed
}

func (c *labCommand) run(ctx context.Context, stdout, stderr io.Writer) (code int) {
	experiments, err := lab.Choose(c.Rows)
	if err != nil {
		return fail(stderr, err)
	}
	if c.Threads < 1 || c.Threads > 64 {
		return fail(stderr, fmt.Errorf("--threads %d: it takes 1 to 64", c.Threads))
	}
	dsn := c.DSN
	if dsn == "" && c.Engine != lab.SQLite {
		dsn = os.Getenv(dsnEnv)
	}
	engine, err := lab.OpenEngine(ctx, c.Engine, dsn, c.Quick)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "m2msafe: interrupted before anything was run")
		return exitInterrupted
	case err != nil:
		return fail(stderr, err)
	}
	defer func() {
		if err := engine.Close(ctx); err != nil {
			code = max(code, fail(stderr, err))
		}
	}()
	l := &lab.Lab{
		Engine: engine, Experiments: experiments, Ways: lab.Ways(),
		Size: lab.Size{Writers: c.Threads, Quick: c.Quick}, Seed: c.Seed,
	}
	if l.Calls() == 0 {
		return fail(stderr, fmt.Errorf("nothing to run: %s can't show what was chosen (%s)", engine.Title, experiments[0].Reason))
	}
	done := watch(l, stderr)
	results, err := l.Run(ctx)
	done()
	report := l.Report(results)
	report.CPUs, report.Interrupted = runtime.NumCPU(), ctx.Err() != nil
	if err != nil && ctx.Err() == nil {
		return fail(stderr, err)
	}
	if len(results) > 0 {
		width, color := screen(stdout)
		if err := report.Write(stdout, c.Format, width, color); err != nil {
			return fail(stderr, errors.Join(errors.New("can't write the report"), err))
		}
	}
	return verdict(report, stderr)
}

// verdict is the exit code of a report.
func verdict(r *lab.Report, stderr io.Writer) int {
	switch {
	case r.Interrupted:
		fmt.Fprintln(stderr, "m2msafe: interrupted")
		return exitInterrupted
	case !r.OK:
		fmt.Fprintln(stderr, "m2msafe: the lines of m2msafe are not clean")
		return exitUnclean
	}
	return exitOK
}
