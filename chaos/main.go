// Command chaos has the database, the wire and their own contexts fail writers that
// use m2msafe, and asks the database afterwards what has become of their calls.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/m2msafe/m2msafe/chaos/faults"
	"github.com/m2msafe/m2msafe/chaos/soak"
)

// The exit codes.
const (
	exitOK          = 0
	exitBroken      = 1 // an invariant does not hold
	exitFailed      = 2 // the run could not be made
	exitInterrupted = 130
)

type cli struct {
	Run  runCommand  `cmd:"" default:"withargs" help:"Make runs, print what was done and what is broken."`
	Soak soakCommand `cmd:"" help:"Have writers write for a long time, and see whether anything grows."`
	Page pageCommand `cmd:"" help:"Write the page about reliability from the results that are kept."`
}

type runCommand struct {
	Engine  []string      `enum:"${engines}" default:"postgres" help:"Databases, one after the other: ${enum}."`
	Seed    *uint64       `placeholder:"N" help:"Replay the run of a seed, with the same other flags. Default: a random one."`
	Times   int           `default:"1" placeholder:"N" help:"Runs, one after the other, with this seed and the ones behind it (default ${default})."`
	Keep    string        `type:"path" placeholder:"DIR" help:"Folder to write what was done in each run to."`
	Faults  int           `default:"${faults}" placeholder:"N" help:"How many there are at least (default ${default})."`
	Writers int           `default:"${writers}" placeholder:"N" help:"Writers at the same time, 4 at least (default ${default})."`
	Calls   int           `default:"${calls}" placeholder:"N" help:"Calls for each fault (default ${default})."`
	For     time.Duration `default:"5m" help:"Begin nothing after that; a run that is short of faults then fails (default ${default})."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	var parsed *kong.Context
	parser, err := kong.New(&c,
		kong.Name("chaos"),
		kong.Description("Faults, and long work, under writers that use m2msafe, and what is left of it."),
		kong.Vars{
			"engines": strings.Join(faults.Engines(), ","), "faults": fmt.Sprint(faults.DefaultFaults),
			"writers": fmt.Sprint(faults.DefaultWriters), "calls": fmt.Sprint(faults.DefaultCalls),
			"soakfor": soak.DefaultFor.String(), "soakevery": soak.DefaultEvery.String(), "soakwriters": fmt.Sprint(soak.DefaultWriters),
		},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), // after --help
	)
	if err == nil {
		parsed, err = parser.Parse(args)
	}
	switch {
	case exited >= 0:
		return exited
	case err != nil:
		return fail(stderr, fmt.Errorf("%w\nchaos --help says how it is called", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	switch name, _, _ := strings.Cut(parsed.Command(), " "); name {
	case "soak":
		return c.Soak.run(ctx, stdout, stderr)
	case "page":
		return c.Page.run(stderr)
	}
	return c.Run.run(ctx, stdout, stderr)
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "chaos: %v\n", err)
	return exitFailed
}

func (c *runCommand) run(ctx context.Context, stdout, stderr io.Writer) (code int) {
	first := uint64(rand.Uint32())
	if c.Seed != nil {
		first = *c.Seed
	}
	for _, engine := range c.Engine {
		var results []*faults.Result
		for n := range c.Times {
			result, code := c.once(ctx, engine, first+uint64(n), stdout, stderr)
			if code != exitOK {
				return code
			}
			results = append(results, result)
		}
		if c.Keep != "" {
			if err := keep(c.Keep, chaosFile(engine), summaries(results)); err != nil {
				return fail(stderr, err)
			}
		}
	}
	return exitOK
}

// once makes one run.
func (c *runCommand) once(ctx context.Context, engine string, seed uint64, stdout, stderr io.Writer) (*faults.Result, int) {
	fmt.Fprintf(stdout, "seed %d\n", seed)
	config := faults.Config{Seed: seed, Faults: c.Faults, Writers: c.Writers, Calls: c.Calls, For: c.For}
	show, done := progress(stderr, "faults")
	config.Progress = show
	result, err := faults.Run(ctx, engine, config)
	done()
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "chaos: interrupted")
		return nil, exitInterrupted
	case err != nil:
		return nil, fail(stderr, err)
	}
	write := result.Write
	if c.Times > 1 && len(result.Broken) == 0 {
		write = result.WriteLine
	}
	if err := write(stdout); err != nil {
		return nil, fail(stderr, errors.Join(errors.New("can't write the report"), err))
	}
	fmt.Fprintf(stdout, "the same again: make chaos ARGS=%q\n\n", result.Replay())
	return result, verdict(result, stderr)
}

// verdict is the exit code of a result.
func verdict(r *faults.Result, stderr io.Writer) int {
	switch {
	case len(r.Broken) > 0:
		return exitBroken
	case r.Faults() < r.Config.Faults:
		return fail(stderr, fmt.Errorf("%d faults of %d: see --for", r.Faults(), r.Config.Faults))
	}
	return exitOK
}
