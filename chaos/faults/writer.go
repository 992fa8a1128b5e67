package faults

import (
	"context"
	"sync"
	"time"
)

// patience is how long a call may take; a connection may be silent.
const patience = 3 * time.Second

// maxTries is how often a call is made that is made again.
const maxTries = 3

// writer makes a writer's calls: the first ones by itself, and then those that meet
// faults.
func (r *run) writer(ctx context.Context, w int) {
	list := r.plan.calls[w]
	failures := 0
	for _, c := range list[:r.plan.warm] {
		r.make(ctx, c, &failures)
	}
	r.warm.Done()
	<-r.start
	for _, c := range list[r.plan.warm:] {
		if !r.gate.enter() {
			return
		}
		r.make(ctx, c, &failures)
		r.gate.leave()
	}
}

// make makes a call, and some calls again that have failed.
func (r *run) make(ctx context.Context, c *call, failures *int) {
	c.build()
	for {
		r.try(ctx, c)
		if c.err() == nil {
			*failures = 0
			return
		}
		*failures++
		pause(ctx, *failures)
		if !c.again || len(c.tries) == maxTries {
			return
		}
	}
}

// pause is what an app does that can't reach its database: it waits, the longer the
// more often it has failed.
func pause(ctx context.Context, failures int) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Millisecond << min(failures-1, 5)):
	}
}

// try makes a call once. A fault of its own comes at the first try.
func (r *run) try(ctx context.Context, c *call) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := &points{at: -1}
	if c.fault != nil && len(c.tries) == 0 {
		ctx, cancel = c.fault.kind.arm(ctx, r, c, p)
		defer cancel()
	}
	ctx = p.with(ctx)
	began := time.Now()
	err := c.kind.run(ctx, r.pools[poolOf(c.writer)].db.WithContext(ctx), c)
	took := time.Since(began)
	c.tries = append(c.tries, try{err, p.committing || pools[poolOf(c.writer)].open || c.kind.alone})
	if err == nil {
		r.learned.note(c.kind, p.passed, took)
	}
}

// learned is what is known of kinds of calls by those that were made. It is safe for
// concurrent use.
type learned struct {
	mu    sync.Mutex
	kinds map[*kind]*lesson
}

// lesson is what is known of one: what a call takes, by a mean in which the last ones
// count more, and the most points that one has passed.
type lesson struct {
	took   time.Duration
	points int
}

func newLearned() *learned {
	l := &learned{kinds: map[*kind]*lesson{}}
	for _, k := range kinds {
		l.kinds[k] = &lesson{points: 1}
	}
	return l
}

func (l *learned) note(k *kind, points int, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.kinds[k]
	of.points = max(of.points, points)
	if of.took == 0 {
		of.took = took
	}
	of.took += (took - of.took) / 10
}

func (l *learned) took(k *kind) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kinds[k].took
}

func (l *learned) points(k *kind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kinds[k].points
}
