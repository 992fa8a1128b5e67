package lab

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

func TestSQLiteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	engine, err := OpenEngine(t.Context(), SQLite, "", false)
	require.NoError(t, err)
	require.Regexp(t, `^SQLite \d+\.\d+\.\d+, embedded$`, engine.Title)
	require.NoError(t, engine.Close(t.Context()))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A path with characters that mean something in a URI is a common place for
// temporary files on some systems.
func TestSQLiteInAnOddFolder(t *testing.T) {
	dir := t.TempDir() + "/a folder?with#100%25"
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Setenv("TMPDIR", dir)
	engine, err := OpenEngine(t.Context(), SQLite, "", false)
	require.NoError(t, err)
	require.NoError(t, engine.Close(t.Context()))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// On a server that is somebody's, the lab keeps to a schema of its own and
// takes it away. The server is a throwaway one here.
func TestPostgresLeavesNothing(t *testing.T) {
	if _, err := pgcluster.Programs(); err != nil {
		t.Skip(err)
	}
	cluster, err := pgcluster.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop()) })

	outside, err := OpenEngine(t.Context(), Auto, cluster.DSN(), true)
	require.NoError(t, err)
	defer func() { require.NoError(t, outside.Close(t.Context())) }()
	require.Empty(t, outside.DeadlockTimeout, "a server's setting is not the lab's to change")
	schemas := func() (n int) {
		db, closeDB, err := outside.Open(t.Context(), 1)
		require.NoError(t, err)
		defer func() { require.NoError(t, closeDB()) }()
		require.NoError(t, db.Raw(`SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'm2msafe%'`).Scan(&n).Error)
		return n
	}
	require.Equal(t, 1, schemas())

	engine, err := OpenEngine(t.Context(), Postgres, cluster.DSN(), true)
	require.NoError(t, err)
	experiments, err := Choose([]string{"deferrable", "second-key"})
	require.NoError(t, err)
	l := &Lab{Engine: engine, Experiments: experiments, Ways: Ways(), Size: Size{Writers: 4, Quick: true}, Seed: 1}
	require.Equal(t, 2, schemas())
	results, err := l.Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, engine.Close(t.Context()))
	require.Equal(t, 1, schemas())

	require.True(t, l.Report(results).OK)
	require.Equal(t, map[string]int{"deferrable 55000": 200}, results[4].Errors)
	require.Equal(t, 120, results[1].Lost)
}
