package soak

import (
	"fmt"
	"slices"
)

// line is a quantity over time.
type line struct {
	title, unit string
	of          func(Sample) float64
	scale       float64 // of what is shown
	// How much more, and less, the last part of a run may have than the first, as
	// shares. What is noisy may be off by more than what is counted.
	up, down float64
	constant bool // it may not differ at all
}

const mega = 1 << 20

var lines = []line{
	{title: "calls a second", of: func(s Sample) float64 { return s.PerSecond }, up: 10, down: 0.3},
	{title: "calls that failed", of: func(s Sample) float64 { return float64(s.Errors) }, constant: true},
	{title: "statements a call", of: func(s Sample) float64 { return s.PerCall }, up: 0.05, down: 0.05},
	{title: "different statements", of: func(s Sample) float64 { return float64(s.Texts) }, constant: true},
	{title: "statements prepared in the server", of: func(s Sample) float64 { return s.Prepared }, up: 0.02, down: 0.02},
	{title: "memory of the server", unit: "MiB", of: func(s Sample) float64 { return s.Memory }, scale: mega, up: 0.05, down: 0.5},
	{title: "heap of the app", unit: "MiB", of: func(s Sample) float64 { return s.Heap }, scale: mega, up: 0.05, down: 0.5},
	{title: "goroutines", of: func(s Sample) float64 { return float64(s.Goroutines) }, up: 0.1, down: 0.5},
}

// Flat is what a line has come to.
type Flat struct {
	Title, Unit string
	First, Last float64 // medians of the first and of the last third, behind the start
	Wrong       string  // what it should not be, if it is
}

// start is the share of a run that its caches and pools take to fill.
const start = 0.1

// Lines compare the last part of a run with the first one.
func (r *Result) Lines() (list []Flat) {
	samples := r.Samples[int(start*float64(len(r.Samples))):]
	third := max(1, len(samples)/3)
	for _, l := range lines {
		f := Flat{Title: l.title, Unit: l.unit, First: l.median(samples[:third]), Last: l.median(samples[len(samples)-third:])}
		switch {
		case l.constant && f.First != f.Last:
			f.Wrong = fmt.Sprintf("%s: %.4g at first, %.4g in the end", l.title, f.First, f.Last)
		case !l.constant && (f.Last > f.First*(1+l.up) || f.Last < f.First*(1-l.down)):
			f.Wrong = fmt.Sprintf("%s: %.4g at first, %.4g in the end; it may be %+.0f%% and %+.0f%%", l.title, f.First, f.Last, 100*l.up, -100*l.down)
		}
		if l.title == "calls that failed" && f.Last > 0 {
			f.Wrong = fmt.Sprintf("%.0f calls failed: %q", f.Last, r.Failed)
		}
		list = append(list, f)
	}
	return list
}

func (l line) value(s Sample) float64 {
	if l.scale > 0 {
		return l.of(s) / l.scale
	}
	return l.of(s)
}

func (l line) median(samples []Sample) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, l.value(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// Calls is how many were made.
func (r *Result) Calls() (n int) {
	for _, s := range r.Samples {
		n += s.Calls
	}
	return n
}
