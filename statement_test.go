package m2msafe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
	"github.com/m2msafe/m2msafe/internal/sent"
)

// Timed is an owner whose updated_at GORM moves.
type Timed struct {
	ID           uint
	UpdatedAt    time.Time
	Publications []*Publication `gorm:"many2many:timed_publications"`
}

func TestWhichStatementsACallTakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		config gorm.Config
		call   func(db *gorm.DB) error
		want   []string
	}{
		{
			"Append of a stored target", gorm.Config{},
			func(db *gorm.DB) error { return linkOne(db, 2) },
			[]string{"link"},
		}, {
			"Append of a link that is there", gorm.Config{},
			func(db *gorm.DB) error { return linkOne(db, 1) },
			[]string{"link"},
		}, {
			"Append of many", gorm.Config{},
			func(db *gorm.DB) error { return append32(db) },
			[]string{"link"},
		}, {
			"Append of a stored target without the default transaction", gorm.Config{SkipDefaultTransaction: true},
			func(db *gorm.DB) error { return linkOne(db, 2) },
			[]string{"link"},
		}, {
			"Append of a new target without the default transaction", gorm.Config{SkipDefaultTransaction: true},
			func(db *gorm.DB) error {
				return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{Name: "new"})
			},
			[]string{"BEGIN", "INSERT publications", "link", "COMMIT"},
		}, {
			"Append of a target with a key that is not stored", gorm.Config{},
			func(db *gorm.DB) error { return linkOne(db, 9) },
			[]string{"link", "BEGIN", "INSERT publications", "link", "COMMIT"},
		}, {
			"Append to an owner with an update time", gorm.Config{},
			func(db *gorm.DB) error {
				return db.Model(&Timed{ID: 1}).Association("Publications").Append(&Publication{ID: 1})
			},
			[]string{"link"},
		}, {
			"Append of a link that is there to an owner with an update time", gorm.Config{},
			func(db *gorm.DB) error {
				return db.Model(&Timed{ID: 1}).Association("Publications").Append(&Publication{ID: 3})
			},
			[]string{"link"},
		}, {
			"Append in the caller's transaction", gorm.Config{},
			func(db *gorm.DB) error {
				return db.Transaction(func(tx *gorm.DB) error { return linkOne(tx, 2) })
			},
			[]string{"BEGIN", "link", "COMMIT"},
		}, {
			"Append with an event", gorm.Config{},
			func(db *gorm.DB) error {
				return linkOne(m2msafe.With(db, m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { return nil })), 2)
			},
			[]string{"BEGIN", "link", "COMMIT"},
		}, {
			"Append with an event without the default transaction", gorm.Config{SkipDefaultTransaction: true},
			func(db *gorm.DB) error {
				return linkOne(m2msafe.With(db, m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { return nil })), 2)
			},
			[]string{"BEGIN", "link", "COMMIT"},
		}, {
			"Append of nothing", gorm.Config{},
			func(db *gorm.DB) error { return db.Model(&Article{ID: 1}).Association("Publications").Append() },
			nil,
		}, {
			"Create of an owner without targets", gorm.Config{},
			func(db *gorm.DB) error { return db.Create(&Article{ID: 40}).Error },
			[]string{"BEGIN", "INSERT articles", "COMMIT"},
		}, {
			"Create of owners with targets", gorm.Config{},
			func(db *gorm.DB) error {
				return db.Create(&[]Article{{ID: 40, Publications: []Publication{{ID: 1}}}, {ID: 41, Publications: []Publication{{ID: 1}}}}).Error
			},
			[]string{"BEGIN", "INSERT articles", "link", "COMMIT"},
		}, {
			"Create with the relation omitted", gorm.Config{},
			func(db *gorm.DB) error {
				return db.Omit("Publications").Create(&Article{ID: 40, Publications: []Publication{{ID: 1}}}).Error
			},
			[]string{"BEGIN", "INSERT articles", "COMMIT"},
		}, {
			"Replace", gorm.Config{},
			func(db *gorm.DB) error {
				return db.Model(&Article{ID: 1}).Association("Publications").Replace(&Publication{ID: 2})
			},
			[]string{"link", "BEGIN", "DELETE", "COMMIT"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, rec := recorded(t, &c.config)
			seed(t, db, 3)
			require.NoError(t, db.AutoMigrate(&Timed{}))
			exec(t, db, `INSERT INTO timeds VALUES (1, now())`)
			require.NoError(t, linkOne(db, 1)) // makes the plans
			require.NoError(t, db.Model(&Timed{ID: 1}).Association("Publications").Append(&Publication{ID: 3}))
			rec.take()
			require.NoError(t, c.call(db))
			assert.Equal(t, c.want, kinds(rec.take()))
		})
	}
}

func TestOneStatementTextServesAnyNumberOfLinks(t *testing.T) {
	db := connect(t, pgtest.DSN(t), &gorm.Config{Logger: logger.Discard, PrepareStmt: true})
	require.NoError(t, db.Use(m2msafe.New()))
	seed(t, db, 300)
	prepared := func() []string { return db.ConnPool.(*gorm.PreparedStmtDB).Stmts.Keys() }
	before := 0
	for i, n := range []int{1, 2, 65, 1, 2, 7, 64, 66, 100, 299} {
		if i == 3 { // one link, up to 64, and more have a text each
			before = len(prepared())
		}
		var targets []Publication
		for i := range n {
			targets = append(targets, Publication{ID: uint(i + 1)})
		}
		require.NoError(t, db.Model(&Article{ID: 2}).Association("Publications").Append(targets))
		require.NoError(t, db.Model(&[]Article{{ID: 3}, {ID: 4}}).Association("Publications").Append(&targets, &targets))
	}
	assert.Len(t, prepared(), before, "%q", prepared())
	assert.Len(t, links(t, db), 299+2*299)
}

func TestFortyThousandLinksInOneAppend(t *testing.T) {
	// Stock GORM: "extended protocol limited to 65535 parameters".
	bulk(t, 40_000, time.Minute)
}

func TestAMillionLinksInOneAppend(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes 20 s and 2 GB")
	}
	bulk(t, 1_000_000, 5*time.Minute)
}

// bulk links n stored targets in one call, twice.
func bulk(t *testing.T, n int, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 1)
	exec(t, db, `INSERT INTO articles (id) SELECT n FROM generate_series(2, ?) AS n`, n)
	exec(t, db, `ANALYZE articles`)
	articles := make([]*Article, n)
	for i := range articles {
		articles[i] = &Article{ID: uint(n - i)}
	}
	rec.take()
	for range 2 {
		require.NoError(t, db.WithContext(ctx).Model(&Publication{ID: 1}).Association("Articles").Append(articles))
		assert.Equal(t, []string{"link"}, slices.DeleteFunc(kinds(rec.take()), func(k string) bool { return k == "catalogue" }))
	}
	assert.Equal(t, []string{fmt.Sprintf("%d|%d|1|1|%d", n, n, n)}, stored(t, db,
		`SELECT count(*), count(DISTINCT article_id), count(DISTINCT publication_id), min(article_id), max(article_id) FROM article_publications`))
}

func TestWhatIsHiddenFromGORMIsShownAgain(t *testing.T) {
	errHook := errors.New("refused by the app")
	for _, c := range []struct {
		name  string
		call  func(db *gorm.DB) error
		omits []string
		fails bool
	}{
		{"a call that links", func(db *gorm.DB) error { return db.Create(&Article{ID: 9, Publications: []Publication{{ID: 1}}}).Error }, nil, false},
		{"a call with an Omit", func(db *gorm.DB) error {
			return db.Omit("Title", "Publications.*").Create(&Article{ID: 9, Publications: []Publication{{ID: 1}}}).Error
		}, []string{"Title", "Publications.*"}, false},
		{"a call that fails on the link", func(db *gorm.DB) error {
			return db.Omit("Publications.*").Create(&Article{ID: 9, Publications: []Publication{{ID: 77}}}).Error
		}, []string{"Publications.*"}, true},
		{"a call that fails before it", func(db *gorm.DB) error {
			return db.Omit("Publications.*").Create(&Article{ID: 1, Publications: []Publication{{ID: 1}}}).Error
		}, []string{"Publications.*"}, true},
		{"a call that fails between hiding and showing", func(db *gorm.DB) error {
			return db.Set("test:fail", errHook).Create(&Article{ID: 9, Publications: []Publication{{ID: 1}}}).Error
		}, nil, true},
		{"an update", func(db *gorm.DB) error {
			return db.Omit("Title").Updates(&Article{ID: 1, Publications: []Publication{{ID: 1}}}).Error
		}, []string{"Title"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			seed(t, db, 1)
			var hidden, shown []string
			seen := 0
			look := func(into *[]string) func(*gorm.DB) {
				return func(tx *gorm.DB) {
					if tx.Statement.Table == "articles" {
						*into = slices.Clone(tx.Statement.Omits)
						seen++
					}
				}
			}
			fail := func(tx *gorm.DB) {
				if err, ok := tx.Get("test:fail"); ok {
					_ = tx.AddError(err.(error))
				}
			}
			create, update := db.Callback().Create(), db.Callback().Update()
			require.NoError(t, create.After("m2msafe:take").Before("gorm:save_after_associations").Register("test:hidden", look(&hidden)))
			require.NoError(t, create.After("gorm:save_after_associations").Before("m2msafe:link").Register("test:fail", fail))
			require.NoError(t, create.Before("gorm:commit_or_rollback_transaction").After("m2msafe:link").Register("test:shown", look(&shown)))
			require.NoError(t, update.After("m2msafe:take").Before("gorm:save_after_associations").Register("test:hidden", look(&hidden)))
			require.NoError(t, update.Before("gorm:commit_or_rollback_transaction").After("m2msafe:link").Register("test:shown", look(&shown)))
			err := c.call(db)
			assert.Equal(t, c.fails, err != nil, "%v", err)
			assert.Equal(t, 2, seen, "the test's callbacks must have run")
			if c.name != "a call that fails before it" {
				assert.Equal(t, append(slices.Clone(c.omits), "Publications"), hidden)
			}
			assert.Equal(t, c.omits, shown)
		})
	}
}

// cut is a connection of which a link statement's answer does not come back whole.
type cut struct {
	*sql.DB
	answer func(*sql.Rows) (*sql.Rows, error)
}

func (c cut) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.DB.QueryContext(ctx, query, args...)
	if err == nil && strings.HasPrefix(query, "WITH m2m_new") {
		return c.answer(rows)
	}
	return rows, err
}

// The links are stored by then. Were they looked for again they would be existing,
// though no other call has created them.
func TestAnAnswerThatIsLostIsTheErrorOfTheCall(t *testing.T) {
	for name, c := range map[string]struct {
		want   string
		answer func(db *sql.DB, rows *sql.Rows) (*sql.Rows, error)
	}{
		"the connection breaks": {"unexpected EOF", func(_ *sql.DB, rows *sql.Rows) (*sql.Rows, error) {
			return nil, errors.Join(rows.Close(), io.ErrUnexpectedEOF)
		}},
		// As of rows that the end of a context has closed before they were scanned.
		"a row can't be read": {"Scan error", func(db *sql.DB, rows *sql.Rows) (*sql.Rows, error) {
			require.NoError(t, rows.Close())
			return db.Query(`SELECT 1, NULL::text`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := connect(t, pgtest.DSN(t), nil).DB()
			require.NoError(t, err)
			answer := func(rows *sql.Rows) (*sql.Rows, error) { return c.answer(pool, rows) }
			db, err := gorm.Open(postgres.New(postgres.Config{Conn: cut{pool, answer}}), &gorm.Config{Logger: logger.Discard})
			require.NoError(t, err)
			require.NoError(t, db.Use(m2msafe.New()))
			seed(t, db, 1)
			var report m2msafe.Report
			require.ErrorContains(t, linkOne(m2msafe.With(db, m2msafe.ReportTo(&report)), 1), c.want)
			assert.Equal(t, []string{"1|1"}, links(t, db))
			assert.Empty(t, report.Links())
		})
	}
}

// spoiled is a transaction that the reading of the catalogue spoils.
type spoiled struct{ *sql.Tx }

func (s spoiled) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if (sent.Statement{SQL: query}).OfCatalogue() {
		return s.Tx.QueryContext(ctx, "SELECT 1/0")
	}
	return s.Tx.QueryContext(ctx, query, args...)
}

// Nothing can be read in that transaction after it: another try would end in 25P02, and
// nobody would hear why.
func TestACatalogueThatCannotBeReadIsTheErrorOfTheCall(t *testing.T) {
	db := open(t)
	seed(t, db, 1)
	pool, err := db.DB()
	require.NoError(t, err)
	inside, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, inside.Rollback()) }()
	tx := db.Session(&gorm.Session{NewDB: true, Initialized: true})
	tx.Statement.ConnPool = spoiled{inside}
	require.ErrorContains(t, linkOne(tx, 1), "division by zero")
}
