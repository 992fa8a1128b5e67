package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// Report is what a run of the lab has to say.
type Report struct {
	Engine      string   `json:"engine"`
	Note        string   `json:"note,omitempty"`
	Writers     int      `json:"writers"`
	Quick       bool     `json:"quick"`
	Seed        uint64   `json:"seed"`
	CPUs        int      `json:"cpus"`
	Interrupted bool     `json:"interrupted,omitempty"` // the rest is missing
	Blocks      []*Block `json:"experiments"`
	Summary     []string `json:"summary"`
	OK          bool     `json:"ok"` // what the exit code says

	deadlocks string // what the setting says of deadlocks
}

// Block is one experiment's part of the report.
type Block struct {
	Name    string    `json:"name"`
	About   string    `json:"about"`
	Asked   string    `json:"asked,omitempty"`
	Effect  string    `json:"effect,omitempty"`
	Results []*Result `json:"results"`

	column string // heading of the effect
}

// Formats are the formats that Write knows.
var Formats = []string{"table", "json", "markdown"}

// Report sums up results of the lab.
func (l *Lab) Report(results []*Result) *Report {
	r := &Report{
		Engine: l.Engine.Title, Note: l.Engine.Note, Writers: l.Size.Writers, Quick: l.Size.Quick, Seed: l.Seed,
	}
	if l.Engine.DeadlockTimeout != "" {
		r.deadlocks = ", deadlock_timeout " + l.Engine.DeadlockTimeout
	}
	for _, e := range l.Experiments {
		b := &Block{Name: e.Name, About: e.About, Asked: e.Asked}
		if e.Effect != nil {
			b.Effect, b.column = e.Effect.Name, e.Effect.Column
		}
		for _, result := range results {
			if result.Experiment == e.Name {
				b.Results = append(b.Results, result)
			}
		}
		if len(b.Results) > 0 {
			r.Blocks = append(r.Blocks, b)
		}
	}
	r.OK = true
	for _, w := range l.Ways {
		t := r.total(w.Name)
		r.Summary = append(r.Summary, t.text(w.Name))
		if w.Name == Plugin {
			r.OK = t.unclean == 0 && t.calls > 0
		}
	}
	return r
}

// total is what all experiments of one way come to.
type total struct {
	calls, errors, expected, effects int
	ran, unclean                     int // experiments
	Damage
}

func (r *Report) total(way string) (t total) {
	for _, b := range r.Blocks {
		for _, result := range b.Results {
			if result.Way != way || result.Skipped != "" {
				continue
			}
			t.ran++
			if !result.Clean() {
				t.unclean++
			}
			t.calls += result.Calls
			t.errors += result.Failed()
			for _, n := range result.Expected {
				t.expected += n
			}
			t.Duplicates, t.Lost, t.Wrong = t.Duplicates+result.Duplicates, t.Lost+result.Lost, t.Wrong+result.Wrong
			if result.Effect != nil {
				t.effects += int(*result.Effect)
			}
		}
	}
	return t
}

// text is the closing line of a way.
func (t total) text(way string) string {
	if t.ran == 0 {
		return way + ": nothing was run."
	}
	line := fmt.Sprintf("%s: %d of %d experiments went wrong. %s: %s, %s, %s, %s", way,
		t.unclean, t.ran, show.Plural(t.calls, "call"), show.Plural(t.errors, "error"), show.Plural(t.Duplicates, "duplicate row"), show.Plural(t.Lost, "lost link"), show.Plural(t.Wrong, "wrong ID"))
	if t.effects > 0 {
		line += ", " + show.Plural(t.effects, "side effect")
	}
	if t.expected > 0 {
		line += fmt.Sprintf(" (and %s refused, rightly)", show.Plural(t.expected, "call"))
	}
	return line + "."
}

// Write writes the report in one of Formats. width and color are for tables.
func (r *Report) Write(w io.Writer, format string, width int, color bool) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	case "markdown":
		_, err := io.WriteString(w, r.markdown())
		return err
	case "table":
		_, err := io.WriteString(w, r.table(width, color))
		return err
	}
	return fmt.Errorf("no format is called %q; there are: %s", format, strings.Join(Formats, ", "))
}

// setting is the run's circumstances in one line.
func (r *Report) setting() string {
	size := "full size"
	if r.Quick {
		size = "quick"
	}
	return strings.Join([]string{
		r.Engine, show.Plural(r.Writers, "writer"), size + r.deadlocks, fmt.Sprintf("seed %d", r.Seed), show.Plural(r.CPUs, "CPU"),
	}, " · ")
}

// faults are the kinds of errors with their numbers, the most frequent first;
// mark is put behind each.
func faults(errors map[string]int, mark string) []string {
	kinds := slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		if errors[a] != errors[b] {
			return errors[b] - errors[a]
		}
		return strings.Compare(a, b)
	})
	for i, kind := range kinds {
		kinds[i] = show.Number(errors[kind]) + "× " + kind + mark
	}
	return kinds
}

// duration is d in the unit that a person would take.
func duration(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
