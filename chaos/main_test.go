package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/chaos/faults"
)

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"run", "--help"}, exitOK, "--seed"},
		{"an engine that there is not", []string{"--engine", "oracle"}, exitFailed, "oracle"},
		{"a seed that is no number", []string{"--seed", "x"}, exitFailed, "seed"},
		{"too few writers", []string{"--writers", "3"}, exitFailed, "4 writers"},
		{"no faults", []string{"run", "--faults", "0"}, exitFailed, "a fault"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			require.Equal(t, c.code, run(c.args, &out, &out))
			require.Contains(t, out.String(), c.says)
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	seed := uint64(5)
	var out bytes.Buffer
	c := runCommand{Engine: faults.Engines()[:1], Seed: &seed, Faults: 1, Writers: 4, Calls: 1}
	require.Equal(t, exitInterrupted, c.run(ctx, &out, &out))
	require.Contains(t, out.String(), "seed 5\n")
}

func TestVerdict(t *testing.T) {
	var out bytes.Buffer
	r := &faults.Result{Config: faults.Config{Faults: 2}, Injected: []faults.Count{{What: "x", N: 1}, {What: "y", N: 1}}}
	require.Equal(t, exitOK, verdict(r, &out))
	require.Empty(t, out.String())
	r.Injected[0].N = 0
	require.Equal(t, exitFailed, verdict(r, &out))
	require.Contains(t, out.String(), "1 faults of 2")
	r.Broken = []faults.Broken{{Invariant: "a pair is stored twice", What: "here"}}
	require.Equal(t, exitBroken, verdict(r, &out))
}
