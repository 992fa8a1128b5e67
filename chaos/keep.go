package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/m2msafe/m2msafe/chaos/faults"
	"github.com/m2msafe/m2msafe/chaos/soak"
)

// summary is what is kept of a run of faults.
type summary struct {
	Seed                        uint64
	Version, Replay             string
	Seconds                     float64
	Injected                    []faults.Count
	Acknowledged, Again, Failed int
	Reruns, Rows, Done, Undone  int
	Broken                      int
}

func summaries(results []*faults.Result) (list []summary) {
	for _, r := range results {
		all := r.Ended()
		list = append(list, summary{
			Seed: r.Config.Seed, Version: r.Version, Replay: r.Replay(), Seconds: r.Took.Seconds(), Injected: r.Injected,
			Acknowledged: all.Acknowledged, Again: all.Again, Failed: all.Failed,
			Reruns: r.Reruns, Rows: r.Rows, Done: r.Done, Undone: r.Undone, Broken: len(r.Broken),
		})
	}
	return list
}

func chaosFile(engine string) string { return "chaos-" + engine + ".json" }
func soakFile(engine string) string  { return "soak-" + engine + ".json" }
func chartFile(engine string) string { return "soak-" + engine + ".svg" }

// keep writes a result to a folder.
func keep(dir, name string, result any) error {
	data, err := json.MarshalIndent(result, "", " ")
	if err != nil {
		return err
	}
	return write(dir, name, append(data, '\n'))
}

func write(dir, name string, data []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), data, 0o644)
}

// kept are the results in a folder, by engine.
type kept struct {
	Chaos map[string][]summary
	Soak  map[string]*soak.Result
}

func read(dir string) (*kept, error) {
	k := &kept{map[string][]summary{}, map[string]*soak.Result{}}
	for _, engine := range faults.Engines() {
		var list []summary
		var result soak.Result
		chaos, err := decode(filepath.Join(dir, chaosFile(engine)), &list)
		if err != nil {
			return nil, err
		}
		if chaos {
			k.Chaos[engine] = list
		}
		soaked, err := decode(filepath.Join(dir, soakFile(engine)), &result)
		if err != nil {
			return nil, err
		}
		if soaked {
			k.Soak[engine] = &result
		}
	}
	return k, nil
}

// decode reads a file, if it is there.
func decode(file string, into any) (there bool, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return true, nil
}
