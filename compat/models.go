package compat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Article and Publication are the suite's everyday pair, from the question that
// the project comes from. What a test needs beyond them it declares itself.
type Article struct {
	ID           uint
	Title        string
	UpdatedAt    time.Time
	Publications []Publication `gorm:"many2many:article_publications"`
}

// Publication is the other side: pointers here, values there.
type Publication struct {
	ID        uint
	Name      string
	UpdatedAt time.Time
	Articles  []*Article `gorm:"many2many:article_publications"`
}

// BeforeSave, BeforeCreate and AfterCreate tell the hooklog of the call.
func (p *Publication) BeforeSave(tx *gorm.DB) error   { return told(tx, "target BeforeSave") }
func (p *Publication) BeforeCreate(tx *gorm.DB) error { return told(tx, "target BeforeCreate") }
func (p *Publication) AfterCreate(tx *gorm.DB) error  { return told(tx, "target AfterCreate") }

// errHook is the error of hooks and transactions that fail on purpose.
var errHook = errors.New("no, says the test")

// hooklog hears of the hooks of the calls made with its context, and makes those
// fail that it has an error for.
type hooklog struct {
	mu    sync.Mutex
	calls []string
	fail  map[string]error
}

type hooklogKey struct{}

// on is db with the hooklog listening.
func (h *hooklog) on(db *gorm.DB) *gorm.DB {
	return db.WithContext(context.WithValue(db.Statement.Context, hooklogKey{}, h))
}

// told notes a hook's call.
func told(tx *gorm.DB, hook string) error {
	h, _ := tx.Statement.Context.Value(hooklogKey{}).(*hooklog)
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, hook)
	return h.fail[hook]
}

// logbook is a logger.Writer that keeps what it is told.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// having returns the lines with a text in them.
func (l *logbook) having(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// past is the time of everything that seed stores.
var past = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// seeded is a database of its own with the plugin and what seed stores.
func seeded(t testing.TB, e Engine, opts ...m2msafe.Option) *gorm.DB {
	t.Helper()
	return seed(t, e.DB(t, opts...))
}

// seed stores articles 1 to 3 and publications 1 to 5. ddl is the join table
// article_publications to have instead of GORM's.
func seed(t testing.TB, db *gorm.DB, ddl ...string) *gorm.DB {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Article{}, &Publication{}))
	exec(t, db, `INSERT INTO articles (title, updated_at) VALUES ('a1', @t), ('a2', @t), ('a3', @t)`, map[string]any{"t": past})
	exec(t, db, `INSERT INTO publications (name, updated_at) VALUES ('p1', @t), ('p2', @t), ('p3', @t), ('p4', @t), ('p5', @t)`, map[string]any{"t": past})
	if len(ddl) > 0 {
		exec(t, db, `DROP TABLE article_publications`)
	}
	for _, statement := range ddl {
		exec(t, db, portable(db, statement))
	}
	return db
}

// exec runs SQL that the test itself needs.
func exec(t testing.TB, db *gorm.DB, sql string, args ...any) {
	t.Helper()
	if db.Name() == "mysql" && strings.HasPrefix(sql, "CREATE UNIQUE INDEX") {
		if strings.Contains(sql, " WHERE ") {
			t.Skip("the MySQL family has no partial indexes")
		}
		if strings.Count(sql, "(") > 1 {
			if !mariaDB(db) {
				t.Skip("MySQL and its kin write an index on an expression otherwise: that DDL is not in the suite")
			}
			t.Skip("MariaDB has no indexes on expressions")
		}
	}
	require.NoError(t, db.Exec(native(db, sql), args...).Error)
}

// rows reads what the database holds, past all models: a line of text a row,
// its columns between bars.
func rows(t testing.TB, db *gorm.DB, sql string, args ...any) []string {
	t.Helper()
	found, err := db.Raw(native(db, sql), args...).Rows()
	require.NoError(t, err)
	defer func() { require.NoError(t, found.Close()) }()
	columns, err := found.Columns()
	require.NoError(t, err)
	lines := []string{}
	for found.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, found.Scan(into...))
		fields := make([]string, len(columns))
		for i, v := range values {
			switch v := v.(type) {
			case []byte:
				fields[i] = string(v)
			case time.Time:
				fields[i] = v.UTC().Format(time.RFC3339Nano)
			default:
				fields[i] = fmt.Sprint(v)
			}
		}
		lines = append(lines, strings.Join(fields, "|"))
	}
	require.NoError(t, found.Err())
	return lines
}

// one is rows where there is one.
func one(t testing.TB, db *gorm.DB, sql string, args ...any) string {
	t.Helper()
	found := rows(t, db, sql, args...)
	require.Len(t, found, 1)
	return found[0]
}

// linked is what article_publications holds, as "article|publication".
func linked(t testing.TB, db *gorm.DB) []string {
	t.Helper()
	return rows(t, db, `SELECT article_id, publication_id FROM article_publications ORDER BY 1, 2`)
}

// counter is how far a table's id has been counted up, 0 where it never was.
func counter(t testing.TB, db *gorm.DB, table string) string {
	t.Helper()
	if db.Name() == "mysql" {
		return one(t, db, `SELECT auto_increment - 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = ?`, table)
	}
	if db.Name() == "postgres" {
		return one(t, db, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM `+table+`_id_seq`)
	}
	return one(t, db, `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = ?`, table)
}

// publications are targets that have a key, and other columns than the stored
// rows.
func publications(ids ...uint) []Publication {
	elems := make([]Publication, len(ids))
	for i, id := range ids {
		elems[i] = Publication{ID: id, Name: "only in memory"}
	}
	return elems
}

// link appends publications to an article that is known by its key alone.
func link(db *gorm.DB, article uint, ids ...uint) error {
	return db.Model(&Article{ID: article}).Association("Publications").Append(publications(ids...))
}
