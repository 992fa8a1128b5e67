package dsn

import (
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver" // Open asks for it by its name
	"github.com/stretchr/testify/require"
)

func makeSQLite(t *testing.T, file, settings string) *sql.DB {
	db, err := sql.Open("sqlite3", "file:"+file+settings)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
	require.NoError(t, err)
	return db
}

func TestSQLiteAsGORMsDriversTakeIt(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("mg", 0o700))
	require.NoError(t, makeSQLite(t, "mg/y.db", "").Close())
	for _, address := range []string{
		"mg/y.db?_pragma=foreign_keys(1)", "mg/y.db\n", " mg/y.db?_foreign_keys=on&_journal_mode=WAL ",
		"file:mg/y.db?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous=off",
		"mg/y.db?cache=shared&mode=rwc&_txlock=exclusive&_pragma=user_version(7)",
	} {
		db, kind, _, err := Open(t.Context(), address)
		require.NoError(t, err, address)
		require.Equal(t, SQLite, kind)
		var n int
		require.NoError(t, db.QueryRow("SELECT n FROM kept").Scan(&n), address)
		_, err = db.Exec("DELETE FROM kept")
		require.ErrorContains(t, err, "readonly", address)
		require.NoError(t, db.Close())
	}
}

// The file system's checks are those of nobody here: root may write everywhere.
func TestSQLiteLogInAFolderThatIsOnlyRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "app.db")
	require.NoError(t, makeSQLite(t, file, "?_pragma=journal_mode(wal)").Close())
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // #nosec G302 -- nobody has to pass
	require.NoError(t, os.Chmod(dir, 0o555))               // #nosec G302 -- as above
	if os.Getuid() == 0 {
		runtime.LockOSThread() // and never unlocked: the thread ends with the test
		require.NoError(t, syscall.Setfsuid(65534))
	}
	_, _, _, err := Open(t.Context(), file)
	require.ErrorContains(t, err, "can't read the database: ")
	require.ErrorContains(t, err, "write-ahead log")
	require.ErrorContains(t, err, "immutable=1")
	db, _, _, err := Open(t.Context(), file+"?immutable=1")
	require.NoError(t, err)
	var n int
	require.NoError(t, db.QueryRow("SELECT n FROM kept").Scan(&n))
	require.Equal(t, 1, n)
	require.NoError(t, db.Close())
	if os.Getuid() == 0 {
		require.NoError(t, syscall.Setfsuid(0))
	}
	require.NoError(t, os.Chmod(dir, 0o700)) // #nosec G302 -- a folder, to be removed
}
