//go:build unix

package dsn

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSidecarsOfAnothersFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "app.db")
	header := append([]byte("SQLite format 3\x00"), 0x10, 0, 2, 2, 0, 0)
	require.NoError(t, os.WriteFile(file, header, 0o600))
	link := filepath.Join(dir, "link.db")
	require.NoError(t, os.Symlink(file, link))
	me := os.Geteuid()
	another := me + 1
	for _, path := range []string{file, link} {
		err := sidecars(path, another)
		require.ErrorContains(t, err, file+" is another user's, and in WAL mode")
		require.ErrorContains(t, err, "run this as its owner, or copy it (and app.db-wal, if that is there)")
	}
	require.NoError(t, sidecars(file, me))
	require.NoFileExists(t, file+"-wal", "SQLite makes the owner's itself")

	header[18], header[19] = 1, 1
	rollback := filepath.Join(dir, "rollback.db")
	require.NoError(t, os.WriteFile(rollback, header, 0o600))
	require.NoError(t, sidecars(rollback, another))
	for _, name := range []string{file + "-wal", file + "-shm"} {
		require.Error(t, sidecars(file, another))
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	require.NoError(t, sidecars(file, another), "the app has it open")
	require.Error(t, sidecars(filepath.Join(dir, "missing.db"), another))
}
