package m2msafe_test

import (
	"iter"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// square are the pairs of n articles and n publications.
func square(n uint) iter.Seq2[uint, uint] {
	return func(yield func(uint, uint) bool) {
		for i := range n * n {
			if !yield(i%n+1, i/n+1) {
				return
			}
		}
	}
}

func TestLinkPairsTakesOneInsertAChunk(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 4)
	_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(1))
	require.NoError(t, err)
	rec.take()
	for _, want := range []int64{15, 0} {
		done, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(4), m2msafe.ChunkSize(6))
		require.NoError(t, err)
		assert.Equal(t, m2msafe.Progress{Pairs: 16, Created: want}, done)
		assert.Equal(t, []string{"link", "link", "link"}, kinds(rec.take()))
	}
}

// An end that goes away is found out by the statement that looks for it, which
// comes when the insert has failed.
func TestLinkPairsFindsOutWhatIsNotStored(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(3))
	require.NoError(t, err)
	exec(t, db, `DELETE FROM article_publications`)
	exec(t, db, `DELETE FROM publications WHERE id = 2`)
	rec.take()
	_, err = m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(3))
	require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
	require.ErrorContains(t, err, "target 2 (create it first)")
	assert.Equal(t, []string{"link", "link"}, kinds(rec.take()))
	assert.Empty(t, links(t, db))
}

// The plan says that there is a key; the database, that it is gone.
func TestLinkPairsPlansAnewWhereThePlanIsOutOfDate(t *testing.T) {
	db := open(t)
	seed(t, db, 3)
	_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(1))
	require.NoError(t, err)
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	for _, want := range []int64{8, 0} {
		done, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(3), m2msafe.ChunkSize(2))
		require.NoError(t, err)
		assert.Equal(t, m2msafe.Progress{Pairs: 9, Created: want}, done)
	}
	assert.Len(t, links(t, db), 9)
}

// What is in use after a chunk is as much after the last as after the first.
func TestLinkPairsNeedsNoMoreMemoryForMorePairs(t *testing.T) {
	db := open(t)
	seed(t, db, 400)
	var inUse []uint64
	done, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(400), m2msafe.ChunkSize(4000),
		m2msafe.OnProgress(func(m2msafe.Progress) error {
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			inUse = append(inUse, stats.HeapAlloc)
			return nil
		}))
	require.NoError(t, err)
	require.EqualValues(t, 160_000, done.Created)
	require.Len(t, inUse, 40)
	// One pair that is kept is 48 bytes at least: 150,000 of them are 7 MB.
	assert.Less(t, float64(inUse[39])-float64(inUse[1]), 1e6, "%d bytes in use, and then %d", inUse[1], inUse[39])
}

// The way of an Append reads the keys of a chunk again, when the iterator is far
// ahead: an iterator may have one buffer for all of them.
func TestLinkPairsKeepsKeysThatTheIteratorUsesAgain(t *testing.T) {
	type Leaf struct {
		Name   []byte `gorm:"primaryKey;type:bytea"`
		Number int    `gorm:"primaryKey;autoIncrement:false"`
	}
	type Tree struct {
		ID     uint
		Leaves []*Leaf `gorm:"many2many:tree_leaves"`
	}
	db := open(t)
	require.NoError(t, db.AutoMigrate(&Leaf{}, &Tree{}))
	exec(t, db, `INSERT INTO leafs VALUES ('a', 1), ('b', 1); INSERT INTO trees VALUES (1), (2)`)
	var report m2msafe.Report
	_, err := m2msafe.LinkPairs(t.Context(), db, &Tree{}, "Leaves", func(yield func(*uint, []any) bool) {
		tree, name := uint(1), []byte("a")
		if key := []any{name, 1}; yield(&tree, key) {
			tree, name[0] = 2, 'b'
			yield(&tree, key)
		}
	}, m2msafe.ReportTo(&report))
	require.NoError(t, err)
	assert.Equal(t, []string{"1|a", "2|b"}, stored(t, db, `SELECT tree_id, encode(leaf_name, 'escape') FROM tree_leaves ORDER BY 1`))
}

// An insert that meets a key has used up a value of a sequence, and fired triggers,
// by then.
func TestLinkPairsLooksFirstWhereAnInsertLeavesTraces(t *testing.T) {
	for name, setup := range map[string]string{
		"a sequence": `ALTER TABLE article_publications ADD COLUMN id serial`,
		"a trigger": `CREATE SEQUENCE fired; CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('fired'); RETURN NEW; END $$;
			CREATE TRIGGER fire BEFORE INSERT ON article_publications FOR EACH ROW EXECUTE FUNCTION fire()`,
	} {
		t.Run(name, func(t *testing.T) {
			db := connect(t, pgtest.DSN(t), nil)
			seed(t, db, 3)
			exec(t, db, setup)
			require.NoError(t, db.Use(m2msafe.New()))
			for range 2 {
				_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(3))
				require.NoError(t, err)
			}
			assert.Equal(t, []string{"9"}, stored(t, db, `SELECT last_value FROM pg_sequences WHERE schemaname = current_schema() AND sequencename IN ('fired', 'article_publications_id_seq')`))
		})
	}
}

func TestLinkPairsRefusesWhatItWouldNotHeed(t *testing.T) {
	db := open(t)
	seed(t, db, 10)
	for name, call := range map[string]func() error{
		"half a key":        func() error { return pairsOf(t, db, 1.5, 1) },
		"octal":             func() error { return pairsOf(t, db, "010", 1) },
		"hexadecimal bytes": func() error { return pairsOf(t, db, 1, []byte("0x1")) },
		"Limit":             func() error { return pairsOf(t, db.Limit(1), 1, 1) },
		"Scopes": func() error {
			return pairsOf(t, db.Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Where("id = 2") }), 1, 1)
		},
		"Off": func() error { return pairsOf(t, m2msafe.With(db, m2msafe.Off()), 1, 1) },
	} {
		require.ErrorIs(t, call(), m2msafe.ErrOption, name)
	}
	require.NoError(t, pairsOf(t, db, "10", []byte("3")))
	require.NoError(t, pairsOf(t, db, 2.0, uint8(3)))
	assert.Equal(t, []string{"2|3", "10|3"}, links(t, db))
}

func pairsOf(t *testing.T, db *gorm.DB, owner, target any) error {
	t.Helper()
	_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", func(yield func(any, any) bool) { yield(owner, target) })
	return err
}
