package m2msafe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// A transaction that has locked one end of a link, as it does to change a unique
// column of it, makes the same link while somebody else is about to. Were the join
// row in before the ends are locked, each would wait for the other (40P01).
func TestWhoHasLockedAnEndCanLinkIt(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, db *gorm.DB) error{
		"Append of one": func(_ *testing.T, db *gorm.DB) error { return linkOne(db, 2) },
		"Append of some": func(_ *testing.T, db *gorm.DB) error {
			return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1}, &Publication{ID: 2}, &Publication{ID: 3})
		},
		"LinkPairs": func(t *testing.T, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", square(3))
			return err
		},
	} {
		for _, end := range []string{"articles WHERE id = 1", "publications WHERE id = 2"} {
			t.Run(name+" and a lock of "+end, func(t *testing.T) {
				db := open(t)
				seed(t, db, 3)
				require.NoError(t, db.Model(&Article{ID: 3}).Association("Publications").Append(&Publication{ID: 3})) // the plan is made
				other := make(chan error, 1)
				require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
					exec(t, tx, "SELECT FROM "+end+" FOR UPDATE")
					go func() { other <- call(t, db) }()
					require.Eventually(t, func() bool {
						return stored(t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = current_setting('application_name')`)[0] == "1"
					}, 10*time.Second, time.Millisecond)
					started := time.Now()
					err := linkOne(tx, 2)
					assert.Less(t, time.Since(started), 900*time.Millisecond, "it has waited for the deadlock to be found")
					return err
				}))
				require.NoError(t, <-other)
				assert.Contains(t, links(t, db), "1|2")
			})
		}
	}
}

// What the database would say again is not asked for again.
func TestAnErrorOfTheStatementIsFinal(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	require.NoError(t, linkOne(db, 1))
	exec(t, db, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON article_publications FOR EACH ROW EXECUTE FUNCTION refuse()`)
	rec.take()
	for range 2 {
		require.ErrorContains(t, linkOne(db, 2), "no")
		assert.Equal(t, []string{"link"}, kinds(rec.take()))
	}
	require.ErrorContains(t, pairsOf(t, db, 1, 2), "no")
	assert.Equal(t, []string{"link"}, kinds(rec.take()))
}

// The owner's update time is a living owner's, unless the call is Unscoped.
func TestASoftDeletedOwnerIsNotTouched(t *testing.T) {
	type Grave struct {
		ID           uint
		UpdatedAt    time.Time
		DeletedAt    gorm.DeletedAt
		Publications []Publication `gorm:"many2many:grave_publications"`
	}
	db := open(t)
	seed(t, db, 6)
	require.NoError(t, db.AutoMigrate(&Grave{}))
	exec(t, db, `INSERT INTO graves VALUES (1, '2001-01-01', now())`)
	year := func() []string { return stored(t, db, `SELECT extract(year FROM updated_at) FROM graves`) }
	add := func(db *gorm.DB, ids ...uint) {
		var to []Publication
		for _, id := range ids {
			to = append(to, Publication{ID: id})
		}
		require.NoError(t, db.Model(&Grave{ID: 1}).Association("Publications").Append(to))
	}
	add(db, 1)
	add(db, 2, 3)
	assert.Equal(t, []string{"2001"}, year())
	add(db.Unscoped(), 4)
	assert.NotEqual(t, []string{"2001"}, year())
	exec(t, db, `UPDATE graves SET updated_at = '2001-01-01'`)
	add(db.Unscoped(), 5, 6)
	assert.NotEqual(t, []string{"2001"}, year())
	assert.Len(t, stored(t, db, `SELECT * FROM grave_publications`), 6)
}
