package m2msafe_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// linkOne links article 1 with a publication.
func linkOne(db *gorm.DB, publication uint) error {
	return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: publication})
}

func TestAPlanThatTheDatabaseProvesWrongIsForgotten(t *testing.T) {
	dsn := pgtest.DSN(t)
	db, book := logged(t, dsn)
	seed(t, db, 3)
	require.NoError(t, linkOne(db, 1))
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)

	err := db.Transaction(func(tx *gorm.DB) error { return linkOne(tx, 2) })
	var failed *m2msafe.LinkError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "42P10", sqlState(err))
	assert.Equal(t, []any{uint(1)}, failed.Owner)
	assert.Empty(t, book.warnings)

	require.NoError(t, linkOne(db, 2), "the plan was kept")
	require.NoError(t, linkOne(db, 2))
	assert.Equal(t, []string{"1|1", "1|2"}, links(t, db))
	if assert.Len(t, book.warnings, 1, "once a relation") {
		assert.Contains(t, book.warnings[0], `CREATE UNIQUE INDEX "idx_article_publications_article_id_publication_id" ON "article_publications" ("article_id", "publication_id")`)
	}

	mend(t, dsn, book)
}

// Outside a transaction nobody need notice.
func TestAPlanThatIsOutOfDateIsMadeAnewByTheSameCall(t *testing.T) {
	db := open(t)
	seed(t, db, 3)
	require.NoError(t, linkOne(db, 1))
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	require.NoError(t, linkOne(db, 2))
	assert.Equal(t, []string{"1|1", "1|2"}, links(t, db))
}

func TestAnErrorAboutRowsKeepsThePlan(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	exec(t, db, `ALTER TABLE article_publications ADD CHECK (publication_id <> 2)`)
	require.NoError(t, linkOne(db, 1))
	rec.take()
	require.ErrorIs(t, linkOne(db, 2), gorm.ErrCheckConstraintViolated)
	require.NoError(t, linkOne(db, 3))
	assert.NotContains(t, kinds(rec.take()), "catalogue")
}

func TestTheCatalogueIsReadOncePerRelation(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	count := func() (n int) {
		for _, kind := range kinds(rec.take()) {
			if kind == "catalogue" {
				n++
			}
		}
		return n
	}
	count()
	require.NoError(t, linkOne(db, 1))
	assert.Equal(t, 4, count(), "what the database is; join table, owner's, target's")
	require.NoError(t, linkOne(db, 2))
	require.NoError(t, linkOne(db.Session(&gorm.Session{NewDB: true, SkipHooks: true}), 2))
	require.NoError(t, linkOne(m2msafe.With(db, m2msafe.ReportTo(new(m2msafe.Report))), 3))
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error { return linkOne(tx, 3) }))
	assert.Zero(t, count())
	require.NoError(t, db.Model(&Publication{ID: 1}).Association("Articles").Append(&Article{ID: 2}))
	assert.Equal(t, 3, count(), "the other side is a relation of its own")
}

func TestFirstUseByManyGoroutinesAtOnce(t *testing.T) {
	db := open(t)
	seed(t, db, 20)
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	var done sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		done.Go(func() { errs[i] = linkOne(db, uint(i/2+1)) })
	}
	done.Wait()
	for _, err := range errs {
		assert.NoError(t, err)
	}
	assert.Len(t, links(t, db), 8)
}

func TestAJoinModelCountsWhetherItIsSetUpBeforeOrAfterUse(t *testing.T) {
	for _, when := range []string{"before", "after", "after the first link"} {
		t.Run(when, func(t *testing.T) {
			db := connect(t, pgtest.DSN(t), nil)
			plugin := m2msafe.New()
			if when != "before" {
				require.NoError(t, db.Use(plugin))
			}
			if when == "after the first link" {
				seed(t, db, 3)
				require.NoError(t, linkOne(db, 1))
				exec(t, db, `DROP TABLE article_publications, articles, publications`)
			}
			joined(&plainNote{})(t, db)
			if when == "before" {
				require.NoError(t, db.Use(plugin))
			}
			require.NoError(t, append32(db))
			require.NoError(t, append32(db))
			assert.Equal(t, []string{"1|2|7|true", "1|3|7|true"},
				stored(t, db, `SELECT article_id, publication_id, rank, created_at IS NOT NULL AS timed FROM article_publications ORDER BY 1, 2`))
		})
	}
}

func TestAJoinTableThatIsNotThereIsNamed(t *testing.T) {
	db := open(t)
	seed(t, db, 1)
	exec(t, db, `DROP TABLE article_publications`)
	err := linkOne(db, 1)
	require.ErrorIs(t, err, m2msafe.ErrNoJoinTable)
	assert.ErrorContains(t, err, "AutoMigrate")
	exec(t, db, `CREATE TABLE article_publications (article_id bigint PRIMARY KEY)`)
	err = linkOne(db, 1)
	require.ErrorIs(t, err, m2msafe.ErrNoJoinTable)
	assert.ErrorContains(t, err, "it has no column publication_id")
	exec(t, db, `ALTER TABLE article_publications ADD COLUMN publication_id bigint`)
	require.NoError(t, linkOne(db, 1), "no plan was made before")
}

func TestWhichKeysCanBeAnArbiter(t *testing.T) {
	for _, c := range []struct {
		ddl     string
		guarded bool
	}{
		{`ADD PRIMARY KEY (article_id, publication_id)`, false},
		{`ADD UNIQUE (publication_id, article_id)`, false},
		{`ADD UNIQUE (publication_id, article_id) INCLUDE (note)`, false},
		{`ADD PRIMARY KEY (note), ADD UNIQUE (article_id, publication_id)`, false},
		{`ADD UNIQUE (article_id)`, true},
		{`ADD UNIQUE (article_id, publication_id, note)`, true},
		{`ADD UNIQUE (article_id, publication_id) DEFERRABLE`, true},
		{`ADD UNIQUE (article_id, publication_id), ADD UNIQUE (publication_id, article_id) DEFERRABLE`, true},
		{`ADD EXCLUDE USING btree (article_id WITH =, publication_id WITH =)`, true},
		{`ADD COLUMN x int; CREATE UNIQUE INDEX ON article_publications (article_id, abs(publication_id))`, true},
		{`ADD COLUMN x int; CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE note IS NULL`, true},
		{`ADD COLUMN x int; CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE article_id > 0`, true},
		{`ADD COLUMN x int; CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE article_id IS NULL`, true},
		{`ADD COLUMN x int; CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE coalesce(publication_id, 0) = 0`, true},
	} {
		t.Run(c.ddl, func(t *testing.T) {
			t.Parallel()
			db, rec := recorded(t, &gorm.Config{})
			seed(t, db, 3)
			exec(t, db, `DROP TABLE article_publications; CREATE TABLE article_publications (article_id bigint, publication_id bigint, note text DEFAULT gen_random_uuid());
				ALTER TABLE article_publications `+c.ddl)
			rec.take()
			require.NoError(t, linkOne(db, 1))
			require.NoError(t, linkOne(db, 1))
			assert.Equal(t, c.guarded, slices.Contains(kinds(rec.take()), "lock"))
			assert.Equal(t, []string{"1|1"}, links(t, db))
		})
	}
}

func TestWithoutAUniqueKeyManyWritersStoreEachLinkOnce(t *testing.T) {
	db := open(t)
	seed(t, db, 4)
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	// Without the lock this leaves duplicates in each of 5 tries here.
	var done sync.WaitGroup
	for w := range 8 {
		done.Go(func() {
			for i := range 40 {
				article, publication := uint(i%4+1), uint(i/4%4+1)
				var err error
				if w%2 == 0 {
					err = db.Model(&Article{ID: article}).Association("Publications").Append(&Publication{ID: publication})
				} else {
					err = db.Model(&Publication{ID: publication}).Association("Articles").Append(&Article{ID: article})
				}
				assert.NoError(t, err)
			}
		})
	}
	done.Wait()
	var want []string
	for i := range 16 {
		want = append(want, fmt.Sprintf("%d|%d", i/4+1, i%4+1))
	}
	assert.Equal(t, want, links(t, db))
}

func TestTheLockIsRefusedWhereTheSnapshotIsOlder(t *testing.T) {
	db := open(t)
	seed(t, db, 3)
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	for level, refused := range map[sql.IsolationLevel]bool{
		sql.LevelReadCommitted: false, sql.LevelRepeatableRead: true, sql.LevelSerializable: true,
	} {
		err := db.Transaction(func(tx *gorm.DB) error {
			err := linkOne(tx, 1)
			require.NoError(t, tx.Exec(`SELECT 1`).Error, "the caller's transaction must go on")
			return err
		}, &sql.TxOptions{Isolation: level})
		if refused {
			require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
			assert.ErrorContains(t, err, "CREATE UNIQUE INDEX")
		} else {
			require.NoError(t, err, level)
		}
	}
	assert.Equal(t, []string{"1|1"}, links(t, db))
}

func TestNoUniqueKeyRefuseWritesNothingAndSaysTheRemedy(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{}, m2msafe.NoUniqueKey(m2msafe.Refuse))
	seed(t, db, 1)
	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	rec.take()
	err := linkOne(db, 1)
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
	assert.ErrorContains(t, err, "CREATE UNIQUE INDEX")
	assert.NotContains(t, kinds(rec.take()), "lock")
	require.NoError(t, linkOne(m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Lock)), 1))
	assert.Equal(t, []string{"1|1"}, links(t, db))
}

func TestADeferrableKeyIsNoReasonToRefuse(t *testing.T) {
	for _, key := range []string{"UNIQUE", "PRIMARY KEY"} {
		dsn := pgtest.DSN(t)
		db, book := logged(t, dsn, m2msafe.NoUniqueKey(m2msafe.Refuse))
		seed(t, db, 1)
		exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey,
			ADD CONSTRAINT late `+key+` (article_id, publication_id) DEFERRABLE`)
		require.NoError(t, linkOne(db, 1))
		require.NoError(t, linkOne(db, 1))
		require.Len(t, book.warnings, 1)
		assert.Contains(t, book.warnings[0], "deferrable")
		mend(t, dsn, book)
	}
}

// logged is a *gorm.DB with the plugin whose warnings are kept.
func logged(t *testing.T, dsn string, opts ...m2msafe.Option) (*gorm.DB, *logbook) {
	t.Helper()
	book := newLogbook()
	db := connect(t, dsn, &gorm.Config{Logger: book})
	require.NoError(t, db.Use(m2msafe.New(opts...)))
	return db, book
}

// mend follows the advice of the one warning, and sees that it helps.
func mend(t *testing.T, dsn string, book *logbook) {
	t.Helper()
	_, ddl, ok := strings.Cut(book.warnings[0], "mend it with: ")
	require.True(t, ok)
	db, again := logged(t, dsn)
	exec(t, db, ddl)
	require.NoError(t, linkOne(db, 1))
	assert.Empty(t, again.warnings)
}
