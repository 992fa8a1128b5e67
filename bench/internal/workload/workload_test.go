package workload

import (
	"bytes"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

func TestRoundTripsOfStoredRows(t *testing.T) {
	cluster, err := pgcluster.Start(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Stop()) }()
	conn, err := pgx.Connect(t.Context(), cluster.DSN())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	b := &Bench{DSN: cluster.DSN(), Addr: cluster.Addr(), Admin: conn, Size: Quick(), Log: io.Discard}
	require.NoError(t, b.Setup(t.Context()))

	var raw bytes.Buffer
	require.NoError(t, b.Run(t.Context(), Suite{"wire", wireCases}, &raw))
	trips := make(map[string]float64)
	reader := benchfmt.NewReader(&raw, "raw")
	for reader.Scan() {
		r, ok := reader.Result().(*benchfmt.Result)
		require.True(t, ok, "%v", reader.Result())
		trips[string(r.Name)], _ = r.Value("roundtrips/op")
		failures, _ := r.Value("failures/op")
		require.Zero(t, failures, string(r.Name))
	}
	for _, state := range []string{"new", "existing"} {
		for _, n := range []string{"1", "100"} {
			for _, model := range contender.Models {
				name := "Wire/model=" + string(model) + "/links=" + state + "/n=" + n + "/contender="
				require.Equal(t, 1.0, trips[name+contender.Plugin], name)
				require.Equal(t, 1.0, trips[name+contender.Floor], name)
			}
			require.Equal(t, 4.0, trips["Wire/model=plain/links="+state+"/n="+n+"/contender=stock"])
			require.Equal(t, 5.0, trips["Wire/model=stamped/links="+state+"/n="+n+"/contender=stock"])
		}
	}
}
