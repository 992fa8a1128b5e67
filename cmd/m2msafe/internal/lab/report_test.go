package lab

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// sample is a report with everything in it that can be.
func sample() *Report {
	effect := int64(1000)
	l := &Lab{
		Engine: &Engine{Name: Postgres, Title: "PostgreSQL 15.18, a throwaway cluster", Note: "A note.", DeadlockTimeout: "200ms"},
		Ways:   Ways(), Size: Size{Writers: 8, Quick: true}, Seed: 1,
	}
	l.Experiments, _ = Choose([]string{"shuffled", "second-key", "deferrable", "sequence"})
	return l.Report([]*Result{
		{Experiment: "shuffled", Way: ByHand, Calls: 1600, Errors: map[string]int{"unique 23505": 1250, "deadlock 40P01": 8}, Elapsed: 7320 * time.Millisecond},
		{Experiment: "shuffled", Way: Stock, Calls: 1600, Errors: map[string]int{"foreign key 23503": 1234}, Damage: Damage{40_000, 30_000, 20_000}, Elapsed: time.Minute},
		{Experiment: "shuffled", Way: Plugin, Calls: 1600, Elapsed: 422 * time.Millisecond},
		{Experiment: "second-key", Way: Plugin, Calls: 320, Expected: map[string]int{"unique 23505": 280}, Errors: map[string]int{"panic": 1}, Samples: map[string]string{"panic": "panic: boom\ngoroutine 7 [running]"}},
		{Experiment: "deferrable", Way: ByHand, Skipped: "not here"},
		{Experiment: "deferrable", Way: Plugin, Skipped: "not here"},
		{Experiment: "sequence", Way: Stock, Calls: 1000, Effect: &effect},
	})
}

func TestTableFitsItsTerminal(t *testing.T) {
	for _, width := range []int{80, 120} {
		for line := range strings.SplitSeq(sample().table(width, false), "\n") {
			require.LessOrEqual(t, utf8.RuneCountInString(line), width, line)
		}
	}
	require.Equal(t, sample().table(show.MinWidth, false), sample().table(20, false), "no narrower than that")
}

func TestTableSays(t *testing.T) {
	table := sample().table(80, false)
	for _, want := range []string{
		"PostgreSQL 15.18, a throwaway cluster · 8 writers · quick, deadlock_timeout",
		"A note.",
		"1,250× unique 23505",
		"8× deadlock 40P01",
		"280× unique 23505 ✓",
		"40,000  30,000  20,000",
		"– not here",
		"m2msafe, panic: panic: boom",
		"stock GORM: 2 of 2 experiments went wrong. 2,600 calls: 1,234 errors",
		"m2msafe: 1 of 2 experiments went wrong. 1,920 calls: 1 error",
	} {
		require.Contains(t, table, want)
	}
	require.NotContains(t, table, "goroutine")
	require.NotContains(t, table, "\x1b")
	require.Contains(t, sample().table(80, true), "\x1b[31;1m")
}

func TestMarkdownSays(t *testing.T) {
	r := sample()
	r.Interrupted = true
	markdown := r.markdown()
	for _, want := range []string{
		"| **shuffled** | by hand | 1,600 | **1,250× unique 23505, 8× deadlock 40P01** | 0 | 0 | 0 |  | 7.3 s |",
		"|  | m2msafe | 1,600 | none | 0 | 0 | 0 |  | 422 ms |",
		"| **second-key** | m2msafe | 320 | **1× panic**, 280× unique 23505 ✓ |",
		"| **sequence** | stock GORM | 1,000 | none | 0 | 0 | 0 | **1,000** | 0 ms |",
		"- – (deferrable): not here.",
		"Interrupted",
	} {
		require.Contains(t, markdown, want)
	}
}

func TestWriteKnowsItsFormats(t *testing.T) {
	for _, format := range Formats {
		var out strings.Builder
		require.NoError(t, sample().Write(&out, format, 80, false))
		require.NotEmpty(t, out.String())
		if format == "json" {
			var back Report
			require.NoError(t, json.Unmarshal([]byte(out.String()), &back))
			require.Equal(t, 40_000, back.Blocks[0].Results[1].Duplicates)
			require.False(t, back.OK)
		}
	}
	require.ErrorContains(t, sample().Write(nil, "csv", 80, false), `no format is called "csv"`)
}
