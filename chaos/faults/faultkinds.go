package faults

import (
	"context"
	"math"
	"sync"
	"time"
)

// faultKind is a kind of fault: one that comes when it is due, or one of a call's own.
type faultKind struct {
	name   string
	weight int
	inCall bool
	// inject brings it about, and returns what ends it, if it lasts.
	inject func(ctx context.Context, r *run, f *timed) (lift func() error, err error)
	// arm has it come in a call: by an end of ctx, or where the call passes points.
	arm func(ctx context.Context, r *run, c *call, p *points) (context.Context, context.CancelFunc)
}

// ownFault is a call's.
type ownFault struct {
	kind  *faultKind
	turn  int     // the call's point, counted around
	share float64 // of the time that such a call takes
	up    bool    // it is the request that is lost, not the answer
}

// faultKinds are all of them.
var faultKinds = []*faultKind{
	{name: "session ended", weight: 20, inject: onSession(func(s *server) string { return s.terminate }, 0.5)},
	{name: "statement cancelled", weight: 15, inject: onSession(func(s *server) string { return s.cancel }, 1)},
	{name: "server stopped at once and restarted", weight: 4, inject: crash},
	{name: "connections cut", weight: 12, inject: onWire("limit_data", "bytes", 0, 1500)},
	{name: "connections delayed", weight: 8, inject: onWire("latency", "latency", 1, 40)},
	{name: "connections reset", weight: 12, inject: onWire("reset_peer", "timeout", 0, 10)},
	{name: "connections silent, then closed", weight: 5, inject: onWire("timeout", "timeout", 20, 300)},
	{name: "no way to the server", weight: 8, inject: func(_ context.Context, r *run, f *timed) (func() error, error) {
		return r.pools[f.pool].proxy.off()
	}},
	{name: "deadline", weight: 25, inCall: true, arm: deadlineIn},
	cancelling, losing,
}

// Those that come at each of a call's points in turn.
var (
	cancelling = &faultKind{name: "context cancelled at a statement", weight: 35, inCall: true, arm: cancelAt}
	losing     = &faultKind{name: "request or answer lost at a statement", weight: 35, inCall: true, arm: loseAt}
)

// lasting is how long a fault lasts at most, however few calls begin meanwhile.
const lasting = 500 * time.Millisecond

// onSession ends one of the sessions that there are, or its statement; of so many a
// session that is at work.
func onSession(statement func(*server) string, busy float64) func(context.Context, *run, *timed) (func() error, error) {
	return func(ctx context.Context, r *run, f *timed) (func() error, error) {
		for {
			hit, err := r.server.harm(ctx, statement(r.server), f.at, f.size < busy)
			if hit || err != nil {
				return nil, err
			}
			select { // all of them have just been cut off
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func crash(ctx context.Context, r *run, _ *timed) (func() error, error) {
	return func() error { return r.server.Restart(ctx) }, r.server.Crash()
}

// onWire adds a toxic to the connections of a pool.
func onWire(kind, attribute string, least, most float64) func(context.Context, *run, *timed) (func() error, error) {
	return func(_ context.Context, r *run, f *timed) (func() error, error) {
		pool := f.pool
		if kind == "reset_peer" {
			for !pools[pool].abrupt {
				pool = (pool + 1) % len(pools)
			}
		}
		// Squared: the smaller ones are the ones that hit a call in its middle.
		value := int(least + (most-least)*math.Pow(f.size, 2))
		return r.pools[pool].proxy.poison(kind, attribute, value, f.at < 0.3)
	}
}

// deadlineIn ends a call's context at some moment of the time that such calls take.
func deadlineIn(ctx context.Context, r *run, c *call, _ *points) (context.Context, context.CancelFunc) {
	r.injected(c.fault.kind)
	return context.WithTimeout(ctx, time.Duration(c.fault.share*float64(r.learned.took(c.kind))))
}

// cancelAt cancels a call's context at one of its points, or, of every second call,
// some time after.
func cancelAt(ctx context.Context, r *run, c *call, p *points) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	var after time.Duration
	if c.fault.share > 0.5 {
		after = time.Duration((c.fault.share - 0.5) * float64(r.learned.took(c.kind)))
	}
	p.at = c.fault.turn % r.learned.points(c.kind)
	p.fire = func() {
		r.injected(c.fault.kind)
		if after == 0 {
			cancel()
		} else {
			time.AfterFunc(after, cancel)
		}
	}
	return ctx, cancel
}

// loseFor is how long connections are cut at the first byte, at most.
const loseFor = 10 * time.Millisecond

// loseAt has what the call sends at one of its points get lost, or, more often, the
// answer to it: of other calls in the same pool too.
func loseAt(ctx context.Context, r *run, c *call, p *points) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	var lifting sync.WaitGroup
	p.at = c.fault.turn % r.learned.points(c.kind)
	p.fire = func() {
		r.injected(c.fault.kind)
		lift, err := r.pools[poolOf(c.writer)].proxy.poison("limit_data", "bytes", 0, c.fault.up)
		if err != nil {
			r.fail(err)
			return
		}
		lifting.Go(func() {
			time.Sleep(time.Duration(c.fault.share * float64(loseFor)))
			r.fail(lift())
		})
	}
	return ctx, func() {
		cancel()
		lifting.Wait()
	}
}
