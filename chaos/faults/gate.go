package faults

import (
	"context"
	"sync"
)

// gate is what each call passes on its way in and out. It counts them, keeps them
// from running ahead of the faults, and can have them rest. It is safe for concurrent
// use.
type gate struct {
	mu      sync.Mutex
	changed *sync.Cond
	begun   int
	inside  int
	limit   int // how many may begin
	resting bool
	over    bool // no call begins any more
}

func newGate() *gate {
	g := &gate{}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// change changes it, and has everybody look anew.
func (g *gate) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	g.changed.Broadcast()
}

// enter waits until a call may begin; false is never.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.over && (g.resting || g.begun >= g.limit) {
		g.changed.Wait()
	}
	if g.over {
		return false
	}
	g.begun++
	g.inside++
	g.changed.Broadcast()
	return true
}

// leave is the end of a call.
func (g *gate) leave() { g.change(func() { g.inside-- }) }

// end lets no more calls begin.
func (g *gate) end() { g.change(func() { g.over = true }) }

// reached waits until so many calls have begun; false is that they never will, or
// that ctx has ended.
func (g *gate) reached(ctx context.Context, calls int) bool {
	defer context.AfterFunc(ctx, func() { g.change(func() {}) })()
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.over && ctx.Err() == nil && g.begun < calls {
		g.changed.Wait()
	}
	return g.begun >= calls
}

// rest waits until no call is inside, lets none begin, and returns what ends that.
func (g *gate) rest() (wake func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resting = true
	for g.inside > 0 {
		g.changed.Wait()
	}
	return func() { g.change(func() { g.resting = false }) }
}
