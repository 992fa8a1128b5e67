package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
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
	c := runCommand{Engine: faults.Engines()[:1], Seed: &seed, Times: 1, Faults: 1, Writers: 4, Calls: 1}
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

// The page says what the results do, and none of them says that something is broken.
func TestPage(t *testing.T) {
	docs := filepath.Join("..", "docs")
	k, err := read(filepath.Join(docs, "reliability"))
	require.NoError(t, err)
	text, err := k.page()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(docs, "reliability.md"))
	require.NoError(t, err)
	require.Equal(t, text, string(page), "make reliability, or chaos page, writes it")
	for _, engine := range faults.Engines() {
		require.Len(t, k.Chaos[engine], 20, engine)
		for _, s := range k.Chaos[engine] {
			require.Zero(t, s.Broken, s.Replay)
			require.GreaterOrEqual(t, total([]summary{s}).Faults, faults.DefaultFaults, s.Replay)
		}
		require.Contains(t, k.Soak, engine)
		for _, line := range k.Soak[engine].Lines() {
			require.Empty(t, line.Wrong)
		}
		chart, err := k.Soak[engine].Chart()
		require.NoError(t, err)
		drawn, err := os.ReadFile(filepath.Join(docs, "reliability", chartFile(engine)))
		require.NoError(t, err)
		require.Equal(t, string(chart), string(drawn))
	}
}

func TestSoak(t *testing.T) {
	var out, errors bytes.Buffer
	dir := t.TempDir()
	code := run([]string{"soak", "--for", "2s", "--every", "100ms", "--writers", "1", "--keep", dir}, &out, &errors)
	require.Contains(t, []int{exitOK, exitBroken}, code, errors.String()) // it is short
	require.Contains(t, out.String(), "different statements")
	k, err := read(dir)
	require.NoError(t, err)
	require.NotEmpty(t, k.Soak["postgres"].Samples)
	require.FileExists(t, filepath.Join(dir, chartFile("postgres")))
}
