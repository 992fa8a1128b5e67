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

// writerCases are several writers at the same time.
func writerCases(ctx context.Context, b *Bench, run func(Case) error) error {
	for _, model := range contender.Models {
		linkers, err := open(ctx, contender.Of(model), contender.Server{DSN: b.DSN, Model: model, Conns: b.Size.Writers})
		if err != nil {
			return err
		}
		side := b.Size.Sides[model]
		workloads := []struct {
			name  string
			links func(size, writer int, rng *rand.Rand) []contender.Link
			size  int
			pairs int
		}{
			{"one-owner/groups", oneOwner, b.Size.HotCalls, b.Size.HotCalls},
			{"shuffled/side", bothSides, side, side * side},
		}
		for _, w := range workloads {
			c := Case{Name: fmt.Sprintf("Writers/model=%s/work=%s=%d", model, w.name, w.size), Rounds: b.Size.WriterRounds}
			for _, l := range linkers {
				c.Entries = append(c.Entries, Entry{l.Name, func(ctx context.Context, rng *rand.Rand) (Sample, error) {
					if err := b.empty(ctx, model); err != nil {
						return Sample{}, err
					}
					calls := make([][]contender.Call, b.Size.Writers)
					for i := range calls {
						for _, link := range w.links(w.size, i, rng) {
							calls[i] = append(calls[i], l.Prepare(link))
						}
					}
					sample, err := together(ctx, calls)
					if err != nil {
						return Sample{}, err
					}
					if sample.failures() > 0 {
						return sample, nil
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
func oneOwner(groups, _ int, rng *rand.Rand) []contender.Link {
	var links []contender.Link
	for _, id := range rng.Perm(groups) {
		links = append(links, contender.Link{Owner: 1, Targets: []int64{int64(id + 1)}})
	}
	return links
}

// bothSides is a writer's work where all link every user to every group: half of
// them users to groups, half groups to users, each in an order of its own.
func bothSides(side, writer int, rng *rand.Rand) []contender.Link {
	var links []contender.Link
	for _, id := range rng.Perm(side) {
		link := contender.Link{Owner: int64(id + 1), Inverse: writer%2 == 1}
		for _, target := range rng.Perm(side) {
			link.Targets = append(link.Targets, int64(target+1))
		}
		links = append(links, link)
	}
	return links
}

// together times writers from the first call to the last. A call that fails is
// counted and not made again: repeated at once, it meets the same others.
func together(ctx context.Context, calls [][]contender.Call) (Sample, error) {
	runtime.GC()
	var (
		wait     sync.WaitGroup
		failures atomic.Int64
		begin    = make(chan struct{})
	)
	for i := range calls {
		wait.Go(func() {
			<-begin
			for _, call := range calls[i] {
				if err := call(ctx); err != nil {
					failures.Add(1)
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
		{Value: float64(failures.Load()), Unit: failuresUnit},
	}}, ctx.Err()
}

// holds checks that the links are there.
func (b *Bench) holds(ctx context.Context, m contender.Model, pairs int) error {
	var n int
	if err := b.Admin.QueryRow(ctx, "SELECT count(*) FROM "+m.Links()+" WHERE user_id <= $1", b.measured()).Scan(&n); err != nil {
		return err
	}
	if n != pairs {
		return fmt.Errorf("%d links are stored, not %d", n, pairs)
	}
	return nil
}
