package linear

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// TestHowOftenOthersAreRejected counts it, with M2MSAFE_STOCK set.
func TestHowOftenOthersAreRejected(t *testing.T) {
	if os.Getenv("M2MSAFE_STOCK") == "" {
		t.Skip("M2MSAFE_STOCK=1 counts it, which takes half an hour")
	}
	type rival struct {
		name  string
		app   App
		join  JoinTable
		whole []Kind
	}
	rivals := []rival{{"check then insert", CheckThenInsert, WithoutKey, nil}}
	for _, join := range joinTables {
		rivals = append(rivals,
			rival{"stock GORM, " + join.Name, Stock, join, nil},
			rival{"the plugin, " + join.Name, Plugin, join, nil})
		for _, kind := range []Kind{Append, Delete, Replace} {
			rivals = append(rivals, rival{fmt.Sprintf("the plugin, %s, %s as one moment", join.Name, kind), Plugin, join, []Kind{kind}})
		}
	}
	const runs = 50
	for _, database := range databases {
		for _, r := range rivals {
			t.Run(database.name+"/"+r.name, func(t *testing.T) {
				rejected := 0
				for range runs {
					t.Run("", func(t *testing.T) {
						w := workload(t)
						w.Seed, w.Whole = rand.Uint64(), r.whole
						plugged := r.name[:3] == "the"
						h, err := w.Run(r.app, connect(t, database, r.join, plugged, clients)...)
						require.NoError(t, err)
						if h.Check(checkLimit) != porcupine.Ok {
							rejected++
						}
					})
				}
				t.Logf("%d of %d rejected", rejected, runs)
			})
		}
	}
}
