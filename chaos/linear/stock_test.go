package linear

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// TestHowOftenOthersAreRejected counts it, with M2MSAFE_STOCK set. Of 50 histories, on
// PostgreSQL 15.18 and MariaDB 10.11.19 with 2 cores:
//
//	                       unique key      no unique key   deleted softly
//	                       Pg  MariaDB     Pg  MariaDB     Pg  MariaDB
//	check then insert                      50  50
//	stock GORM              0   0          50  50          50  50
//	the plugin              0   0           0   0           0   0
//	  Append as one moment 11  26           7   0          37  33
//	  Delete as one moment  9   0           0   0           4   0
//	  Replace as one moment 50 46          41  33          46  49
//
// Stock GORM is right where there is a unique key; it tells no outcomes, so that less
// is asked of it. Without one it stores links twice, and a link that is deleted softly
// does not come back.
func TestHowOftenOthersAreRejected(t *testing.T) {
	if os.Getenv("M2MSAFE_STOCK") == "" {
		t.Skip("M2MSAFE_STOCK=1 counts it, which takes half an hour")
	}
	type rival struct {
		name  string
		app   App
		used  bool // the plugin
		join  JoinTable
		whole []Kind
	}
	rivals := []rival{{"check then insert", CheckThenInsert, false, WithoutKey, nil}}
	for _, join := range joinTables {
		rivals = append(rivals,
			rival{"stock GORM, " + join.Name, Stock, false, join, nil},
			rival{"the plugin, " + join.Name, Plugin, true, join, nil})
		for _, kind := range []Kind{Append, Delete, Replace} {
			rivals = append(rivals, rival{fmt.Sprintf("the plugin, %s, %s as one moment", join.Name, kind), Plugin, true, join, []Kind{kind}})
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
						h, err := w.Run(r.app, connect(t, database, r.join, r.used, clients)...)
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
