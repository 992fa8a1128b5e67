package compat

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// TestMain gives the tests their PostgreSQL server, and fails them for any
// goroutine that outlives it.
func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if err := stopServers(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if err := goleak.Find(
		// What nothing ends: of GORM's cache of prepared statements, and of the plugin for
		// Prometheus.
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"),
		goleak.IgnoreTopFunction("gorm.io/plugin/prometheus.(*Prometheus).Initialize.func1.1"),
	); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// TestEngine runs the suite on each engine. docs/engines.md shows how they did.
func TestEngine(t *testing.T) {
	Run(t, slices.Concat(onPostgres(), variants(), onSQLite(), onMariaDB())...)
}

// server starts a server once for all tests that want it; TestMain stops it.
func server[S interface{ Stop() error }](start func(context.Context) (S, error)) func(t testing.TB) S {
	once := sync.OnceValues(func() (S, error) {
		s, err := start(context.Background())
		if err == nil {
			stops.Lock()
			defer stops.Unlock()
			stops.all = append(stops.all, s.Stop)
		}
		return s, err
	})
	return func(t testing.TB) S {
		t.Helper()
		s, err := once()
		require.NoError(t, err)
		return s
	}
}

// stops are what ends the servers that have been started.
var stops struct {
	sync.Mutex
	all []func() error
}

func stopServers() (err error) {
	stops.Lock()
	defer stops.Unlock()
	for _, stop := range stops.all {
		err = errors.Join(err, stop())
	}
	return err
}

// script runs one of testdata/engines, and returns what it prints.
func script(ctx context.Context, name, argument string) (string, error) {
	cmd := osexec.CommandContext(ctx, "bash", filepath.Join("..", "testdata", "engines", name), argument)
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, argument, err, &failure)
	}
	return strings.TrimSpace(string(out)), nil
}
