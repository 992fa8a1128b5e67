package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// result is what came of the suite on an engine. Tests are those that have none
// below them.
type result struct {
	Engine  string
	Version string              // what the database says of itself
	Passed  int                 // tests
	Skipped map[string][]string `json:",omitempty"` // tests by reason
	Failed  []string            `json:",omitempty"`
	Seconds float64
}

// event is a line of "go test -json"; see cmd/test2json.
type event struct {
	Action, Test, Output string
	Elapsed              float64
}

var (
	logged  = regexp.MustCompile(`^\s+\w+\.go:\d+: (.*)\n$`)
	ofTests = regexp.MustCompile(`^(=== |\s*--- |PASS|ok |FAIL\s*$|exit status)`)
)

// read reads the output of "go test -json". What tests say that failed goes to out.
func read(name string, from io.Reader, out io.Writer) (*result, error) {
	r := &result{Engine: name, Skipped: map[string][]string{}}
	ended, said := map[string]string{}, map[string][]string{}
	lines := json.NewDecoder(from)
	for {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go test -json: %w", err)
		}
		switch e.Action {
		case "output":
			if e.Test == "" && !ofTests.MatchString(e.Output) {
				fmt.Fprint(out, e.Output)
			}
			said[e.Test] = append(said[e.Test], e.Output)
		case "pass", "fail", "skip":
			ended[e.Test] = e.Action
			if e.Test == "" {
				r.Seconds = e.Elapsed
			}
			if e.Action == "fail" && e.Test != "" {
				fmt.Fprint(out, strings.Join(said[e.Test], ""))
			}
		case "build-output":
			fmt.Fprint(out, e.Output)
		}
	}
	parents := map[string]bool{}
	for test := range ended {
		for i, c := range test {
			if c == '/' {
				parents[test[:i]] = true
			}
		}
	}
	for _, test := range slices.Sorted(maps.Keys(ended)) {
		if rest, ok := strings.CutPrefix(lastLog(said[test]), "engine: "); ok {
			r.Version = rest
		}
		_, short, _ := strings.Cut(test, "/suite/")
		switch {
		case test == "" || parents[test] && ended[test] != "fail":
		case ended[test] == "pass":
			r.Passed++
		case ended[test] == "fail" && !parents[test]:
			r.Failed = append(r.Failed, test)
		case ended[test] == "skip" && short != "": // else it is another engine's
			r.Skipped[lastLog(said[test])] = append(r.Skipped[lastLog(said[test])], short)
		}
	}
	if ended[""] != "pass" && len(r.Failed) == 0 {
		r.Failed = append(r.Failed, "the run itself")
	}
	if r.Version == "" && len(r.Failed) == 0 {
		return nil, fmt.Errorf("no test of engine %s has run", name)
	}
	return r, nil
}

// lastLog is the last thing that a test has logged: of one that is skipped, why.
func lastLog(lines []string) (last string) {
	for _, line := range lines {
		if m := logged.FindStringSubmatch(line); m != nil {
			last = m[1]
		}
	}
	return last
}

func (r *result) skipped() (n int) {
	for _, tests := range r.Skipped {
		n += len(tests)
	}
	return n
}

func (r *result) line() string {
	return fmt.Sprintf("%-40s %5d passed %4d skipped %3d failed %6.0f s   %s", r.Engine, r.Passed, r.skipped(), len(r.Failed), r.Seconds, r.Version)
}

func (r *result) keep(docs string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(docs, "engines"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "engines", r.Engine+".json"), append(text, '\n'), 0o644)
}

// load reads what is kept, by engine.
func load(docs string) (map[string]*result, error) {
	files, err := filepath.Glob(filepath.Join(docs, "engines", "*.json"))
	if err != nil {
		return nil, err
	}
	results := map[string]*result{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		r := new(result)
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		results[r.Engine] = r
	}
	return results, nil
}

// write makes the page.
func write(results map[string]*result) []byte {
	var b bytes.Buffer
	b.WriteString("# Engines\n\nWhat the conformance suite (`compat/`) has shown on each engine, in one table made from the runs: " +
		"`make test-engines` makes it anew, `make test-engine ENGINE=…` one line of it, `make test-tidb` TiDB's. " +
		"A test is one that has no other below it. What is skipped stands below, with the engine's reason.\n\n" +
		"| `ENGINE` | what it is | passed | skipped | failed |\n| --- | --- | ---: | ---: | ---: |\n")
	reasons := map[string]map[string][]string{}
	for _, e := range engines {
		r := results[e.name]
		if r == nil {
			fmt.Fprintf(&b, "| `%s` | %s | not run | | |\n", e.name, e.what)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %d | %d | %d |\n", e.name, e.what, r.Passed, r.skipped(), len(r.Failed))
		for reason, tests := range r.Skipped {
			if reasons[reason] == nil {
				reasons[reason] = map[string][]string{}
			}
			for _, test := range tests {
				reasons[reason][test] = append(reasons[reason][test], e.name)
			}
		}
	}
	b.WriteString("\nNot run here, for they could not be had on the machine that the tests run on:\n\n| engine | what there is instead |\n| --- | --- |\n")
	for _, a := range absent {
		fmt.Fprintf(&b, "| %s | not run here: %s |\n", a[0], a[1])
	}
	b.WriteString("\n## Versions\n\nWhat the databases said of themselves:\n\n")
	for _, e := range engines {
		if r := results[e.name]; r != nil {
			fmt.Fprintf(&b, "- `%s`: %s\n", e.name, r.Version)
		}
	}
	b.WriteString("\n## What is skipped, and why\n")
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(&b, "\n**%s**\n\n", reason)
		byEngines := map[string][]string{}
		for test, on := range reasons[reason] {
			byEngines[strings.Join(on, ", ")] = append(byEngines[strings.Join(on, ", ")], test)
		}
		for _, on := range slices.Sorted(maps.Keys(byEngines)) {
			slices.Sort(byEngines[on])
			fmt.Fprintf(&b, "- %s: `%s`\n", on, strings.Join(byEngines[on], "`, `"))
		}
	}
	return b.Bytes()
}
