package auditcmd

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

func TestOpenSQLiteReadsAndMakesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a file?100%.db")
	db, err := sql.Open("sqlite3", "file:"+url.PathEscape(file))
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE kept (n int)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	escaped := (&url.URL{Path: file}).EscapedPath()
	for _, address := range []string{file, "file:" + escaped, "file://" + escaped + "?mode=rwc&_txlock=immediate", "sqlite://" + escaped} {
		db, kind, _, err := dsn.Open(t.Context(), address)
		require.NoError(t, err, address)
		require.Equal(t, dsn.SQLite, kind)
		var tables int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'kept'").Scan(&tables), address)
		require.Equal(t, 1, tables, address)
		_, err = db.Exec("CREATE TABLE another (n int)")
		require.ErrorContains(t, err, "readonly", address)
		require.NoError(t, db.Close())
	}
	missing := filepath.Join(dir, "missing.db")
	for address, want := range map[string]string{
		"file:" + missing: "no SQLite database: stat " + missing,
		dir:               "is a folder",
		missing:           "no file has its name",
		"file:%zz":        "can't be read",
	} {
		_, _, _, err := dsn.Open(t.Context(), address)
		require.ErrorContains(t, err, want)
	}
	require.NoFileExists(t, missing)
}

// A database whose log has not been written back, under an app that writes.
func TestOpenSQLiteBesideAWriter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	writer, err := sql.Open("sqlite3", "file:"+file+"?_pragma=journal_mode(wal)")
	require.NoError(t, err)
	defer func() { require.NoError(t, writer.Close()) }()
	_, err = writer.Exec("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1), (2)")
	require.NoError(t, err)
	begun, err := writer.Begin()
	require.NoError(t, err)
	_, err = begun.Exec("INSERT INTO kept VALUES (3)")
	require.NoError(t, err)
	db, _, _, err := dsn.Open(t.Context(), file)
	require.NoError(t, err)
	var rows int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM kept").Scan(&rows))
	require.Equal(t, 2, rows)
	require.NoError(t, db.Close())
	require.NoError(t, begun.Commit(), "the writer was not disturbed")
}
