package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"text/tabwriter"
	"time"

	"github.com/m2msafe/m2msafe/chaos/soak"
)

type soakCommand struct {
	Engine  []string      `enum:"${engines}" default:"postgres" help:"Databases, one after the other: ${enum}."`
	For     time.Duration `default:"${soakfor}" help:"How long a run lasts (default ${default})."`
	Every   time.Duration `default:"${soakevery}" help:"How often a sample is taken (default ${default})."`
	Writers int           `default:"${soakwriters}" placeholder:"N" help:"Writers of each of three pools (default ${default})."`
	Keep    string        `type:"path" placeholder:"DIR" help:"Folder to write the samples and their chart to."`
}

func (c *soakCommand) run(ctx context.Context, stdout, stderr io.Writer) (code int) {
	for _, engine := range c.Engine {
		config := soak.Config{For: c.For, Every: c.Every, Writers: c.Writers, Seed: rand.Uint64()}
		show, done := progress(stderr, "seconds")
		if show != nil {
			config.Progress = func(at time.Duration) { show(int(at.Seconds()), int(c.For.Seconds())) }
		}
		result, err := soak.Run(ctx, engine, config)
		done()
		switch {
		case ctx.Err() != nil:
			fmt.Fprintln(stderr, "chaos: interrupted")
			return exitInterrupted
		case err != nil:
			return fail(stderr, err)
		}
		t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "%s, %d calls\tat first\tin the end\t\n", result.Version, result.Calls())
		for _, l := range result.Lines() {
			fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%s\n", l.Title, l.First, l.Last, l.Unit)
			if l.Wrong != "" {
				code = exitBroken
				fmt.Fprintf(stderr, "NOT FLAT: %s\n", l.Wrong)
			}
		}
		if err := t.Flush(); err != nil {
			return fail(stderr, err)
		}
		if c.Keep != "" {
			if err := keepSoak(c.Keep, engine, result); err != nil {
				return fail(stderr, err)
			}
		}
	}
	return code
}

func keepSoak(dir, engine string, r *soak.Result) error {
	chart, err := r.Chart()
	if err != nil {
		return err
	}
	if err := keep(dir, soakFile(engine), r); err != nil {
		return err
	}
	return write(dir, chartFile(engine), chart)
}
