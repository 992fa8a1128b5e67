package contender_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// All contenders do the same work: the links are there, from both sides, and
// where there is an updated_at it moves with a new link. What stock GORM does
// with it besides is its own affair.
func TestContendersDoTheSameWork(t *testing.T) {
	cluster, err := pgcluster.Start(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Stop()) }()
	conn, err := pgx.Connect(t.Context(), cluster.DSN())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, contender.CreateTables(t.Context(), conn, 20, 20))

	for _, model := range contender.Models {
		for _, c := range contender.Of(model) {
			t.Run(string(model)+"/"+c.Name, func(t *testing.T) {
				_, err := conn.Exec(t.Context(), "DELETE FROM "+model.Links())
				require.NoError(t, err)
				linker, err := c.Open(t.Context(), contender.Server{DSN: cluster.DSN(), Model: model, Conns: 2})
				require.NoError(t, err)
				defer func() { require.NoError(t, linker.Close()) }()
				count := func(where string) (n int) {
					require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM "+model.Links()+" WHERE "+where).Scan(&n))
					return n
				}
				stamp := func() (at string) {
					if model == contender.Stamped {
						require.NoError(t, conn.QueryRow(t.Context(), "SELECT updated_at::text FROM "+model.Users()+" WHERE id = 1").Scan(&at))
					}
					return at
				}
				before := stamp()
				link := contender.Link{Owner: 1, Targets: []int64{3, 1, 2}}
				require.NoError(t, linker.Prepare(link)(t.Context()))
				require.Equal(t, 3, count("user_id = 1 AND group_id IN (1, 2, 3)"))
				if model == contender.Stamped {
					require.NotEqual(t, before, stamp())
				}
				require.NoError(t, linker.Prepare(link)(t.Context()))
				require.Equal(t, 3, count("true"))
				require.NoError(t, linker.Prepare(contender.Link{Owner: 1, Targets: []int64{5, 1, 4}, Inverse: true})(t.Context()))
				require.Equal(t, 2, count("group_id = 1 AND user_id IN (4, 5)"))
				require.Equal(t, 5, count("true"))
			})
		}
	}
}
