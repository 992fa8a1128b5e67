package faults

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// told is a plan in words.
func told(p *plan) (words []string) {
	for _, f := range p.timed {
		words = append(words, fmt.Sprint(f.kind.name, f.mark, f.long, f.at, f.size, f.pool))
	}
	for _, c := range slices.Concat(p.calls...) {
		fault := "no fault"
		if c.fault != nil {
			fault = fmt.Sprint(c.fault.kind.name, c.fault.turn, c.fault.share, c.fault.up)
		}
		words = append(words, fmt.Sprint(c.writer, c.index, c.kind.name, c.again, c.owners, c.targets, c.more, c.before, c.units, fault))
	}
	return words
}

func TestPlanIsTheSeeds(t *testing.T) {
	config := Config{Seed: 7, Faults: 50, Writers: 5, Calls: 9}
	first := makePlan(config)
	require.Equal(t, told(first), told(makePlan(config)))
	config.Seed++
	require.NotEqual(t, told(first), told(makePlan(config)))

	require.Equal(t, 90*5, first.total)
	kindsSeen, own := map[*faultKind]int{}, 0
	last := -1
	for _, f := range first.timed {
		kindsSeen[f.kind]++
		require.Greater(t, f.mark, last, "they don't overlap")
		last = f.mark + f.long - 1
	}
	require.Less(t, last, first.total)
	turns := map[string]bool{}
	for w, list := range first.calls {
		require.Len(t, list, first.warm+90)
		for i, c := range list {
			require.Equal(t, []int{w, i}, []int{c.writer, c.index})
			require.False(t, c.kind.whole && pools[poolOf(w)].open, "what is no transaction there")
			if c.fault != nil {
				require.GreaterOrEqual(t, i, first.warm)
				kindsSeen[c.fault.kind]++
				own++
				turn := fmt.Sprint(c.fault.kind.name, c.kind.name, c.fault.turn)
				require.False(t, turns[turn], "%s: not twice at one point, before all have had it", turn)
				turns[turn] = true
			}
		}
	}
	require.Len(t, kindsSeen, len(faultKinds))
	require.GreaterOrEqual(t, own+len(first.timed), 50)
}

// Owners, targets and notes of a call's own are of no other call.
func TestOwnRowsAreOwn(t *testing.T) {
	of := map[string]string{}
	for _, c := range slices.Concat(makePlan(Config{Seed: 1, Faults: 100, Writers: 8, Calls: 20}).calls...) {
		mine := map[string]bool{}
		for _, f := range slices.Concat(c.units...) {
			switch {
			case !f.own:
			case f.owner.id != 0:
				mine[fmt.Sprint(owners, f.owner)] = true
			case f.owner == (ref{}):
				mine[fmt.Sprint(f.table, f.target)] = true
			}
		}
		for what := range mine {
			require.Empty(t, of[what], what)
			of[what] = c.String()
		}
	}
	require.NotEmpty(t, of)
}

func TestGate(t *testing.T) {
	g := newGate()
	g.change(func() { g.limit = 2 })
	require.True(t, g.enter())
	require.True(t, g.enter())
	require.True(t, g.reached(t.Context(), 2))
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.False(t, g.reached(short, 3))

	rested, third := make(chan func()), make(chan bool)
	go func() { rested <- g.rest() }()
	g.leave()
	quiet(t, rested, "somebody is inside")
	g.leave()
	wake := <-rested
	g.change(func() { g.limit = 3 })
	go func() { third <- g.enter() }()
	quiet(t, third, "everybody rests")
	wake()
	require.True(t, <-third)

	go func() { third <- g.enter() }()
	quiet(t, third, "three may begin")
	g.end()
	require.False(t, <-third)
	require.False(t, g.reached(t.Context(), 4))
}

// quiet requires that nothing comes for a while.
func quiet[T any](t *testing.T, from chan T, why string) {
	t.Helper()
	select {
	case <-from:
		require.Fail(t, why)
	case <-time.After(10 * time.Millisecond):
	}
}
