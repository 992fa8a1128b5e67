package m2msafe_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// server runs the tests with a PostgreSQL server around them.
type server struct{ *testing.M }

func (s server) Run() int { return pgtest.Run(s.M) }

// TestMain fails the run for any goroutine that outlives the tests, but for the
// one of GORM's prepared-statement cache, which GORM has no way to end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(server{m}, goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// Article and Publication are the pair of the question that the project comes
// from.
type Article struct {
	ID           uint
	Title        string
	Publications []Publication `gorm:"many2many:article_publications"`
}

// Publication is the other side.
type Publication struct {
	ID       uint
	Name     string
	Articles []*Article `gorm:"many2many:article_publications"`
}

// connect opens the schema of a DSN, without the plugin, until the test ends.
func connect(t testing.TB, dsn string, config *gorm.Config) *gorm.DB {
	t.Helper()
	if config == nil {
		config = &gorm.Config{Logger: logger.Discard}
	}
	db, err := gorm.Open(postgres.Open(dsn), config)
	require.NoError(t, err)
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return db
}

// open opens an empty schema with the plugin in use.
func open(t testing.TB, opts ...m2msafe.Option) *gorm.DB {
	t.Helper()
	db := connect(t, pgtest.DSN(t), nil)
	require.NoError(t, db.Use(m2msafe.New(opts...)))
	return db
}

// recorded is open with a record of all that is sent, and a clock that stands.
func recorded(t testing.TB, config *gorm.Config, opts ...m2msafe.Option) (*gorm.DB, *record) {
	t.Helper()
	real, err := connect(t, pgtest.DSN(t), nil).DB()
	require.NoError(t, err)
	rec := &record{}
	if config.Logger == nil {
		config.Logger = logger.Discard
	}
	config.NowFunc = func() time.Time { return time.Date(2016, 4, 5, 6, 7, 8, 901234567, time.UTC) }
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: rec.Pool(real)}), config)
	require.NoError(t, err)
	require.NoError(t, db.Use(m2msafe.New(opts...)))
	return db, rec
}

// seed makes the tables of Article and Publication with the rows 1 to n.
func seed(t testing.TB, db *gorm.DB, n int) {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Article{}, &Publication{}))
	exec(t, db, `INSERT INTO articles (title) SELECT 'a' || n FROM generate_series(1, ?) AS n`, n)
	exec(t, db, `INSERT INTO publications (name) SELECT 'p' || n FROM generate_series(1, ?) AS n`, n)
}

// exec runs SQL that the test itself needs.
func exec(t testing.TB, db *gorm.DB, sql string, args ...any) {
	t.Helper()
	require.NoError(t, db.Exec(sql, args...).Error)
}

// stored is what a query finds past all models: a text a row, its columns
// between bars.
func stored(t testing.TB, db *gorm.DB, query string) []string {
	t.Helper()
	rows := []string{}
	require.NoError(t, db.Raw(`SELECT concat_ws('|', VARIADIC ARRAY(SELECT value FROM json_each_text(row_to_json(q)))) FROM (`+query+`) AS q`).Scan(&rows).Error)
	return rows
}

// links is what article_publications holds, as "article|publication".
func links(t testing.TB, db *gorm.DB) []string {
	t.Helper()
	return stored(t, db, `SELECT article_id, publication_id FROM article_publications ORDER BY 1, 2`)
}

// sqlState is the SQLSTATE that an error holds, empty if none.
func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// The origin's scenario, on its table: a surrogate id and a unique pair.
const (
	raceWriters      = 8
	raceRounds       = 20
	racePublications = 2
	raceArticles     = 15
)

// race has writers link at once: in each of the rounds four times a publication,
// and for each four times an article. It returns what they asked for and the
// errors.
func race(seed uint64, add func(publication, article uint) error) (asked []string, errs []error) {
	var mu sync.Mutex
	var done sync.WaitGroup
	start := make(chan struct{})
	for w := range raceWriters {
		done.Go(func() {
			pick := rand.New(rand.NewPCG(seed, uint64(w)))
			<-start
			for range raceRounds * 4 {
				publication := uint(pick.IntN(racePublications) + 1)
				for range 4 {
					article := uint(pick.IntN(raceArticles) + 1)
					err := add(publication, article)
					mu.Lock()
					asked = append(asked, fmt.Sprintf("%d|%d", article, publication))
					if err != nil {
						errs = append(errs, err)
					}
					mu.Unlock()
				}
			}
		})
	}
	close(start)
	done.Wait()
	slices.Sort(asked)
	return slices.Compact(asked), errs
}

func TestTheRaceOfTheOrigin(t *testing.T) {
	dsn := pgtest.DSN(t)
	stock, safe := connect(t, dsn, nil), connect(t, dsn, nil)
	require.NoError(t, safe.Use(m2msafe.New()))
	seed(t, stock, raceArticles)
	exec(t, stock, `DROP TABLE article_publications`)
	exec(t, stock, `CREATE TABLE article_publications (
		id serial PRIMARY KEY,
		article_id bigint NOT NULL REFERENCES articles,
		publication_id bigint NOT NULL REFERENCES publications,
		UNIQUE (article_id, publication_id))`)
	sorted := func(rows []string) []string { slices.Sort(rows); return rows }
	moves := func() (n int) {
		require.NoError(t, stock.Raw(`SELECT last_value FROM article_publications_id_seq`).Scan(&n).Error)
		return n
	}
	appendTo := func(db *gorm.DB) func(publication, article uint) error {
		return func(publication, article uint) error {
			return db.Model(&Publication{ID: publication}).Association("Articles").Append(&Article{ID: article})
		}
	}

	t.Run("a check and then an insert fails with 23505", func(t *testing.T) {
		// Fails in 10 of 10 rounds here; 20 of them make a pass of luck out of
		// the question.
		for attempt := range uint64(20) {
			exec(t, stock, `TRUNCATE article_publications RESTART IDENTITY`)
			_, errs := race(attempt, func(publication, article uint) error {
				var n int
				err := stock.Raw(`SELECT count(*) FROM article_publications WHERE article_id = ? AND publication_id = ?`, article, publication).Scan(&n).Error
				if err != nil || n > 0 {
					return err
				}
				return stock.Exec(`INSERT INTO article_publications (article_id, publication_id) VALUES (?, ?)`, article, publication).Error
			})
			for _, err := range errs {
				require.Equal(t, "23505", sqlState(err), "%v", err)
			}
			if len(errs) > 0 {
				return
			}
		}
		t.Fatal("the scenario does not bite: no writer ever lost a race")
	})
	t.Run("stock GORM holds, and moves the sequence with every call", func(t *testing.T) {
		exec(t, stock, `TRUNCATE article_publications RESTART IDENTITY`)
		asked, errs := race(1, appendTo(stock))
		assert.Empty(t, errs)
		assert.Equal(t, asked, sorted(links(t, stock)))
		assert.Equal(t, raceWriters*raceRounds*16, moves())
	})
	t.Run("the plugin holds, and moves it for new links alone", func(t *testing.T) {
		for attempt := range uint64(3) {
			exec(t, stock, `TRUNCATE article_publications RESTART IDENTITY`)
			asked, errs := race(attempt, appendTo(safe))
			assert.Empty(t, errs)
			assert.Equal(t, asked, sorted(links(t, stock)))
			// A writer that loses a race moves it too, but once a pair at most.
			assert.LessOrEqual(t, moves(), raceWriters*raceArticles*racePublications)
		}
	})
}

func TestUsingThePluginTwiceIsRefusedByGORM(t *testing.T) {
	db := open(t)
	require.ErrorIs(t, db.Use(m2msafe.New()), gorm.ErrRegistered)
	seed(t, db, 2)
	require.NoError(t, db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 2}))
	assert.Equal(t, []string{"1|2"}, links(t, db))
}

// renamed is PostgreSQL by another name.
type renamed struct{ gorm.Dialector }

func (renamed) Name() string { return "oracle" }

func TestAnUnsupportedDatabaseIsLeftToStockGORMOrRefused(t *testing.T) {
	db := connect(t, pgtest.DSN(t), nil)
	other, err := gorm.Open(renamed{db.Dialector}, &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	pool, err := other.DB()
	require.NoError(t, err)
	defer func() { require.NoError(t, pool.Close()) }()

	err = other.Use(m2msafe.New(m2msafe.UnknownDatabase(m2msafe.Refuse)))
	require.ErrorIs(t, err, m2msafe.ErrUnsupportedDatabase)
	assert.ErrorContains(t, err, `"oracle"`)
	require.NoError(t, other.Use(m2msafe.New()), "by default it is left to stock GORM")
	assert.Nil(t, other.Callback().Create().Get("m2msafe:link"), "a callback was registered all the same")
}

func TestAPluginThatNewDidNotMakeIsRefusedByUse(t *testing.T) {
	db := connect(t, pgtest.DSN(t), nil)
	require.ErrorIs(t, db.Use(&m2msafe.Plugin{}), m2msafe.ErrOption)
	require.ErrorIs(t, connect(t, pgtest.DSN(t), nil).Use((*m2msafe.Plugin)(nil)), m2msafe.ErrOption)
}

func TestACallbackThatCannotStandWhereItMustIsNamedByUse(t *testing.T) {
	db := connect(t, pgtest.DSN(t), nil)
	// Somebody else's callback of the same name, with an order that can't be.
	require.NoError(t, db.Callback().Create().Before("m2msafe:link").Register("app:first", func(*gorm.DB) {}))
	require.NoError(t, db.Callback().Create().After("gorm:after_create").Before("m2msafe:check").Register("app:second", func(*gorm.DB) {}))
	err := db.Use(m2msafe.New())
	if assert.Error(t, err) {
		assert.True(t, strings.HasPrefix(err.Error(), "m2msafe: callback m2msafe:"), err.Error())
	}
}

func TestACancelledContextIsTheErrorAndNothingIsWritten(t *testing.T) {
	db := open(t)
	seed(t, db, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := db.WithContext(ctx).Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, links(t, db))
}
