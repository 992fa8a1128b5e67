//go:build unix

package auditcmd

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// A file in WAL mode that root has looked at is still its owner's to write to.
func TestRootReadsAnothersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("takes root, to be another")
	}
	const app = 65534
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // #nosec G302 -- for the others
	require.NoError(t, os.Chown(dir, app, app))
	require.NoError(t, os.Chmod(dir, 0o777)) // #nosec G302 -- for the others
	file := filepath.Join(dir, "app.db")
	db, err := sql.Open("sqlite3", "file:"+file+"?_pragma=journal_mode(wal)")
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE kept (n int)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.Chown(file, app, app))
	require.NoError(t, os.Chmod(file, 0o640)) // #nosec G302 -- as an app's may be
	require.NoFileExists(t, file+"-shm")

	db, _, _, err = dsn.Open(t.Context(), file)
	require.NoError(t, err)
	var tables int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables))
	require.Equal(t, 1, tables)
	for _, name := range []string{file + "-wal", file + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.EqualValues(t, app, info.Sys().(*syscall.Stat_t).Uid, name)
		require.Equal(t, os.FileMode(0o640), info.Mode().Perm(), name)
	}
	require.NoError(t, db.Close())
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), sqlite, file, "INSERT INTO kept VALUES (1)")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: app, Gid: app}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
