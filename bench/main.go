// Command bench measures the plugin against stock GORM, a hand-written statement
// and other libraries, and writes docs/benchmarks.md of what it has measured.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"github.com/m2msafe/m2msafe/bench/internal/report"
	"github.com/m2msafe/m2msafe/bench/internal/workload"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

type cli struct {
	Run    runCommand    `cmd:"" default:"withargs" help:"Measure, keep the raw results, write the page and its charts."`
	Report reportCommand `cmd:"" help:"Write the page and its charts anew from raw results that are there."`
}

type runCommand struct {
	Quick   bool     `help:"A smoke test of some seconds. It leaves nothing behind, and its figures say nothing."`
	Seed    uint64   `default:"1" help:"Seed of the random choices."`
	Suites  []string `placeholder:"NAME" help:"Suites to run: ${suites}. With some left out only the raw results are written."`
	Results string   `default:"results" help:"Folder of the raw results."`
	Docs    string   `default:"../docs" help:"Folder that the page goes to."`
}

type reportCommand struct {
	Results string `default:"results" help:"Folder of the raw results."`
	Docs    string `default:"../docs" help:"Folder that the page goes to."`
}

// settings are the server's, beside those of every throwaway cluster. Nothing in
// the background should come upon one contender and not another.
var settings = []string{
	"fsync=on", // PostgreSQL's defaults
	"synchronous_commit=on",
	"full_page_writes=on",
	"shared_buffers=256MB",
	"autovacuum=off",
	"max_wal_size=8GB",
	"checkpoint_timeout=1h",
}

func main() {
	var c cli
	var names []string
	for _, s := range workload.Suites() {
		names = append(names, s.Name)
	}
	k := kong.Parse(&c, kong.Name("bench"), kong.Vars{"suites": strings.Join(names, ", ")},
		kong.Description("Measures the plugin against stock GORM, a hand-written statement and other libraries."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	k.FatalIfErrorf(k.Run())
}

// Run implements the command.
func (c *runCommand) Run(ctx context.Context) (err error) {
	suites, err := c.chosen()
	if err != nil {
		return err
	}
	size, settings := workload.Full(), settings
	if c.Quick {
		size, settings = workload.Quick(), append(settings, "deadlock_timeout=50ms")
		dir, err := os.MkdirTemp("", "m2msafe-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.Results, c.Docs = filepath.Join(dir, "results"), filepath.Join(dir, "docs")
	}
	cluster, err := pgcluster.Start(ctx, settings...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	admin, err := pgx.Connect(ctx, cluster.DSN())
	if err != nil {
		return err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	b := &workload.Bench{
		DSN: cluster.DSN(), Addr: cluster.Addr(), Admin: admin, Size: size, Seed: c.Seed, Log: os.Stderr,
	}
	if b.Config, err = about(ctx, admin, c, size); err != nil {
		return err
	}
	if err := b.Setup(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Results, 0o755); err != nil {
		return err
	}
	for _, s := range suites {
		if err := c.suite(ctx, b, s); err != nil {
			return err
		}
	}
	if len(suites) < len(workload.Suites()) {
		return nil // the other files are of other runs
	}
	results, err := report.Load(c.Results)
	if err != nil {
		return err
	}
	return finish(results, c.Docs, os.Stdout)
}

// finish writes the page, and shows the targets.
func finish(results *report.Results, docs string, out io.Writer) error {
	if err := results.Write(docs); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n%s", results.Targets(), results.Idle())
	return err
}

// Run implements the command.
func (c *reportCommand) Run() error {
	results, err := report.Load(c.Results)
	if err != nil {
		return err
	}
	return finish(results, c.Docs, os.Stdout)
}

func (c *runCommand) chosen() ([]workload.Suite, error) {
	all := workload.Suites()
	if len(c.Suites) == 0 {
		return all, nil
	}
	var list []workload.Suite
	for _, name := range c.Suites {
		i := slices.IndexFunc(all, func(s workload.Suite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q", name)
		}
		list = append(list, all[i])
	}
	return list, nil
}

// suite runs one and keeps its raw results, once all of them are there.
func (c *runCommand) suite(ctx context.Context, b *workload.Bench, s workload.Suite) error {
	name := filepath.Join(c.Results, s.Name+".txt")
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	if err := errors.Join(b.Run(ctx, s, f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name+".part"))
	}
	return os.Rename(name+".part", name)
}
