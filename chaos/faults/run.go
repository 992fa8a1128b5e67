package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/goleak"
)

// run is a run while it lasts.
type run struct {
	plan    *plan
	server  *server
	pools   []*pool
	gate    *gate
	learned *learned
	warm    sync.WaitGroup // until all writers are warm
	start   chan struct{}  // closed then
	abort   context.CancelCauseFunc
	broken  []Broken
	settle  time.Duration // see settleLimit

	mu    sync.Mutex
	count map[*faultKind]int
}

// Run makes a run on an engine, and says what it has found. An error is that it could
// not be made; what it breaks is in the Result. Without programs for the engine the
// error is the one of the package that starts it.
func Run(ctx context.Context, engine string, config Config) (*Result, error) {
	if config.Writers < len(pools) || config.Faults < 1 || config.Calls < 1 {
		return nil, fmt.Errorf("faults: it takes %d writers, and a fault and a call, at least", len(pools))
	}
	return runPlan(ctx, engine, makePlan(config))
}

func newRun(p *plan) *run {
	return &run{
		plan: p, gate: newGate(), learned: newLearned(), start: make(chan struct{}),
		settle: settleLimit, count: map[*faultKind]int{},
	}
}

func runPlan(ctx context.Context, engine string, p *plan) (_ *Result, err error) {
	start, ok := engines[engine]
	if !ok {
		return nil, fmt.Errorf("faults: there is no engine %q", engine)
	}
	before := goleak.IgnoreCurrent()
	began := time.Now()
	r := newRun(p)
	if r.server, err = start(ctx); err != nil {
		return nil, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, r.server.stop())
		}
	}()
	version, err := r.server.texts(ctx, r.server.version)
	if err != nil {
		return nil, err
	}
	if err := r.server.seed(ctx, r.plan); err != nil {
		return nil, err
	}
	if err := r.write(ctx); err != nil {
		return nil, err
	}
	s, err := read(ctx, r.server.admin)
	if err != nil {
		return nil, err
	}
	a := newAudit(s, slices.Concat(r.plan.calls...))
	stopped = true
	if err := r.server.stop(); err != nil {
		return nil, err
	}
	r.leaks(leftRunning, goroutines(before))
	result := r.result(a)
	result.Engine, result.Version, result.Took = engine, version[0], time.Since(began)
	return result, nil
}

// write has the writers write, until their calls are made, and leaves no connection.
func (r *run) write(ctx context.Context) (err error) {
	ctx, r.abort = context.WithCancelCause(ctx)
	defer r.abort(nil)
	writers := r.plan.Writers
	for i := range pools {
		p, err := openPool(&pools[i], r.server, (writers+len(pools)-1)/len(pools))
		if err != nil {
			return errors.Join(err, r.close())
		}
		r.pools = append(r.pools, p)
	}
	var working sync.WaitGroup
	r.warm.Add(writers)
	for w := range writers {
		working.Go(func() { r.writer(ctx, w) })
	}
	r.warm.Wait()
	close(r.start)
	if r.plan.For > 0 {
		defer time.AfterFunc(r.plan.For, r.gate.end).Stop()
	}
	defer context.AfterFunc(ctx, r.gate.end)()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		working.Wait()
		r.gate.end()
	}()
	err = r.injectAll(ctx)
	if err != nil {
		r.abort(err)
	}
	<-ended
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(cause, r.close())
	}
	if err := r.atRest(ctx); err != nil {
		return errors.Join(err, r.close())
	}
	if err := r.close(); err != nil {
		return err
	}
	left, err := eventually(ctx, r.settle, func() ([]string, error) { return r.server.texts(ctx, r.server.sessions) })
	r.leaks(leftThere, left)
	return err
}

func (r *run) close() (err error) {
	for _, p := range r.pools {
		err = errors.Join(err, p.close())
	}
	return err
}

// fail ends the run for a reason that is not the plugin's.
func (r *run) fail(err error) {
	if err != nil {
		r.abort(err)
	}
}

func (r *run) injected(k *faultKind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[k]++
}

// rests are how often in a run everybody stops, and what is left open is looked for.
const rests = 4

// injectAll brings the timed faults about, one after the other, each when it is due.
func (r *run) injectAll(ctx context.Context) error {
	list := r.plan.timed
	for i := range list {
		r.gate.change(func() { r.gate.limit = list[i].mark + r.plan.Writers })
		if !r.gate.reached(ctx, list[i].mark) {
			break
		}
		if err := r.inject(ctx, &list[i]); err != nil {
			return err
		}
		r.progress(i + 1)
		if every := max(1, len(list)/rests); i%every == every-1 {
			wake := r.gate.rest()
			err := r.atRest(ctx)
			wake()
			if err != nil {
				return err
			}
		}
	}
	r.gate.change(func() { r.gate.limit = r.plan.total })
	return nil
}

// inject brings a fault about, and ends it.
func (r *run) inject(ctx context.Context, f *timed) error {
	lift, err := f.kind.inject(ctx, r, f)
	if err != nil || lift == nil {
		if err == nil {
			r.injected(f.kind)
		}
		return err
	}
	r.injected(f.kind)
	short, cancel := context.WithTimeout(ctx, lasting)
	defer cancel()
	r.gate.change(func() { r.gate.limit = f.mark + f.long + r.plan.Writers })
	r.gate.reached(short, f.mark+f.long)
	return lift()
}

func (r *run) progress(done int) {
	if r.plan.Progress != nil {
		r.plan.Progress(done, len(r.plan.timed))
	}
}

// goroutines are those that a run has left behind.
func goroutines(before goleak.Option) []string {
	err := goleak.Find(before,
		// What GORM never ends: its cache of prepared statements.
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"),
		// What toxiproxy never ends: a side of a cut connection that has more to say.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	)
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}
