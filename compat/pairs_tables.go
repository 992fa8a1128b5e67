package compat

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe"
)

// pairsTables are about what the join table makes of pairs.
var pairsTables = []behaviour{
	{"soft-deleted pairs come back, or are refused", pairsDeleted},
	{"pairs of a join table without a unique key", pairsKeyless},
	{"a join table without foreign keys takes no ends that are not stored", pairsLoose},
	{"the join model's hooks run for pairs", pairsHooks},
	{"pairs of composite keys", pairsComposite},
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
	if kin(db) {
		done, err := articlePairs(t, db, these([2]int{1, 1}))
		require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
		require.Zero(t, done)
		require.Empty(t, linked(t, db))
		return
	}
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
