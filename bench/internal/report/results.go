// Package report makes a page and charts of raw results. Every figure is taken
// from them: medians and their confidence intervals by benchstat's library.
package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// RunKey is the configuration key that is the same in all files of one run.
const RunKey = "run"

// confidence is benchstat's default.
const confidence = 0.95

// Results are the raw results of one run.
type Results struct {
	Config map[string]string
	cases  []string // in the order of the files
	values map[key][]float64
}

type key struct{ name, contender, unit string }

// Load reads all raw results of a folder. They have to be of one run: figures of
// two are not to be compared.
func Load(dir string) (*Results, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err == nil && len(files) == 0 {
		err = errors.New("no raw results in " + dir)
	}
	if err != nil {
		return nil, err
	}
	r := &Results{Config: make(map[string]string), values: make(map[key][]float64)}
	for _, file := range files {
		if err := r.read(file); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Results) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	reader := benchfmt.NewReader(f, filepath.Base(file))
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return record
		case *benchfmt.Result:
			if err := r.add(record); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return reader.Err()
}

func (r *Results) add(result *benchfmt.Result) error {
	run, known := r.Config[RunKey]
	if this := result.GetConfig(RunKey); known && this != run {
		return fmt.Errorf("the results of two runs: %s and %s", run, this)
	}
	for _, c := range result.Config {
		r.Config[c.Key] = string(c.Value)
	}
	name, contender, ok := strings.Cut(string(result.Name), "/contender=")
	if !ok {
		return fmt.Errorf("%s is of no contender", result.Name)
	}
	if !slices.Contains(r.cases, name) {
		r.cases = append(r.cases, name)
	}
	for _, v := range result.Values {
		k := key{name, contender, v.Unit}
		r.values[k] = append(r.values[k], v.Value)
	}
	return nil
}

// Value is a median with its confidence interval.
type Value struct {
	benchmath.Summary
	Unit    string
	Samples int
}

// Value returns what a contender has in a case; ok says whether there is any.
func (r *Results) Value(name, contender, unit string) (v Value, ok bool) {
	values := r.values[key{name, contender, unit}]
	if len(values) == 0 {
		return Value{}, false
	}
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	return Value{benchmath.AssumeNothing.Summary(sample, confidence), unit, len(values)}, true
}

// Total is the sum over all samples, as of failures.
func (r *Results) Total(name, contender, unit string) (sum float64) {
	for _, v := range r.values[key{name, contender, unit}] {
		sum += v
	}
	return sum
}

// Ratio is a ratio of medians. Lo and Hi are what it could be at the outermost:
// the ends of both confidence intervals, divided.
type Ratio struct{ Center, Lo, Hi float64 }

// Ratio returns a contender's median in units of another's.
func (r *Results) Ratio(name, unit, contender, of string) (Ratio, bool) {
	a, ok := r.Value(name, contender, unit)
	b, also := r.Value(name, of, unit)
	if !ok || !also || b.Center == 0 || b.Lo == 0 {
		return Ratio{}, false
	}
	return Ratio{a.Center / b.Center, a.Lo / b.Hi, a.Hi / b.Lo}, true
}

// Cases returns the cases below a prefix, and what their names have after it.
func (r *Results) Cases(prefix string) (names, rest []string) {
	for _, name := range r.cases {
		if after, ok := strings.CutPrefix(name, prefix+"/"); ok {
			names, rest = append(names, name), append(rest, after)
		}
	}
	return names, rest
}
