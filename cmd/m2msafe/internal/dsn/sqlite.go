package dsn

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// readPragmas are those of use to who only reads. Others write, as journal_mode does, or
// are for who writes.
var readPragmas = regexp.MustCompile(`^(?i)\s*(busy_timeout|cache_size|mmap_size|temp_store|key|hexkey|textkey)\s*[(=][^;]*$`)

// cutFile is the file of a path, behind which settings may stand as GORM's drivers take
// them: app.db?_pragma=foreign_keys(1). It is "" where nothing is there.
func cutFile(path string) (file, query string) {
	if _, err := os.Stat(path); err == nil {
		return path, ""
	}
	file, query, _ = strings.Cut(path, "?")
	if info, err := os.Stat(file); err == nil && !info.IsDir() {
		return file, query
	}
	return "", ""
}

// sqliteFile is the file of a DSN, and its settings.
func sqliteFile(dsn string) (file, query string, err error) {
	name := sqliteURL.FindString(dsn)
	if name == "" {
		file, query = cutFile(dsn)
		return file, query, nil
	}
	file, query, _ = strings.Cut(dsn[len(name):], "?")
	if host, rest, ok := strings.Cut(strings.TrimPrefix(file, "//"), "/"); ok && strings.HasPrefix(file, "//") && (host == "" || host == "localhost") {
		file = "/" + rest
	}
	if file, err = url.PathUnescape(file); err != nil {
		return "", "", ours("the DSN can't be read: it is no URL (in a path, ? # and % are written as %3F %23 and %25)")
	}
	return file, query, nil
}

// openSQLite opens a file to read it, which has to be there.
func openSQLite(dsn string) (*sql.DB, error) {
	path, query, err := sqliteFile(dsn)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, fmt.Errorf("no SQLite database: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("no SQLite database: %s is a folder", path)
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return nil, ours("the settings behind the question mark can't be read")
	}
	if settings.Get("immutable") == "" {
		if err := sidecars(path, os.Geteuid()); err != nil {
			return nil, err
		}
	}
	settings.Set("mode", "ro")
	settings.Del("_txlock") // a write lock that reading has no use for
	settings["_pragma"] = slices.DeleteFunc(settings["_pragma"], func(p string) bool { return !readPragmas.MatchString(p) })
	file := &url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}
	return sql.Open("sqlite3", file.String())
}

// readSQLite reads what a connection alone does not: whether it can be read. One that keeps
// a write-ahead log has to have two files beside it, which SQLite makes where they are missing.
func readSQLite(ctx context.Context, db *sql.DB, dsn string) error {
	var version int
	err := db.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version)
	if err == nil || !strings.Contains(err.Error(), "readonly database") && !strings.Contains(err.Error(), "unable to open") {
		return err
	}
	path, _, _ := sqliteFile(dsn)
	file, failed := os.Open(path) // #nosec G304 -- the user's own path, which SQLite has read
	if failed != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was read only
	var header [20]byte
	if n, _ := file.Read(header[:]); n < len(header) || header[18] != 2 {
		return err
	}
	return fmt.Errorf("%w: it keeps a write-ahead log (WAL), which takes files beside it, and none can be made or opened there. Run as one who may write in its folder, or, if nobody writes to it meanwhile, put immutable=1 behind its name (file:app.db?immutable=1): what is in the log alone (app.db-wal) is then not seen", err)
}
