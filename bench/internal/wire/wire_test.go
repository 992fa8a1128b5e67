package wire_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/bench/internal/wire"
	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// server starts PostgreSQL and returns a configuration for it and its address.
func server(t *testing.T) (*pgx.ConnConfig, string) {
	cluster, err := pgcluster.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop()) })
	config, err := pgx.ParseConfig(cluster.DSN())
	require.NoError(t, err)
	return config, net.JoinHostPort(config.Host, fmt.Sprint(config.Port))
}

// connect connects through what listens at addr.
func connect(t *testing.T, config *pgx.ConnConfig, addr string) *pgx.Conn {
	to := config.Copy()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	_, err = fmt.Sscan(port, &to.Port)
	require.NoError(t, err)
	to.Host = host
	conn, err := pgx.ConnectConfig(t.Context(), to)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// What is known to be one round trip, two, and one for a batch.
func TestRelayCountsRoundTrips(t *testing.T) {
	config, addr := server(t)
	relay, err := wire.NewRelay(t.Context(), addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, relay.Close()) }()
	conn := connect(t, config, relay.Addr())
	require.NotZero(t, relay.Trips(), "the connection itself")

	const query = "SELECT length($1::text), repeat('x', $2)"
	one := func(in, out int) {
		_, err := conn.Exec(t.Context(), query, strings.Repeat("y", in), out)
		require.NoError(t, err)
	}
	one(1, 1)
	require.Equal(t, 2, relay.Trips(), "prepare, then execute")
	one(1, 1)
	require.Equal(t, 1, relay.Trips(), "prepared")
	require.Equal(t, 0, relay.Trips(), "nothing was sent")
	one(5<<20, 1)
	require.Equal(t, 1, relay.Trips(), "a request of many packets")
	one(1, 5<<20)
	require.Equal(t, 1, relay.Trips(), "an answer of many packets")

	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	one(1, 1)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 3, relay.Trips(), "BEGIN, the statement, COMMIT")
}

func TestDelayHoldsEachWayBack(t *testing.T) {
	config, addr := server(t)
	delay, err := wire.NewDelay(addr, 20)
	require.NoError(t, err)
	defer delay.Close()
	conn := connect(t, config, delay.Addr())
	_, err = conn.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
	start := time.Now()
	_, err = conn.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 40*time.Millisecond)
}
