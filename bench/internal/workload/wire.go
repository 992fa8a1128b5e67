package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/perf/benchfmt"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
	"github.com/m2msafe/m2msafe/bench/internal/wire"
)

// wireCases count the round trips of a call.
func wireCases(ctx context.Context, b *Bench, run func(Case) error) error {
	for _, model := range contender.Models {
		for _, state := range []string{"new", "existing"} {
			for _, n := range b.Size.Wire {
				c := Case{Name: fmt.Sprintf("Wire/model=%s/links=%s/n=%d", model, state, n), Rounds: 1, Once: true}
				for _, who := range contender.Named(contender.Stock, contender.Plugin, contender.Floor) {
					c.Entries = append(c.Entries, Entry{who.Name, func(ctx context.Context, rng *rand.Rand) (Sample, error) {
						return b.trips(ctx, who, model, state == "existing", n, rng)
					}})
				}
				if err := run(c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// trips counts one call, after one of the same shape that has connected, prepared
// the statements and, for the plugin, read the catalogue. A call that fails is a
// result, too.
func (b *Bench) trips(ctx context.Context, who contender.Contender, m contender.Model, existing bool, n int, rng *rand.Rand) (_ Sample, err error) {
	if err := b.empty(ctx, m); err != nil {
		return Sample{}, err
	}
	relay, err := wire.NewRelay(ctx, b.Addr)
	if err != nil {
		return Sample{}, err
	}
	linker, err := who.Open(ctx, contender.Server{DSN: b.DSN, Addr: relay.Addr(), Model: m, Conns: 1})
	if err != nil {
		return Sample{}, errors.Join(err, relay.Close())
	}
	defer func() { err = errors.Join(err, linker.Close(), relay.Close()) }()
	var calls [2]contender.Call
	for i := range calls {
		link := contender.Link{Owner: int64(i + 1), Targets: b.groups(rng, n)}
		if existing {
			if err := b.store(ctx, m, link); err != nil {
				return Sample{}, err
			}
		}
		calls[i] = linker.Prepare(link)
	}
	failures := 0.0
	for _, call := range calls {
		relay.Trips()
		if err := call(ctx); err != nil {
			failures++
		}
	}
	return Sample{1, []benchfmt.Value{
		{Value: float64(relay.Trips()), Unit: "roundtrips/op"},
		{Value: failures / float64(len(calls)), Unit: failuresUnit},
	}}, nil
}
