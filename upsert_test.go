package m2msafe_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Switch has a key of two columns, one of which may well be false.
type Switch struct {
	ID        uint
	Name      string `gorm:"uniqueIndex:switches_state"`
	On        bool   `gorm:"uniqueIndex:switches_state"`
	Label     string `gorm:"default:none"`
	CreatedAt time.Time
}

// Of many callers at once one is told "created", by the one statement too.
func TestAtOnceIsToldCreatedOnceOfManyCallers(t *testing.T) {
	db := open(t)
	require.NoError(t, db.AutoMigrate(&Switch{}))
	for range 20 {
		exec(t, db, `TRUNCATE switches`)
		rows, created := make([]Switch, 8), make([]bool, 8)
		start := make(chan struct{})
		var done sync.WaitGroup
		for i := range rows {
			rows[i] = Switch{Name: "lamp", On: true, Label: string(rune('a' + i))}
			done.Go(func() {
				<-start
				var err error
				created[i], err = m2msafe.GetOrCreate(context.Background(), db, &rows[i])
				assert.NoError(t, err)
			})
		}
		close(start)
		done.Wait()
		n := 0
		for i := range rows {
			assert.NotZero(t, rows[i].ID)
			assert.Equal(t, []any{rows[0].ID, rows[0].Label}, []any{rows[i].ID, rows[i].Label}, "all have the one row")
			if created[i] {
				n++
			}
		}
		assert.Equal(t, 1, n)
	}
}

// The insert meets a row that its snapshot does not show: another transaction's,
// which commits while the statement waits for it.
func TestAtOnceFindsTheRowThatItWaitedFor(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	require.NoError(t, db.AutoMigrate(&Switch{}))
	_, err := m2msafe.GetOrCreate(t.Context(), db, &Switch{Name: "warm", On: true})
	require.NoError(t, err)
	rival := db.Begin()
	require.NoError(t, rival.Exec(`INSERT INTO switches (id, name, "on", label) VALUES (70, 'lamp', true, 'theirs')`).Error)
	rec.take()
	done := make(chan struct{})
	row, created := Switch{Name: "lamp", On: true, Label: "mine"}, true
	go func() {
		defer close(done)
		created, err = m2msafe.GetOrCreate(context.Background(), db, &row)
	}()
	require.Eventually(t, func() bool {
		return stored(t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'WITH m2m_asked%' AND datname = current_database()`)[0] == "1"
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, rival.Commit().Error)
	<-done
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, Switch{ID: 70, Name: "lamp", On: true, Label: "theirs"}, row)
}

// What a new row needs beyond its insert is not left out.
func TestAtOnceGivesWayToGORMsCreate(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	require.NoError(t, db.AutoMigrate(&Switch{}))
	get := func(db *gorm.DB, row *Switch) []string {
		t.Helper()
		_, err := m2msafe.GetOrCreate(t.Context(), db, &Switch{Name: "warm", On: true})
		require.NoError(t, err)
		rec.take()
		created, err := m2msafe.GetOrCreate(t.Context(), db, row)
		require.NoError(t, err)
		require.True(t, created)
		return kinds(rec.take())
	}
	assert.Equal(t, []string{"upsert"}, get(db, &Switch{Name: "plain", On: true}))
	assert.Equal(t, []string{"find", "find", "BEGIN", "INSERT switches"}, get(db, &Switch{ID: 9, Name: "two keys", On: true})[:4])
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		assert.Equal(t, []string{"find", "SAVEPOINT", "INSERT switches"}, get(tx, &Switch{Name: "inside", On: true})[:3])
		return nil
	}))
	require.NoError(t, db.Callback().Create().Before("gorm:create").Register("test:label", func(tx *gorm.DB) {
		tx.Statement.SetColumn("Label", "by a plugin")
	}))
	row := &Switch{Name: "other plugins", On: true}
	assert.Equal(t, []string{"find", "BEGIN", "INSERT switches", "COMMIT"}, get(db, row))
	assert.Equal(t, "by a plugin", row.Label)
}

// False is no value to GORM, and so the key is not complete, unless it is said.
func TestZeroIsAValueInAKeyThatTheAppNames(t *testing.T) {
	db := open(t)
	require.NoError(t, db.AutoMigrate(&Switch{}))
	_, err := m2msafe.GetOrCreate(t.Context(), db, &Switch{Name: "lamp"})
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
	named := m2msafe.NaturalKey(&Switch{}, "Name", "On")
	_, err = m2msafe.GetOrCreate(t.Context(), db, &Switch{}, named)
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey, "nothing but zeros is no key")
	for _, want := range []bool{true, false} {
		row := &Switch{Name: "lamp"}
		created, err := m2msafe.GetOrCreate(t.Context(), db, row, named)
		require.NoError(t, err)
		assert.Equal(t, want, created)
		assert.Equal(t, uint(1), row.ID)
		assert.Equal(t, "none", row.Label)
		assert.False(t, row.CreatedAt.IsZero())
	}
}
