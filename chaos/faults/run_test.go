package faults

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/compat/mariadb"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// everyEngine runs a test on each engine of which this machine has the programs.
func everyEngine(t *testing.T, test func(t *testing.T, engine string)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(engine, func(t *testing.T) {
			test(t, engine)
		})
	}
}

// skipWithout skips a test for want of an engine's programs.
func skipWithout(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, pgcluster.ErrNoPrograms) || errors.Is(err, mariadb.ErrNoPrograms) {
		t.Skip(err)
	}
	require.NoError(t, err)
}

// clean requires that nothing is broken.
func clean(t *testing.T, result *Result) {
	t.Helper()
	var b strings.Builder
	require.NoError(t, result.Write(&b))
	t.Log(b.String())
	require.Empty(t, result.Broken)
}

// A short run, with each kind of fault in it.
func TestRun(t *testing.T) {
	everyEngine(t, func(t *testing.T, engine string) {
		seed := rand.Uint64N(1 << 32)
		t.Logf("seed %d", seed)
		behind := 0
		result, err := Run(t.Context(), engine, Config{
			Seed: seed, Faults: 20, Writers: 8, Calls: 20,
			Progress: func(done, all int) { require.LessOrEqual(t, done, all); behind = done },
		})
		skipWithout(t, err)
		clean(t, result)
		require.NotZero(t, behind)
		require.GreaterOrEqual(t, result.Faults(), 20)
		require.Len(t, result.Injected, len(faultKinds), "each kind was there")
		for _, c := range result.Calls {
			require.NotZero(t, c.Acknowledged, c.What)
		}
	})
}

// maxPoints is how many points no kind of call has more of.
const maxPoints = 12

// A context that ends, and a request or an answer that is lost, at each point of each
// kind of call, one after the other. Which of the ways to set GORM up has which, the
// seed says.
func TestEachPoint(t *testing.T) {
	everyEngine(t, func(t *testing.T, engine string) {
		const seed = 1 // "make chaos" draws others
		rng := rand.New(rand.NewPCG(seed, 0))
		p := &plan{Config: Config{Seed: seed, Writers: len(pools)}, warm: 2 * len(kinds)}
		for w := range p.Writers {
			p.calls = append(p.calls, drawCalls(rng, w, p.warm, 0))
		}
		for _, k := range kinds {
			for turn := range maxPoints {
				for _, fault := range []ownFault{{kind: cancelling}, {kind: losing, share: 0.5, up: rng.IntN(3) == 0}} {
					w := rng.IntN(p.Writers)
					for !slices.Contains(kindsOf(w), k) {
						w = rng.IntN(p.Writers)
					}
					c := drawCall(rng, w, len(p.calls[w]), k)
					fault.turn = turn
					c.fault = &fault
					p.calls[w] = append(p.calls[w], c)
					p.total++
				}
			}
		}
		result, err := runPlan(t.Context(), engine, p)
		skipWithout(t, err)
		clean(t, result)
		require.Greater(t, result.Faults(), p.total*2/3, "some calls had failed before")
	})
}
