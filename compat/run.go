package compat

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// EnginesEnv names the environment variable that holds the names of the engines to
// run, with spaces between them.
const EnginesEnv = "M2MSAFE_ENGINES"

// Runnable is an engine of a test binary.
type Runnable struct {
	Name string
	// Always says that every "go test" runs it: for engines that take no server but
	// the one that the tests have anyway.
	Always bool
	// Start starts what it takes.
	Start func(t *testing.T) Engine
}

// Run runs the suite on engines, each in a test of its name.
func Run(t *testing.T, engines ...Runnable) {
	asked := strings.Fields(os.Getenv(EnginesEnv))
	for _, r := range engines {
		t.Run(r.Name, func(t *testing.T) {
			if !slices.Contains(asked, r.Name) && (len(asked) > 0 || !r.Always) {
				t.Skipf("make test-engine ENGINE=%s runs it", r.Name)
			}
			e := r.Start(t)
			e.Name = r.Name
			t.Run("suite", func(t *testing.T) { Exercise(t, e) })
		})
	}
}
