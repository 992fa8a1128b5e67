package compat

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/sent"
)

// onSQLite are SQLite's GORM driver and the ways it keeps its journal. Packages of
// their own, for drivers of one name, have the other two.
func onSQLite() []Runnable {
	in := func(journal string) func(*testing.T) Engine {
		return SQLite(func(path string) gorm.Dialector {
			return sqlite.Open("file:" + path + "?_journal_mode=" + journal + "&_busy_timeout=10000&_foreign_keys=on")
		})
	}
	return []Runnable{{"sqlite", true, in("WAL")}, {"sqlite-rollback", false, in("DELETE")}}
}

// Rack has no update time; Article has one.
type Rack struct {
	ID           uint
	Publications []Publication `gorm:"many2many:rack_publications"`
}

// A database without the one statement: an Append of stored rows is a transaction,
// whose first statement makes it the one writer.
func TestSQLiteLinksByPlainStatementsInOneTransaction(t *testing.T) {
	pool, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_foreign_keys=on")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	var rec sent.Record
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: rec.Pool(pool)}), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	require.NoError(t, db.Use(m2msafe.New()))
	require.NoError(t, db.AutoMigrate(&Article{}, &Publication{}, &Rack{}))
	exec(t, db, `INSERT INTO articles (id, updated_at) VALUES (1, '2001-01-01')`)
	exec(t, db, `INSERT INTO publications (id) VALUES (1), (2), (3)`)
	exec(t, db, `INSERT INTO racks (id) VALUES (1)`)
	to := func(db *gorm.DB, owner any, id uint) []string {
		rec.Take()
		require.NoError(t, db.Model(owner).Association("Publications").Append(&Publication{ID: id}))
		return sent.Kinds(rec.Take())
	}
	_, _ = to(db, &Article{ID: 1}, 1), to(db, &Rack{ID: 1}, 1) // the plans are made

	require.Equal(t, []string{"BEGIN", "UPDATE rack_publications", "find", "link", "COMMIT"}, to(db, &Rack{ID: 1}, 2))
	require.Equal(t, []string{"BEGIN", "UPDATE rack_publications", "find", "COMMIT"}, to(db, &Rack{ID: 1}, 2), "it is linked")
	bare := db.Session(&gorm.Session{SkipDefaultTransaction: true}) // the plugin begins one then
	require.Equal(t, []string{"BEGIN", "UPDATE rack_publications", "find", "link", "COMMIT"}, to(bare, &Rack{ID: 1}, 3))
	require.Equal(t, []string{"1|1", "1|2", "1|3"}, rows(t, db, `SELECT rack_id || '|' || publication_id FROM rack_publications ORDER BY 1`))

	require.Equal(t, []string{"BEGIN", "UPDATE article_publications", "find", "link", "UPDATE articles", "COMMIT"}, to(db, &Article{ID: 1}, 2))
	exec(t, db, `UPDATE articles SET updated_at = '2001-01-01'`)
	require.Equal(t, []string{"BEGIN", "UPDATE article_publications", "find", "COMMIT"}, to(db, &Article{ID: 1}, 2), "it is linked")
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
	require.Equal(t, "2001", one(t, db, `SELECT substr(updated_at, 1, 4) FROM articles`), "no link was made")
}

// What SQLite says of a COMMIT is an answer, but for SQLITE_IOERR, which can come late.
func TestSQLiteAnswersCOMMIT(t *testing.T) {
	e := onSQLite()[0].Start(t)
	for _, c := range []struct {
		says   error
		answer bool
	}{
		{sqlite3.Error{Code: sqlite3.ErrFull}, true},
		{sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}, false},
	} {
		t.Run(c.says.Error(), func(t *testing.T) {
			db, team := teams(t, e), newTeam()
			pool := broken(db, false)
			pool.left, pool.says = 1, c.says
			require.ErrorIs(t, db.Create(team).Error, c.says)
			require.Equal(t, c.answer, team.ID == 0)
			require.Equal(t, newTeam().Players, team.Players, "they have names")
		})
	}
}
