// Package quoting asks databases how they read what the plugin, and GORM for it, quotes.
package quoting

import (
	"database/sql"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/driver/sqlserver"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// embedded is an SQLite in memory.
func embedded(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// server is PostgreSQL for the corpus of a fuzz test; nil while it is being fuzzed.
func server(f *testing.F) *sql.DB {
	f.Helper()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return nil
	}
	db, err := sql.Open("pgx", pgtest.DSN(f))
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	return db
}

// column is what a database calls the one column of a query.
func column(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	require.NoError(t, err, query)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	require.Len(t, names, 1)
	return names[0]
}

// quoters are GORM's drivers with the mark that each quotes by.
var quoters = []struct {
	gorm.Dialector
	mark    string
	doubles bool // a mark in a name is doubled
}{
	{&postgres.Dialector{Config: &postgres.Config{}}, `"`, true},
	{&mysql.Dialector{Config: &mysql.Config{}}, "`", true},
	{&sqlite.Dialector{}, "`", true},
	{&sqlserver.Dialector{Config: &sqlserver.Config{}}, `"`, false}, // left open by GORM v1.31: no name with a quote in it
}

// FuzzIdentifier: a name is one identifier to the database, and that name; with a dot in
// it, one for each part. What GORM's drivers make something else of are names that begin
// with the mark, which are quoted already to them, and parts of no length; of a doubled
// mark they make one, and leave one in front of a dot out.
func FuzzIdentifier(f *testing.F) {
	for _, seed := range []string{
		"plain", "select", "two words", `it's`, `a"b`, "a`b", `"a"; DROP TABLE b; --`, `a"; DROP TABLE b; --`, "a`; DROP TABLE b; --",
		"schema.table", `a".b`, `""a`, "``a", "$1", "?", "@name", "%s", `\`, "\n", "ü漢🦊", "]", "[a]", `a""b`, "a``b", ".", "", "a\x00b",
	} {
		f.Add(seed)
	}
	lite, pg := embedded(f), server(f)
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Contains(name, "\x00") || !utf8.ValidString(name) {
			return // no database has such a name
		}
		parts := strings.Split(name, ".")
		for _, q := range quoters {
			ours, exact := q.doubles || !strings.Contains(name, q.mark), !strings.Contains(name, q.mark+q.mark)
			for i, part := range parts {
				ours = ours && part != "" && !strings.HasPrefix(part, q.mark)
				exact = exact && (i == len(parts)-1 || !strings.HasSuffix(part, q.mark))
			}
			if !ours {
				continue
			}
			stmt := &gorm.Statement{DB: &gorm.DB{Config: &gorm.Config{Dialector: q.Dialector}}}
			quoted := stmt.Quote(clause.Column{Name: name})
			names := catalog.Names(quoted)
			require.Len(t, names, len(parts), "%s: %q is %s", q.Name(), name, quoted)
			if exact {
				require.Equal(t, parts, names, "%s: %q is %s", q.Name(), name, quoted)
			}
			switch {
			case len(names) > 1:
			case q.Name() == "sqlite":
				require.Equal(t, names[0], column(t, lite, "SELECT 1 AS "+quoted))
			case q.Name() == "postgres" && pg != nil && len(names[0]) < 64:
				require.Equal(t, names[0], column(t, pg, "SELECT 1 AS "+quoted))
			}
		}
	})
}

// FuzzPartialIndex: as many rows satisfy what the catalogue takes for an index's
// predicate as SQLite has in the index.
func FuzzPartialIndex(f *testing.F) {
	for _, seed := range []string{
		"i ON t (a) WHERE b IS NULL", "i ON t (a)", "IF NOT EXISTS main.i ON t (a DESC, b COLLATE NOCASE) WHERE b>0", "[WHERE] ON t (a) WHERE\n[where]=1",
		"`i` ON 't' (a) WHERE 'b'=b -- WHERE", `"i""WHERE" ON "t" ("a") WHERE "b" = 'it''s' /* WHERE`, "i ON t (a, coalesce(b, ' WHERE ')) WHERE (((b IN (1, 2))))",
		"i/*/ WHERE x */ON t(a)WHERE(b)IS NOT NULL", "i ON t (a) WHERE b = x'00' AND a < 1e3 OR b GLOB '*--*'", "i ON t (a) WHERE b - -1 / 2 > a->>'$.x'",
		"i ON t (CASE WHEN a THEN b END) WHERE CASE WHEN b THEN 1 ELSE 0 END",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, definition string) {
		if strings.ContainsAny(definition, ";\x00") {
			return // another statement
		}
		db := embedded(t)
		_, err := db.Exec(`CREATE TABLE t (a, b, "where")`)
		require.NoError(t, err)
		if _, err := db.Exec("CREATE UNIQUE INDEX " + definition); err != nil {
			return
		}
		_, err = db.Exec(`WITH bs (b) AS (VALUES (NULL), (0), (1), (-1), (2.5), ('b'), ('it''s'), ('x--y'), (' WHERE '), (x'00')), cs (c) AS (VALUES (NULL), (0), (1))
			INSERT OR IGNORE INTO t SELECT row_number() OVER () - 9, b, c FROM bs, cs`)
		if err != nil {
			return // an expression of the index that fails for a row
		}
		var name, text string
		if err := db.QueryRow(`SELECT name, sql FROM sqlite_master WHERE type = 'index'`).Scan(&name, &text); err != nil {
			return
		}
		var partial bool
		require.NoError(t, db.QueryRow(`SELECT partial FROM pragma_index_list('t')`).Scan(&partial))
		found := catalog.Predicate(text)
		require.Equal(t, partial, found != "", "%s: %q", text, found)
		if !partial {
			return
		}
		_, err = db.Exec(`ANALYZE`)
		require.NoError(t, err)
		var stored, satisfy int
		err = db.QueryRow(`SELECT CAST(stat AS integer) FROM sqlite_stat1 WHERE idx = ?`, name).Scan(&stored)
		require.True(t, err == nil || errors.Is(err, sql.ErrNoRows), err)
		require.NoError(t, db.QueryRow(`SELECT count(*) FROM t WHERE (`+found+`)`).Scan(&satisfy), "%s: %q", text, found)
		require.Equal(t, satisfy, stored, "%s: %q", text, found)
	})
}
