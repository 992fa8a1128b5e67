package pgcluster

import (
	"context"
	"database/sql"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRestartAfterACrashKeepsWhatWasCommitted(t *testing.T) {
	needPrograms(t)
	c, err := Start(t.Context(), "synchronous_commit=on")
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Stop()) }()
	db, err := sql.Open("pgx", c.DSN())
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxIdleConns(-1) // an idle one would not survive
	_, err = db.Exec("CREATE TABLE kept (n int)")
	require.NoError(t, err)
	addr, rows := c.Addr(), 0
	for range 3 {
		open, err := db.Begin()
		require.NoError(t, err)
		_, err = open.Exec("INSERT INTO kept VALUES (-1)")
		require.NoError(t, err)
		for range 100 {
			_, err = db.Exec("INSERT INTO kept VALUES (1)")
			require.NoError(t, err)
			rows++
		}
		pid := c.server.PID
		require.NoError(t, c.Crash())
		require.False(t, alive(pid))
		require.Error(t, open.Commit(), "its session is gone")
		_, err = net.DialTimeout("tcp", addr, time.Second)
		require.Error(t, err, "the port still answers")

		require.NoError(t, c.Restart(t.Context()))
		require.Equal(t, addr, c.Addr())
		require.NotEqual(t, pid, c.server.PID)
		var n, uncommitted int
		require.NoError(t, db.QueryRow("SELECT count(*), count(*) FILTER (WHERE n < 0) FROM kept").Scan(&n, &uncommitted))
		require.Equal(t, []int{rows, 0}, []int{n, uncommitted})
	}
}

func TestRestartWaitsForItsPort(t *testing.T) {
	c := startCluster(t)
	require.NoError(t, c.Crash())
	taken, err := net.Listen("tcp", c.Addr())
	require.NoError(t, err)
	time.AfterFunc(portPause, func() { _ = taken.Close() })
	require.NoError(t, c.Restart(t.Context()))

	require.NoError(t, c.Crash())
	kept, err := net.Listen("tcp", c.Addr())
	require.NoError(t, err)
	defer kept.Close()
	require.ErrorIs(t, c.Restart(t.Context()), errPortTaken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Restart(ctx), context.Canceled)
}

func TestStopAfterACrashRemovesTheFolder(t *testing.T) {
	c := startCluster(t)
	require.NoError(t, c.Crash())
	require.NoError(t, c.Crash(), "a second one has nothing to end")
	require.NoError(t, c.Stop())
	require.NoDirExists(t, c.folder.Dir)
}
