package m2msafe_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

func appendMaps(db *gorm.DB, story *Story, maps ...any) error {
	return db.Model(story).Association("Topics").Append(maps...)
}

func TestMapsFindWhatIsStored(t *testing.T) {
	for name, values := range map[string][]any{
		"one by one":     {map[string]any{"name": "go"}, map[string]any{"name": "new", "note": "mine"}, map[string]any{"name": "sql"}},
		"a slice":        {[]map[string]any{{"name": "go"}, {"name": "new", "note": "mine"}, {"name": "sql"}}},
		"by field":       {map[string]any{"Name": "go"}, map[string]any{"name": "new", "note": "mine"}, map[string]any{"Name": "sql"}},
		"and by a model": {map[string]any{"name": "go"}, map[string]any{"name": "new", "note": "mine"}, &Topic{Name: "sql"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			topics(t, db, "go", "sql")
			story := &Story{ID: 1}
			require.NoError(t, appendMaps(db, story, values...))
			require.Len(t, story.Topics, 3)
			for i, name := range []string{"go", "new", "sql"} {
				assert.Equal(t, name, story.Topics[i].Name)
				assert.Equal(t, idOf(t, db, name), story.Topics[i].ID)
			}
			assert.Equal(t, "stored", story.Topics[0].Note, "the stored row is loaded")
			assert.Equal(t, []string{"1|go", "1|new", "1|sql"}, topicLinks(t, db))
			assert.Equal(t, []string{"go|stored", "new|mine", "sql|stored"}, stored(t, db, `SELECT name, note FROM topics ORDER BY 1`))
		})
	}
}

func TestAMapOfAStoredRowIsNotInserted(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	topics(t, db, "go")
	require.NoError(t, appendMaps(db, &Story{ID: 1}, map[string]any{"name": "go"}))
	rec.take()
	values := map[string]any{"name": "go", "note": "mine"}
	require.NoError(t, appendMaps(db, &Story{ID: 2}, values))
	assert.Equal(t, []string{"BEGIN", "find", "COMMIT", "link"}, kinds(rec.take()))
	assert.Equal(t, map[string]any{"id": uint(1), "name": "go", "note": "stored"}, values, "the row stands in the map")

	values = map[string]any{"name": "go", "note": "mine"}
	require.NoError(t, appendMaps(m2msafe.With(db, m2msafe.KeysOnly()), &Story{ID: 3}, values))
	assert.Equal(t, map[string]any{"id": uint(1), "name": "go", "note": "mine"}, values)
}

func TestAReplaceByMapsKeepsWhatIsStored(t *testing.T) {
	db := open(t)
	topics(t, db, "go", "sql")
	require.NoError(t, appendMaps(db, &Story{ID: 1}, map[string]any{"name": "go"}))
	require.NoError(t, db.Model(&Story{ID: 1}).Association("Topics").Replace(map[string]any{"name": "sql"}, map[string]any{"name": "new"}))
	assert.Equal(t, []string{"1|new", "1|sql"}, topicLinks(t, db))
}

func TestWritersOfTheSameMapsEndWithOneRowEach(t *testing.T) {
	db := open(t)
	topics(t, db)
	stories, errs := make([]Story, 8), make([]error, 8)
	var done sync.WaitGroup
	for w := range stories {
		stories[w].ID = uint(w + 1)
		done.Go(func() {
			for _, name := range []string{"a", "b", "c", "d"} {
				errs[w] = errors.Join(errs[w], appendMaps(db, &stories[w], map[string]any{"name": name}))
			}
		})
	}
	done.Wait()
	for w, story := range stories {
		require.NoError(t, errs[w])
		require.Len(t, story.Topics, 4)
		for _, topic := range story.Topics {
			assert.Equal(t, idOf(t, db, topic.Name), topic.ID)
		}
	}
	assert.Len(t, topicLinks(t, db), 32)
}

func TestAMapThatAnotherWriterInsertsMeanwhile(t *testing.T) {
	db := open(t)
	topics(t, db)
	require.NoError(t, db.Callback().Create().Before("gorm:create").After("m2msafe:find_map").Register("test:rival", func(tx *gorm.DB) {
		if _, ok := tx.Statement.Dest.(map[string]any); ok {
			_ = tx.AddError(db.Exec(`INSERT INTO topics (name, note) VALUES ('raced', 'theirs')`).Error)
		}
	}))
	story := &Story{ID: 1}
	require.NoError(t, appendMaps(db, story, map[string]any{"name": "raced", "note": "mine"}))
	require.Len(t, story.Topics, 1)
	assert.Equal(t, Topic{ID: idOf(t, db, "raced"), Name: "raced", Note: "theirs"}, *story.Topics[0])
	assert.Equal(t, []string{"1|raced"}, topicLinks(t, db))
}

func TestAPlainCreateOfAMapFailsOnADuplicateAsEver(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	err := db.Model(&Topic{}).Create(map[string]any{"name": "go"}).Error
	assert.Equal(t, "23505", sqlState(err))
	require.NoError(t, db.Model(&Topic{}).Create(map[string]any{"name": "new"}).Error)
	err = appendMaps(m2msafe.With(db, m2msafe.Off()), &Story{ID: 1}, map[string]any{"name": "go"})
	assert.Equal(t, "23505", sqlState(err), "Off leaves maps to stock GORM")
}

func TestMapsInTheCallersTransaction(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	rolledBack := errors.New("rolled back by the caller")
	err := db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, appendMaps(tx, &Story{ID: 1}, map[string]any{"name": "go"}, map[string]any{"name": "new"}))
		assert.Equal(t, []string{"1|go", "1|new"}, topicLinks(t, tx))
		return rolledBack
	})
	require.ErrorIs(t, err, rolledBack)
	assert.Empty(t, topicLinks(t, db))
	assert.Equal(t, []string{"go"}, stored(t, db, `SELECT name FROM topics`))
}

// A map that the database refuses is an error, and the transaction goes on.
func TestAMapThatFailsLeavesTheCallersTransactionAlone(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	exec(t, db, `ALTER TABLE topics ADD CHECK (note <> 'bad')`)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		err := appendMaps(tx, &Story{ID: 1}, map[string]any{"name": "new", "note": "bad"})
		assert.Equal(t, "23514", sqlState(err))
		return appendMaps(tx, &Story{ID: 1}, map[string]any{"name": "new", "note": "good"})
	}))
	assert.Equal(t, []string{"1|new"}, topicLinks(t, db))
}

// A map says which columns it has: false and "" are values.
func TestZeroIsAValueInAMap(t *testing.T) {
	db := open(t)
	topics(t, db)
	exec(t, db, `CREATE UNIQUE INDEX topics_both ON topics (name, note)`)
	exec(t, db, `DROP INDEX idx_topics_name`)
	for range 2 {
		require.NoError(t, appendMaps(db, &Story{ID: 1}, map[string]any{"name": "go", "note": ""}))
	}
	assert.Equal(t, []string{"1|go"}, topicLinks(t, db))
	assert.Equal(t, []string{"1"}, stored(t, db, `SELECT count(*) FROM topics`))
}

func TestMapsOfSoftDeletedRows(t *testing.T) {
	db := open(t)
	shops(t, db)
	call := func(db *gorm.DB) error {
		return db.Model(&Shop{ID: 1}).Association("Wares").Append(map[string]any{"code": "dead"})
	}
	require.ErrorIs(t, call(db), m2msafe.ErrDeletedTarget)
	require.NoError(t, call(m2msafe.With(db, m2msafe.DeletedTargets(m2msafe.Revive))))
	assert.Equal(t, []string{"1|true"}, stored(t, db, `SELECT ware_id, deleted_at IS NULL AS living FROM shop_wares JOIN wares ON wares.id = ware_id`))
}

func TestDryRunOfMapsWritesNothing(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	require.NoError(t, appendMaps(db.Session(&gorm.Session{DryRun: true}), &Story{ID: 1}, map[string]any{"name": "go"}, map[string]any{"name": "new"}))
	assert.Empty(t, topicLinks(t, db))
	assert.Equal(t, []string{"1"}, stored(t, db, `SELECT count(*) FROM topics`))
}
