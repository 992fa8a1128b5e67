package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/chaos/faults"
)

// mutant is the plugin with something broken, and what a run then has to say.
type mutant struct {
	name, file, old, new string
	found                []string // invariants, one of which does not hold then
}

var mutants = []mutant{
	{
		name: "a try that fails leaves memory as it is", file: "retry.go",
		old: "\t\ta.memory.restore()\n", new: "", found: []string{"an element of a failed call has"},
	},
	{
		name: "a broken connection is a loss", file: "losses.go",
		old:   "\tif errors.Is(err, errEnded) || errors.Is(err, ErrRetry) {\n",
		new:   "\tif errors.Is(err, errEnded) || errors.Is(err, ErrRetry) || strings.Contains(err.Error(), \"EOF\") || strings.Contains(err.Error(), \"conn\") {\n",
		found: []string{"a target is stored twice", "no fault explains an error"},
	},
}

// Each stands in the code as it is, once.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		source, err := os.ReadFile(filepath.Join("..", m.file))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(source), m.old), m.name)
	}
}

// A run says of each broken plugin what is broken.
func TestBrokenPluginsAreFound(t *testing.T) {
	if os.Getenv("M2MSAFE_BROKEN") == "" {
		t.Skip("M2MSAFE_BROKEN=1 builds and runs each, which takes two minutes")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("..", m.file))
			require.NoError(t, err)
			dir := t.TempDir()
			program := filepath.Join(dir, "chaos")
			original, err := filepath.Abs(filepath.Join("..", m.file))
			require.NoError(t, err)
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: filepath.Join(dir, "broken.go")}})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.go"), []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
			out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput()
			require.NoError(t, err, string(out))
			for _, engine := range faults.Engines() {
				t.Run(engine, func(t *testing.T) {
					// Scheduling has a say in what a run meets: one of three has to find it.
					for seed := 1; ; seed++ {
						var b bytes.Buffer
						cmd := exec.Command(program, "run", "--engine", engine, "--seed", strconv.Itoa(seed))
						cmd.Stdout, cmd.Stderr = &b, &b
						_ = cmd.Run()
						code := cmd.ProcessState.ExitCode()
						t.Logf("%s, seed %d: %q", engine, seed, regexp.MustCompile("(?m)^BROKEN, .*$").FindAllString(b.String(), -1))
						require.Contains(t, []int{exitOK, exitBroken}, code, b.String())
						if slices.ContainsFunc(m.found, func(f string) bool { return strings.Contains(b.String(), f) }) {
							require.Equal(t, exitBroken, code)
							return
						}
						require.Less(t, seed, 3, "no run found it: %s", b.String())
					}
				})
			}
		})
	}
}
