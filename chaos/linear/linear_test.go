package linear

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// checkLimit is how long a history is looked at. It takes milliseconds.
const checkLimit = 20 * time.Second

var joinTables = []JoinTable{Keyed, WithoutKey, SoftDeleted}

// workload is what the tests run. Its seed is random, or M2MSAFE_SEED, which makes the
// same calls; how they meet is up to the machine.
func workload(t *testing.T) Workload {
	w := Workload{Seed: rand.Uint64(), Calls: 80, Hurry: 60}
	if text := os.Getenv("M2MSAFE_SEED"); text != "" {
		var err error
		w.Seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("M2MSAFE_SEED=%d", w.Seed)
	return w
}

// linearizable fails the test if a history is not, and draws it: to the folder that
// M2MSAFE_HISTORIES names, or else to a temporary one, which is left.
func linearizable(t *testing.T, h *History) {
	t.Helper()
	began := time.Now()
	result := h.Check(checkLimit)
	t.Logf("%d calls made, %d unknown, lost %v: %d operations, %s within %v",
		h.Made, h.Unknown, h.Lost, len(h.Operations), result, time.Since(began).Round(time.Millisecond))
	if result == porcupine.Ok {
		return
	}
	folder, err := os.Getenv("M2MSAFE_HISTORIES"), error(nil)
	if folder == "" {
		folder, err = os.MkdirTemp("", "m2msafe-histories-")
		require.NoError(t, err)
	}
	file, err := os.CreateTemp(folder, "*.html")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.NoError(t, h.Draw(file.Name(), checkLimit))
	path, err := filepath.Abs(file.Name())
	require.NoError(t, err)
	require.Equal(t, porcupine.Ok, result, "drawn in %s", path)
}

func TestCallsAreLinearizable(t *testing.T) {
	for _, database := range databases {
		for _, join := range joinTables {
			t.Run(fmt.Sprintf("%s/%s", database.name, join.Name), func(t *testing.T) {
				w := workload(t)
				h, err := w.Run(Plugin, connect(t, database, join, true, clients)...)
				require.NoError(t, err)
				linearizable(t, h)
				require.Greater(t, h.Made, clients*w.Calls*8/10)
				require.Zero(t, h.Lost[Append], "the plugin runs its own transactions again")
			})
		}
	}
}

func TestTransactionsAreLinearizable(t *testing.T) {
	for _, database := range databases {
		for _, join := range joinTables {
			t.Run(fmt.Sprintf("%s/%s", database.name, join.Name), func(t *testing.T) {
				if database.name == "postgres" && join == WithoutKey {
					t.Skip("under SERIALIZABLE that is ErrNoUniqueKey")
				}
				w := workload(t)
				w.Serializable, w.Whole = true, []Kind{Append, Delete, Replace}
				h, err := w.Run(Plugin, connect(t, database, join, true, clients)...)
				require.NoError(t, err)
				linearizable(t, h)
				require.Greater(t, h.Made, clients*w.Calls*8/10)
			})
		}
	}
}
