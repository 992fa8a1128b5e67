package compat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Stock GORM has no LinkPairs: none of these can pass there.
var pairs = slices.Concat([]behaviour{
	{"pairs are linked in chunks, with the progress told", pairsChunks},
	{"pairs that come twice are one link", pairsTwice},
	{"a call that stopped can be made again", pairsResume},
	{"an end that is not stored stops the call at its chunk", pairsNotStored},
	{"an error of OnProgress stops the call behind its chunk", pairsStopped},
	{"a key that does not fit stops the call", pairsUnfit},
	{"in the caller's transaction pairs stand or fall with it", pairsInside},
	{"options mean for pairs what they mean for an Append", pairsOptions},
	{"DryRun writes no pairs", pairsDryRun},
	{"what LinkPairs refuses", pairsRefused},
	{"a call that is cancelled ends", pairsCancelled},
	{"many callers link the same pairs, each once", pairsRace},
}, pairsTables)

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
