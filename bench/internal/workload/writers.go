package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

// tries is how often a call that fails is made again, as an app has to that wants
// its links. All contenders have made the same links in the end.
const tries = 100

// writerCases are several writers at the same time.
func writerCases(ctx context.Context, b *Bench, run func(Case) error) error {
	workloads := []struct {
		name  string
		links func(b *Bench, writer int, rng *rand.Rand) []contender.Link
		pairs int
	}{
		{"one-owner", oneOwner, b.Size.HotCalls},
		{"shuffled", bothSides, b.Size.Side * b.Size.Side},
	}
	for _, model := range contender.Models {
		linkers, err := open(ctx, contender.Of(model), contender.Server{DSN: b.DSN, Model: model, Conns: b.Size.Writers})
		if err != nil {
			return err
		}
		for _, w := range workloads {
			c := Case{Name: fmt.Sprintf("Writers/model=%s/work=%s/writers=%d", model, w.name, b.Size.Writers), Rounds: b.Size.WriterRounds}
			for _, l := range linkers {
				c.Entries = append(c.Entries, Entry{l.Name, func(ctx context.Context, rng *rand.Rand) (Sample, error) {
					if err := b.empty(ctx, model); err != nil {
						return Sample{}, err
					}
					calls := make([][]contender.Call, b.Size.Writers)
					for i := range calls {
						for _, link := range w.links(b, i, rng) {
							calls[i] = append(calls[i], l.Prepare(link))
						}
					}
					sample, err := together(ctx, calls)
					if err != nil {
						return Sample{}, err
					}
					return sample, b.holds(ctx, model, w.pairs)
				}})
			}
			if err := run(c); err != nil {
				return errors.Join(err, linkers.close())
			}
		}
		if err := linkers.close(); err != nil {
			return err
		}
	}
	return nil
}

// oneOwner is a writer's work where all add the same groups to one user, one a
// call, each in an order of its own.
func oneOwner(b *Bench, _ int, rng *rand.Rand) []contender.Link {
	var links []contender.Link
	for _, id := range rng.Perm(b.Size.HotCalls) {
		links = append(links, contender.Link{Owner: 1, Targets: []int64{int64(id + 1)}})
	}
	return links
}

// bothSides is a writer's work where all link every user to every group: half of
// them users to groups, half groups to users, each in an order of its own.
func bothSides(b *Bench, writer int, rng *rand.Rand) []contender.Link {
	var links []contender.Link
	for _, id := range rng.Perm(b.Size.Side) {
		link := contender.Link{Owner: int64(id + 1), Inverse: writer%2 == 1}
		for _, target := range rng.Perm(b.Size.Side) {
			link.Targets = append(link.Targets, int64(target+1))
		}
		links = append(links, link)
	}
	return links
}

// together times writers from the first call to the last.
func together(ctx context.Context, calls [][]contender.Call) (Sample, error) {
	runtime.GC()
	var (
		wait     sync.WaitGroup
		failures atomic.Int64
		errs     = make([]error, len(calls))
		begin    = make(chan struct{})
	)
	for i := range calls {
		wait.Go(func() {
			<-begin
			for _, call := range calls[i] {
				failed := 0
				for err := call(ctx); err != nil; err = call(ctx) {
					failures.Add(1)
					if failed++; failed == tries || ctx.Err() != nil {
						errs[i] = err
						return
					}
				}
			}
		})
	}
	start := time.Now()
	close(begin)
	wait.Wait()
	took := time.Since(start)
	return Sample{1, []benchfmt.Value{
		nanoseconds(float64(took.Nanoseconds())),
		{Value: float64(failures.Load()), Unit: "failures/op"},
	}}, errors.Join(errs...)
}

// holds checks that the links are there.
func (b *Bench) holds(ctx context.Context, m contender.Model, pairs int) error {
	var n int
	if err := b.Admin.QueryRow(ctx, "SELECT count(*) FROM "+m.Links()).Scan(&n); err != nil {
		return err
	}
	if n != pairs {
		return fmt.Errorf("%d links are stored, not %d", n, pairs)
	}
	return nil
}
