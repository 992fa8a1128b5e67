package compat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Stock GORM has no LinkPairs: none of these can pass there.
var pairs = []behaviour{
	{"pairs are linked in chunks, with the progress told", pairsChunks},
	{"pairs that come twice are one link", pairsTwice},
	{"a call that stopped can be made again", pairsResume},
	{"an end that is not stored stops the call at its chunk", pairsNotStored},
	{"an error of OnProgress stops the call behind its chunk", pairsStopped},
	{"a key that does not fit stops the call", pairsUnfit},
	{"in the caller's transaction pairs stand or fall with it", pairsInside},
	{"soft-deleted pairs come back, or are refused", pairsDeleted},
	{"pairs of a join table without a unique key", pairsKeyless},
	{"a join table without foreign keys takes no ends that are not stored", pairsLoose},
	{"the join model's hooks run for pairs", pairsHooks},
	{"pairs of composite keys", pairsComposite},
	{"options mean for pairs what they mean for an Append", pairsOptions},
	{"DryRun writes no pairs", pairsDryRun},
	{"what LinkPairs refuses", pairsRefused},
	{"a call that is cancelled ends", pairsCancelled},
	{"many callers link the same pairs, each once", pairsRace},
}

// these are pairs in their order.
func these(keys ...[2]int) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for _, k := range keys {
			if !yield(k[0], k[1]) {
				return
			}
		}
	}
}

// article links pairs of articles and publications.
func articlePairs(t testing.TB, db *gorm.DB, pairs iter.Seq2[int, int], opts ...m2msafe.Option) (m2msafe.Progress, error) {
	t.Helper()
	return m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", pairs, opts...)
}

func pairsChunks(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, link(db, 1, 2))
	var told []m2msafe.Progress
	done, err := articlePairs(t, db, these([2]int{3, 5}, [2]int{1, 2}, [2]int{1, 1}, [2]int{2, 4}, [2]int{1, 5}),
		m2msafe.ChunkSize(2), m2msafe.OnProgress(func(p m2msafe.Progress) error { told = append(told, p); return nil }))
	require.NoError(t, err)
	require.Equal(t, m2msafe.Progress{Pairs: 5, Created: 4}, done)
	require.Equal(t, []m2msafe.Progress{{Pairs: 2, Created: 1}, {Pairs: 4, Created: 3}, {Pairs: 5, Created: 4}}, told)
	require.Equal(t, []string{"1|1", "1|2", "1|5", "2|4", "3|5"}, linked(t, db))
	require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM articles WHERE id > 1 AND updated_at = ? AND title = 'a2'`, past), "its owner's update time is left alone")

	// From the other side.
	done, err = m2msafe.LinkPairs(t.Context(), db, &Publication{}, "Articles", these([2]int{5, 3}, [2]int{5, 2}))
	require.NoError(t, err)
	require.Equal(t, m2msafe.Progress{Pairs: 2, Created: 1}, done)
	done, err = articlePairs(t, db, these(), m2msafe.OnProgress(func(m2msafe.Progress) error { return errHook }))
	require.NoError(t, err, "there is nothing to tell")
	require.Zero(t, done)
	require.Equal(t, []string{"1|1", "1|2", "1|5", "2|4", "2|5", "3|5"}, linked(t, db))
}

func pairsTwice(t *testing.T, e Engine) {
	db := seeded(t, e)
	twice := these([2]int{1, 1}, [2]int{1, 2}, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 2})
	for _, want := range []m2msafe.Progress{{Pairs: 5, Created: 2}, {Pairs: 5}} {
		done, err := articlePairs(t, db, twice, m2msafe.ChunkSize(3))
		require.NoError(t, err)
		require.Equal(t, want, done)
		require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
	}
}

func pairsResume(t *testing.T, e Engine) {
	db := seeded(t, e)
	all := [][2]int{{1, 1}, {1, 2}, {2, 1}, {9, 2}, {3, 1}}
	done, err := articlePairs(t, db, these(all...), m2msafe.ChunkSize(2))
	require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
	require.Equal(t, m2msafe.Progress{Pairs: 2, Created: 2}, done)
	exec(t, db, `INSERT INTO articles (id, title) VALUES (9, 'a9')`)
	for _, from := range []int64{done.Pairs, 0} {
		_, err = articlePairs(t, db, these(all[from:]...), m2msafe.ChunkSize(2))
		require.NoError(t, err)
		require.Equal(t, []string{"1|1", "1|2", "2|1", "3|1", "9|2"}, linked(t, db))
	}
}

func pairsNotStored(t *testing.T, e Engine) {
	for _, c := range []struct {
		pair   [2]int
		want   error
		owner  []any
		target [][]any
	}{
		{[2]int{9, 2}, m2msafe.ErrOwnerNotStored, []any{uint(9)}, nil},
		{[2]int{2, 9}, m2msafe.ErrTargetNotStored, []any{uint(2)}, [][]any{{uint(9)}}},
	} {
		t.Run(fmt.Sprint(c.pair), func(t *testing.T) {
			db := seeded(t, e)
			done, err := articlePairs(t, db, these([2]int{1, 1}, [2]int{1, 2}, [2]int{1, 3}, c.pair, [2]int{3, 3}), m2msafe.ChunkSize(2))
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err, gorm.ErrForeignKeyViolated)
			var failed *m2msafe.LinkError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, c.owner, failed.Owner)
			require.Equal(t, c.target, failed.Targets)
			require.Equal(t, m2msafe.Progress{Pairs: 2, Created: 2}, done)
			require.Equal(t, []string{"1|1", "1|2"}, linked(t, db), "nothing of the chunk that failed")
		})
	}
}

func pairsStopped(t *testing.T, e Engine) {
	db := seeded(t, e)
	stop := m2msafe.OnProgress(func(m2msafe.Progress) error { return errHook })
	done, err := articlePairs(t, db, these([2]int{1, 1}, [2]int{1, 2}, [2]int{1, 3}), m2msafe.ChunkSize(2), stop)
	require.ErrorIs(t, err, errHook)
	require.Equal(t, m2msafe.Progress{Pairs: 2, Created: 2}, done)
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
}

func pairsUnfit(t *testing.T, e Engine) {
	db := seeded(t, e)
	for _, c := range []struct {
		pair [2]int
		want error
	}{{[2]int{-1, 2}, m2msafe.ErrOption}, {[2]int{0, 2}, m2msafe.ErrOwnerNotSaved}, {[2]int{1, 0}, m2msafe.ErrZeroReference}} {
		done, err := articlePairs(t, db, these([2]int{1, 1}, [2]int{1, 3}, c.pair), m2msafe.ChunkSize(2))
		require.ErrorIs(t, err, c.want)
		require.EqualValues(t, 2, done.Pairs)
		require.Equal(t, []string{"1|1", "1|3"}, linked(t, db))
	}
}

func pairsInside(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		done, err := articlePairs(t, tx, these([2]int{1, 1}, [2]int{1, 2}, [2]int{2, 1}), m2msafe.ChunkSize(2))
		require.NoError(t, err)
		require.Equal(t, m2msafe.Progress{Pairs: 3, Created: 3}, done)
		require.Len(t, linked(t, tx), 3)
		return errHook
	}), errHook)
	require.Empty(t, linked(t, db))

	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		done, err := articlePairs(t, tx, these([2]int{1, 1}, [2]int{1, 9}, [2]int{1, 2}), m2msafe.ChunkSize(1))
		require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
		require.EqualValues(t, 1, done.Pairs)
		return link(tx, 1, 3) // the transaction goes on
	}))
	require.Equal(t, []string{"1|1", "1|3"}, linked(t, db))
}

func pairsDeleted(t *testing.T, e Engine) {
	db := marked(t, e.DB(t))
	all := these([2]int{1, 3}, [2]int{1, 1}, [2]int{1, 2})
	_, err := articlePairs(t, db, all, m2msafe.DeletedLinks(m2msafe.Refuse))
	require.ErrorIs(t, err, m2msafe.ErrDeletedLink)
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db), "dead 1|2 stands for itself")
	done, err := articlePairs(t, db, all)
	require.NoError(t, err)
	require.Equal(t, m2msafe.Progress{Pairs: 3, Created: 1, Revived: 1}, done)
	require.Equal(t, []string{"1|1", "1|2", "1|3"}, rows(t, db, `SELECT article_id, publication_id FROM article_publications WHERE deleted_at IS NULL ORDER BY 1, 2`))
}

func pairsKeyless(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications ({pair})`)
	unguarded(t, db)
	for _, want := range []m2msafe.Progress{{Pairs: 3, Created: 2}, {Pairs: 3}} {
		done, err := articlePairs(t, db, these([2]int{1, 1}, [2]int{2, 1}, [2]int{1, 1}), m2msafe.ChunkSize(2))
		require.NoError(t, err)
		require.Equal(t, want, done)
		require.Equal(t, []string{"1|1", "2|1"}, linked(t, db))
	}
	_, err := articlePairs(t, db, these([2]int{3, 1}), m2msafe.NoUniqueKey(m2msafe.Refuse))
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
}

func pairsLoose(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`)
	done, err := articlePairs(t, db, these([2]int{1, 1}, [2]int{1, 9}), m2msafe.ChunkSize(1))
	require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
	require.EqualValues(t, 1, done.Pairs)
	_, err = articlePairs(t, db, these([2]int{9, 1}))
	require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
	require.Equal(t, []string{"1|1"}, linked(t, db))
}

func pairsHooks(t *testing.T, e Engine) {
	db, _ := placed(t, e, &HookedPlacement{})
	log := new(hooklog)
	call := func(pairs iter.Seq2[int, int]) (m2msafe.Progress, error) {
		return m2msafe.LinkPairs(log.on(db).Statement.Context, db, &Article{}, "Publications", pairs)
	}
	done, err := call(these([2]int{1, 1}, [2]int{1, 2}))
	require.NoError(t, err)
	require.Equal(t, m2msafe.Progress{Pairs: 2, Created: 2}, done)
	require.Equal(t, "note 2|7|(token)|<nil>|hook of 1-2", placement(t, db, 1, 2))
	require.Contains(t, log.heard(), "AfterCreate")
	require.NotContains(t, log.heard(), "target BeforeSave")
	log.fail = map[string]error{"BeforeCreate": errHook}
	_, err = call(these([2]int{2, 1}))
	require.ErrorIs(t, err, errHook)
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
}

func pairsComposite(t *testing.T, e Engine) {
	type Word struct {
		Locale string `gorm:"primaryKey;size:10"`
		Text   string `gorm:"primaryKey;size:40"`
	}
	type Text struct {
		ID    uint
		Words []Word `gorm:"many2many:text_words"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Text{}, &Word{}))
	require.NoError(t, db.Create(&[]Text{{ID: 1}, {ID: 2}}).Error)
	require.NoError(t, db.Create(&[]Word{{"en", "a"}, {"de", `{"`}}).Error)
	given := func(yield func(uint, []any) bool) {
		_ = yield(1, []any{"en", "a"}) && yield(2, []any{"de", `{"`}) && yield(1, []any{"en", "a"}) && yield(1, []any{"de", `{"`})
	}
	done, err := m2msafe.LinkPairs(t.Context(), db, &Text{}, "Words", given)
	require.NoError(t, err)
	require.Equal(t, m2msafe.Progress{Pairs: 4, Created: 3}, done)
	require.Equal(t, []string{`1|de|{"`, `1|en|a`, `2|de|{"`}, rows(t, db, `SELECT text_id, word_locale, word_text FROM text_words ORDER BY 1, 2`))
	// An iterator may have one slice for all of its keys.
	exec(t, db, `DELETE FROM text_words`)
	var report m2msafe.Report
	_, err = m2msafe.LinkPairs(t.Context(), db, &Text{}, "Words", func(yield func(uint, []any) bool) {
		key := []any{"en", "a"}
		if yield(1, key) {
			key[0], key[1] = "de", `{"`
			yield(1, key)
		}
	}, m2msafe.ReportTo(&report))
	require.NoError(t, err)
	require.Len(t, report.Created(), 2)
	_, err = m2msafe.LinkPairs(t.Context(), db, &Text{}, "Words", func(yield func(uint, []any) bool) { yield(1, []any{"en"}) })
	require.ErrorIs(t, err, m2msafe.ErrOption)
}

func pairsOptions(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, link(db, 1, 1))
	var report m2msafe.Report
	var events []string
	done, err := articlePairs(t, db, these([2]int{1, 1}, [2]int{1, 2}, [2]int{2, 2}, [2]int{1, 2}), m2msafe.ChunkSize(3), m2msafe.ReportTo(&report),
		m2msafe.OnLinked(func(_ *gorm.DB, event m2msafe.Event) error {
			events = append(events, fmt.Sprint(outcomes(event.Links)))
			return nil
		}))
	require.NoError(t, err)
	require.Equal(t, m2msafe.Progress{Pairs: 4, Created: 2}, done)
	require.Equal(t, []string{"1|1 existing", "1|2 created", "2|2 created", "1|2 existing"}, outcomes(report.Links()))
	require.Equal(t, []string{"[1|2 created 2|2 created]"}, events)

	done, err = articlePairs(t, db, these([2]int{3, 1}), m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { return errHook }))
	require.ErrorIs(t, err, errHook)
	require.Zero(t, done)
	require.Equal(t, []string{"1|1", "1|2", "2|2"}, linked(t, db))

	_, err = articlePairs(t, db, these([2]int{3, 1}), m2msafe.Through(map[string]any{"note": "x"}))
	require.ErrorIs(t, err, m2msafe.ErrOption)
	exec(t, db, `ALTER TABLE article_publications ADD COLUMN note varchar(20)`)
	db = e.DB(t) // which has not seen the table without it
	_, err = articlePairs(t, db, these([2]int{3, 1}, [2]int{3, 2}), m2msafe.Through(map[string]any{"note": "x"}))
	require.NoError(t, err)
	require.Equal(t, []string{"1|<nil>", "2|<nil>", "2|<nil>", "1|x", "2|x"}, rows(t, db, `SELECT publication_id, note FROM article_publications ORDER BY article_id, publication_id`))
}

func pairsDryRun(t *testing.T, e Engine) {
	db := seeded(t, e)
	_, err := articlePairs(t, db.Session(&gorm.Session{DryRun: true}), these([2]int{1, 1}, [2]int{9, 1}))
	require.NoError(t, err)
	require.Empty(t, linked(t, db))
}

func pairsRefused(t *testing.T, e Engine) {
	db := seeded(t, e)
	some := these([2]int{1, 1})
	for name, call := range map[string]func() (m2msafe.Progress, error){
		"no model":         func() (m2msafe.Progress, error) { return m2msafe.LinkPairs(t.Context(), db, 42, "Publications", some) },
		"another relation": func() (m2msafe.Progress, error) { return m2msafe.LinkPairs(t.Context(), db, &Article{}, "Title", some) },
		"a condition":      func() (m2msafe.Progress, error) { return articlePairs(t, db.Where("id = 1"), some) },
		"Omit":             func() (m2msafe.Progress, error) { return articlePairs(t, db.Omit("Publications"), some) },
		"Table":            func() (m2msafe.Progress, error) { return articlePairs(t, db.Table(tableOf(db, "articles")), some) },
		"a nil option":     func() (m2msafe.Progress, error) { return articlePairs(t, db, some, nil) },
		"no iterator":      func() (m2msafe.Progress, error) { return articlePairs(t, db, nil) },
		"no chunk":         func() (m2msafe.Progress, error) { return articlePairs(t, db, some, m2msafe.ChunkSize(0)) },
	} {
		done, err := call()
		require.ErrorIs(t, err, m2msafe.ErrOption, name)
		require.Zero(t, done, name)
	}
	_, err := articlePairs(t, e.Stock(t), some)
	require.ErrorIs(t, err, m2msafe.ErrNotInUse)
	require.Empty(t, linked(t, db))
}

func pairsCancelled(t *testing.T, e Engine) {
	db := seeded(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	done, err := m2msafe.LinkPairs(ctx, db, &Article{}, "Publications", these([2]int{1, 1}, [2]int{1, 2}), m2msafe.ChunkSize(1),
		m2msafe.OnProgress(func(m2msafe.Progress) error { cancel(); return nil }))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, m2msafe.Progress{Pairs: 1, Created: 1}, done)
	require.Equal(t, []string{"1|1"}, linked(t, db))
}

// Each caller has an order of its own, and chunks of its own.
func pairsRace(t *testing.T, e Engine) {
	db := seeded(t, e, e.Races...)
	exec(t, db, `INSERT INTO articles (title) SELECT title FROM articles, (SELECT 1 AS n FROM publications) AS p`)
	exec(t, db, `INSERT INTO publications (name) SELECT p.name FROM publications AS p CROSS JOIN articles`)
	var all [][2]int
	for i := range 18 {
		for j := range 95 {
			all = append(all, [2]int{i + 1, j + 1})
		}
	}
	var wg sync.WaitGroup
	errs, created := make([]error, raceWriters), make([]int64, raceWriters)
	for w := range raceWriters {
		wg.Go(func() {
			mine := append([][2]int{}, all...)
			rand.New(rand.NewPCG(uint64(w), 0)).Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			done, err := articlePairs(t, db, these(mine...), m2msafe.ChunkSize(100+w))
			errs[w], created[w] = err, done.Created
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	sum := int64(0)
	for _, n := range created {
		sum += n
	}
	require.EqualValues(t, len(all), sum, "exactly one caller creates a link")
	require.Equal(t, fmt.Sprint(len(all)), one(t, db, `SELECT COUNT(*) FROM article_publications`))
}
