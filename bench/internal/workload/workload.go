// Package workload measures the contenders: what they do, how often, and in
// which order.
package workload

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/perf/benchfmt"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

// Suite is what goes into one file of raw results.
type Suite struct {
	Name string
	// Cases opens what the suite needs and gives its cases to run, one after the
	// other.
	Cases func(ctx context.Context, b *Bench, run func(Case) error) error
}

// Suites are all. A new workload is one more line here, with cases whose entries
// are its contenders.
func Suites() []Suite {
	return []Suite{
		{"links", linkCases},
		{"delay", delayCases},
		{"writers", writerCases},
		{"idle", idleCases},
		{"wire", wireCases},
		{"bulk", bulkCases},
	}
}

// Case is one thing that several contenders do.
type Case struct {
	Name    string // as a benchmark's, without the contender
	Rounds  int    // how often each contender is measured
	Once    bool   // no warm-up: of counts, which are the same every time, and of long calls
	Entries []Entry
}

// Entry is one contender's part in a case.
type Entry struct {
	Contender string
	// Sample measures once, with all that has to be set right before.
	Sample func(ctx context.Context, rng *rand.Rand) (Sample, error)
}

// Sample is one measurement.
type Sample struct {
	Calls  int
	Values []benchfmt.Value
}

// failuresUnit counts calls that failed.
const failuresUnit = "failures/op"

func (s Sample) failures() float64 {
	for _, v := range s.Values {
		if v.Unit == failuresUnit {
			return v.Value
		}
	}
	return 0
}

// Bench is a run.
type Bench struct {
	DSN    string
	Addr   string // of the server
	Admin  *pgx.Conn
	Size   Size
	Seed   uint64
	Config []benchfmt.Config // heads every file of raw results
	Log    io.Writer
}

// Setup makes the tables. Half of the users have links already, which stay: plans
// that are made for an empty join table are not those that an app meets.
func (b *Bench) Setup(ctx context.Context) error {
	if err := contender.CreateTables(ctx, b.Admin, b.Size.Users, b.Size.Groups); err != nil {
		return err
	}
	for _, m := range contender.Models {
		_, err := b.Admin.Exec(ctx, "INSERT INTO "+m.Links()+" (user_id, group_id) SELECT u.id, g.id FROM "+m.Users()+
			" AS u CROSS JOIN LATERAL (SELECT (u.id * 7 + i * 13) % $2 + 1 AS id FROM generate_series(1, $3::int) AS i) AS g"+
			" WHERE u.id > $1", b.measured(), b.Size.Groups, b.Size.Stored)
		if err != nil {
			return err
		}
	}
	return b.exec(ctx, "VACUUM ANALYZE")
}

// measured is the last user whose links are made and taken away.
func (b *Bench) measured() int { return b.Size.Users / 2 }

// Run runs a suite and writes its raw results. Each round measures each contender
// once, in a random order, so that what the machine does meanwhile meets them all.
func (b *Bench) Run(ctx context.Context, s Suite, raw io.Writer) error {
	out := benchfmt.NewWriter(raw)
	return s.Cases(ctx, b, func(c Case) error {
		start := time.Now()
		if err := b.run(ctx, c, out); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		_, err := fmt.Fprintf(b.Log, "%-60s %3d rounds %8.1fs\n", c.Name, c.Rounds, time.Since(start).Seconds())
		return err
	})
}

func (b *Bench) run(ctx context.Context, c Case, out *benchfmt.Writer) error {
	order := rand.New(rand.NewPCG(b.Seed, 1))
	first := 0
	if !c.Once {
		first = -1 // not counted: connections, prepared statements, plans
	}
	for round := first; round < c.Rounds; round++ {
		for _, i := range order.Perm(len(c.Entries)) {
			e := c.Entries[i]
			// The same choices for each contender of a round.
			sample, err := e.Sample(ctx, rand.New(rand.NewPCG(b.Seed, uint64(round+2))))
			if err != nil {
				return fmt.Errorf("%s: %w", e.Contender, err)
			}
			if round < 0 {
				continue
			}
			err = out.Write(&benchfmt.Result{
				Config: b.Config, Name: benchfmt.Name(c.Name + "/contender=" + e.Contender),
				Iters: sample.Calls, Values: sample.Values,
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// measure times calls made one after the other, and counts what they allocate.
func measure(ctx context.Context, calls []contender.Call) (Sample, error) {
	runtime.GC() // nobody pays for another's garbage
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for _, call := range calls {
		if err := call(ctx); err != nil {
			return Sample{}, err
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(len(calls))
	return Sample{len(calls), []benchfmt.Value{
		nanoseconds(float64(took.Nanoseconds()) / n),
		{Value: float64(after.TotalAlloc-before.TotalAlloc) / n, Unit: "B/op"},
		{Value: float64(after.Mallocs-before.Mallocs) / n, Unit: "allocs/op"},
	}}, nil
}

// nanoseconds is written as Go's benchmarks write it, and read as seconds.
func nanoseconds(ns float64) benchfmt.Value {
	return benchfmt.Value{Value: ns / 1e9, Unit: "sec/op", OrigValue: ns, OrigUnit: "ns/op"}
}

// exec runs statements as the administrator, untimed.
func (b *Bench) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := b.Admin.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// empty takes away the links that were made, and the dead rows too: nobody pays
// for another's.
func (b *Bench) empty(ctx context.Context, m contender.Model) error {
	return b.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE user_id <= %d", m.Links(), b.measured()), "VACUUM "+m.Links(), "VACUUM "+m.Users(), "VACUUM "+m.Groups())
}
