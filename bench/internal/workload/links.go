package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
	"github.com/m2msafe/m2msafe/bench/internal/wire"
)

// opened are the linkers of a model's contenders.
type opened []struct {
	contender.Contender
	contender.Linker
}

func (o opened) close() error {
	var errs []error
	for _, l := range o {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func open(ctx context.Context, contenders []contender.Contender, server contender.Server) (opened, error) {
	var o opened
	for _, c := range contenders {
		l, err := c.Open(ctx, server)
		if err != nil {
			return nil, errors.Join(err, o.close())
		}
		o = append(o, struct {
			contender.Contender
			contender.Linker
		}{c, l})
	}
	return o, nil
}

// linkCases are calls one after the other, of links that are new and links that
// are there.
func linkCases(ctx context.Context, b *Bench, run func(Case) error) error {
	return b.sequences(ctx, "Link", "", b.Size.Links, run)
}

// delayCases are the same through a proxy that holds packets back.
func delayCases(ctx context.Context, b *Bench, run func(Case) error) error {
	delay, err := wire.NewDelay(b.Addr, b.Size.Milliseconds)
	if err != nil {
		return err
	}
	defer delay.Close()
	return b.sequences(ctx, "Delay", delay.Addr(), b.Size.Delay, run)
}

func (b *Bench) sequences(ctx context.Context, name, addr string, runs []Run, run func(Case) error) error {
	for _, model := range contender.Models {
		linkers, err := open(ctx, contender.Of(model), contender.Server{DSN: b.DSN, Addr: addr, Model: model, Conns: 1})
		if err != nil {
			return err
		}
		for _, r := range runs {
			for _, state := range []string{"new", "existing"} {
				c := Case{Name: fmt.Sprintf("%s/model=%s/links=%s/n=%d", name, model, state, r.N), Rounds: r.Rounds}
				for _, l := range linkers {
					c.Entries = append(c.Entries, Entry{l.Name, func(ctx context.Context, rng *rand.Rand) (Sample, error) {
						return b.sequence(ctx, l.Linker, model, state == "existing", r, rng)
					}})
				}
				if err := run(c); err != nil {
					return errors.Join(err, linkers.close())
				}
			}
		}
		if err := linkers.close(); err != nil {
			return err
		}
	}
	return nil
}

// sequence measures calls with an owner each, after one that is not measured:
// what changes in the catalogue between samples has the server plan anew.
func (b *Bench) sequence(ctx context.Context, l contender.Linker, m contender.Model, existing bool, r Run, rng *rand.Rand) (Sample, error) {
	if err := b.empty(ctx, m); err != nil {
		return Sample{}, err
	}
	calls := make([]contender.Call, r.Calls+1)
	for i := range calls {
		link := contender.Link{Owner: int64(i + 1), Targets: b.groups(rng, r.N)}
		if existing {
			if err := b.store(ctx, m, link); err != nil {
				return Sample{}, err
			}
		}
		calls[i] = l.Prepare(link)
	}
	if err := calls[0](ctx); err != nil {
		return Sample{}, err
	}
	return measure(ctx, calls[1:])
}

// groups chooses n of the stored groups, in a random order.
func (b *Bench) groups(rng *rand.Rand, n int) []int64 {
	ids := make([]int64, n)
	for i, id := range rng.Perm(b.Size.Groups)[:n] {
		ids[i] = int64(id + 1)
	}
	return ids
}

// store makes links, untimed.
func (b *Bench) store(ctx context.Context, m contender.Model, link contender.Link) error {
	_, err := b.Admin.Exec(ctx, "INSERT INTO "+m.Links()+" (user_id, group_id) SELECT $1::bigint, unnest($2::bigint[])",
		link.Owner, link.Targets)
	return err
}
