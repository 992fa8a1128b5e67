package soak

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

var short = Config{For: 6 * time.Second, Every: 200 * time.Millisecond, Writers: 2, Seed: 1}

func wrong(r *Result) (list []string) {
	for _, l := range r.Lines() {
		if l.Wrong != "" {
			list = append(list, l.Title)
		}
	}
	return list
}

// A run of some seconds: that calls do not fail, and that the line is flat which needs no
// long time, and no machine of its own, to be.
func TestShort(t *testing.T) {
	out, err := exec.Command("bash", filepath.Join("..", "..", "testdata", "engines", "install.sh"), "mariadb").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, engine := range Engines() {
		t.Run(engine, func(t *testing.T) {
			r, err := Run(t.Context(), engine, short)
			require.NoError(t, err)
			require.Empty(t, r.Failed)
			require.InDelta(t, 29, len(r.Samples), 3)
			for _, l := range r.Lines() {
				t.Logf("%s: %.4g, %.4g %s", l.Title, l.First, l.Last, l.Unit)
			}
			require.NotContains(t, wrong(r), "goroutines")
		})
	}
}

// What leaks is found.
func TestLeaks(t *testing.T) {
	var kept [][]byte
	leaks := map[string]func(w *writer, db *gorm.DB) error{
		"heap of the app": func(w *writer, _ *gorm.DB) error {
			if w.number == 0 {
				kept = append(kept, make([]byte, 64<<10))
			}
			return nil
		},
		"goroutines": func(w *writer, db *gorm.DB) error {
			ctx := db.Statement.Context
			if w.number == 0 && w.rng.IntN(20) == 0 {
				go func() { <-ctx.Done() }()
			}
			return nil
		},
		"different statements": func(w *writer, db *gorm.DB) error {
			if w.number != 0 || w.rng.IntN(20) > 0 {
				return nil
			}
			return db.Exec(fmt.Sprintf("SELECT 1 AS n%d", w.rng.Uint32())).Error
		},
		"statements prepared in the server": func(w *writer, db *gorm.DB) error {
			if w.number != 0 || w.rng.IntN(20) > 0 {
				return nil
			}
			return db.Exec(fmt.Sprintf("PREPARE p%d AS SELECT 1", w.rng.Uint64())).Error
		},
		"memory of the server": func(w *writer, db *gorm.DB) error {
			if w.number != 0 || w.rng.IntN(5) > 0 {
				return nil
			}
			name := fmt.Sprintf("p%d", w.rng.Uint64())
			return db.Exec("PREPARE " + name + " AS SELECT '" + strings.Repeat("x", 50_000) + "'").Error
		},
		"statements a call": func(w *writer, db *gorm.DB) error {
			w.extra++
			for range w.extra / 20 {
				if err := db.Exec("SELECT 1").Error; err != nil {
					return err
				}
			}
			return nil
		},
		"calls a second": func(w *writer, _ *gorm.DB) error {
			w.extra++
			time.Sleep(time.Duration(w.extra) * time.Millisecond)
			return nil
		},
		"calls that failed": func(w *writer, db *gorm.DB) error {
			if w.rng.IntN(50) > 0 {
				return nil
			}
			return errors.New("once in a while")
		},
	}
	for title, leak := range leaks {
		t.Run(title, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			config := short
			config.Every, config.extra = 100*time.Millisecond, leak
			for config.For = 3 * time.Second; ; config.For *= 2 { // a busy machine makes few calls
				r, err := Run(ctx, "postgres", config)
				require.NoError(t, err)
				found := wrong(r)
				if slices.Contains(found, title) {
					return
				}
				require.Less(t, config.For, 10*time.Second, "found: %v", found)
			}
		})
	}
	require.NotEmpty(t, kept)
}

func TestChart(t *testing.T) {
	r := &Result{Samples: []Sample{{At: 1, Heap: 1 << 20}, {At: 2, Heap: 1 << 21}}}
	svg, err := r.Chart()
	require.NoError(t, err)
	for _, l := range lines {
		require.Contains(t, string(svg), l.title)
	}
	require.Equal(t, []string{"heap of the app"}, wrong(r))
}

func TestRefuses(t *testing.T) {
	_, err := Run(t.Context(), "oracle", short)
	require.ErrorContains(t, err, "oracle")
	_, err = Run(t.Context(), "postgres", Config{For: time.Second, Every: time.Second, Writers: 1})
	require.ErrorContains(t, err, "ten samples")
}
