package m2msafe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// asRole has every later statement of db run as a new role with these grants.
// The role is gone when the test ends.
func asRole(t *testing.T, db *gorm.DB, grants ...string) {
	t.Helper()
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1) // SET ROLE is the connection's
	var schema string
	require.NoError(t, db.Raw(`SELECT current_schema()`).Scan(&schema).Error)
	role := "role_of_" + schema
	exec(t, db, `CREATE ROLE `+role)
	t.Cleanup(func() {
		exec(t, db, `RESET ROLE`)
		exec(t, db, `DROP OWNED BY `+role)
		exec(t, db, `DROP ROLE `+role)
	})
	for _, g := range append(grants, "USAGE ON SCHEMA "+schema, "USAGE ON ALL SEQUENCES IN SCHEMA "+schema) {
		exec(t, db, `GRANT `+g+` TO `+role)
	}
	exec(t, db, `SET ROLE `+role)
}

// linkInside links article 1 with publication 2 in a transaction, where the ends
// are locked.
func linkInside(t *testing.T, db *gorm.DB) {
	t.Helper()
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error { return linkOne(tx, 2) }))
}

// sentLink is the link statement that was sent.
func sentLink(t *testing.T, rec *record) string {
	t.Helper()
	for _, s := range rec.take() {
		if kinds([]statement{s})[0] == "link" {
			return s.SQL
		}
	}
	t.Fatal("no link statement was sent")
	return ""
}

func TestARoleThatMayNotLockTheTargetLinksWithoutTheLock(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 2)
	asRole(t, db, "SELECT, UPDATE ON articles", "SELECT ON publications", "SELECT, INSERT ON article_publications")
	rec.take()
	linkInside(t, db)
	sql := sentLink(t, rec)
	assert.Equal(t, 1, strings.Count(sql, "FOR KEY SHARE"), "the owner's alone: %s", sql)
	assert.Contains(t, sql, `FROM "publications"`, "what it may read it looks at")
	assert.Equal(t, []string{"1|2"}, links(t, db))

	err := db.Omit("Publications.*").Updates(&Article{ID: 1, Publications: []Publication{{ID: 9}}}).Error
	require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
}

func TestARoleThatMayUpdateOneColumnMayLock(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 2)
	asRole(t, db, "SELECT, UPDATE (title) ON articles", "SELECT, UPDATE (name) ON publications", "SELECT, INSERT ON article_publications")
	rec.take()
	linkInside(t, db)
	assert.Equal(t, 2, strings.Count(sentLink(t, rec), "FOR KEY SHARE"))
}

// Without an update time the owner is locked in a transaction alone, and where it
// may be.
func TestARoleThatMayNotLockTheOwnerLinksWithoutTheLock(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	asRole(t, db, "SELECT ON articles", "SELECT, UPDATE ON publications", "SELECT, INSERT ON article_publications")
	require.NoError(t, linkOne(db, 1))
	rec.take()
	require.NoError(t, linkOne(db, 3))
	assert.Equal(t, []string{"link"}, kinds(rec.take()))
	linkInside(t, db)
	sql := sentLink(t, rec)
	assert.Equal(t, 1, strings.Count(sql, "FOR KEY SHARE"), "the target's alone: %s", sql)
	assert.Contains(t, sql, `FROM "articles"`, "what it may read it looks at")
	assert.Equal(t, []string{"1|1", "1|2", "1|3"}, links(t, db))

	err := db.Model(&Article{ID: 9}).Association("Publications").Append(&Publication{ID: 1})
	require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
}

// The move of an update time can't be part of the link statement where the
// owner's row can't be locked: GORM's own UPDATE is left to do it, or to say why
// not.
func TestAnOwnerWithAnUpdateTimeThatCannotBeLocked(t *testing.T) {
	add := one(&Timed{ID: 1})
	for _, c := range []struct {
		name, setup, grant string
		call               func(*gorm.DB) error
		want               []string
		state              string // the error's
		outcome            string // the year of the update time, and how many links
	}{
		{name: "the role may update no column", grant: "SELECT", call: add,
			want: []string{"BEGIN", "link", "UPDATE timeds", "ROLLBACK"}, state: "42501", outcome: "2001|0"},
		{name: "the role may update no column, and need not: it is linked", grant: "SELECT", call: add,
			setup: `INSERT INTO timed_publications VALUES (1, 2)`,
			want:  []string{"BEGIN", "link", "COMMIT"}, outcome: "2001|1"},
		{name: "the role may update no column, and need not: the time is omitted", grant: "SELECT",
			call: func(db *gorm.DB) error { return add(db.Omit("UpdatedAt")) },
			want: []string{"BEGIN", "link", "COMMIT"}, outcome: "2001|1"},
		{name: "the role may update that column", grant: "SELECT, UPDATE (updated_at)", call: add,
			want: []string{"link"}, outcome: "2016|1"},
		{name: "the owner is a view", grant: "SELECT, UPDATE", call: add,
			setup: `ALTER TABLE timeds RENAME TO kept; CREATE VIEW timeds AS SELECT * FROM kept`,
			want:  []string{"BEGIN", "link", "UPDATE timeds", "COMMIT"}, outcome: "2016|1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, rec := recorded(t, &gorm.Config{})
			seed(t, db, 3)
			require.NoError(t, db.AutoMigrate(&Timed{}))
			exec(t, db, `INSERT INTO timeds VALUES (1, '2001-01-01')`)
			if c.setup != "" {
				exec(t, db, c.setup)
			}
			asRole(t, db, c.grant+" ON timeds", "SELECT ON publications", "SELECT, INSERT ON timed_publications")
			rec.take()
			err := c.call(db)
			assert.Equal(t, c.want, withoutPlan(rec.take()))
			assert.Equal(t, c.state, sqlState(err), "%v", err)
			assert.Equal(t, c.state == "", err == nil)
			assert.Equal(t, []string{c.outcome}, stored(t, db, `SELECT extract(year FROM updated_at), (SELECT count(*) FROM timed_publications) FROM timeds`))
		})
	}
}

// withoutPlan is what was sent beside the reading of the catalogue.
func withoutPlan(sent []statement) []string {
	return slices.DeleteFunc(kinds(sent), func(kind string) bool { return kind == "catalogue" })
}

func TestARoleThatMayNotReadTheTargetGoesThroughGORMsCreate(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 2)
	// GORM's create returns the id, for which a column's privilege does.
	asRole(t, db, "SELECT, UPDATE ON articles", "INSERT, SELECT (id) ON publications", "SELECT, INSERT ON article_publications")
	rec.take()
	require.NoError(t, linkOne(db, 2), "a stored one")
	sent := rec.take()
	assert.Equal(t, []string{"BEGIN", "INSERT publications", "link", "COMMIT"}, withoutPlan(sent))
	for _, s := range sent {
		assert.NotContains(t, s.SQL, "m2m_targets")
	}
	require.NoError(t, linkOne(db, 7), "a new one")
	assert.Equal(t, []string{"BEGIN", "INSERT publications", "link", "COMMIT"}, kinds(rec.take()))
	assert.Equal(t, []string{"1|2", "1|7"}, links(t, db))

	err := db.Omit("Publications.*").Updates(&Article{ID: 1, Publications: []Publication{{ID: 9}}}).Error
	require.ErrorIs(t, err, gorm.ErrForeignKeyViolated, "nobody could look: the foreign key does")
	assert.Equal(t, "23503", sqlState(err))
}

// Nothing at all may be done with the targets: they can be linked by their keys,
// where the call leaves GORM's create out.
func TestARoleWithoutAnyPrivilegeOnTheTargetLinksByKeys(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 2)
	asRole(t, db, "SELECT, UPDATE ON articles", "SELECT, INSERT ON article_publications")
	rec.take()
	err := linkOne(db, 2)
	assert.Equal(t, []string{"BEGIN", "INSERT publications", "ROLLBACK"}, withoutPlan(rec.take()))
	assert.Equal(t, "42501", sqlState(err), "%v", err)
	assert.Empty(t, links(t, db))

	rec.take()
	require.NoError(t, linkOne(db.Omit("Publications.*"), 2))
	assert.Equal(t, []string{"BEGIN", "link", "COMMIT"}, kinds(rec.take()))
	err = linkOne(db.Omit("Publications.*"), 9)
	assert.Equal(t, []string{"BEGIN", "link", "ROLLBACK"}, kinds(rec.take()))
	require.ErrorIs(t, err, gorm.ErrForeignKeyViolated)
	assert.Equal(t, []string{"1|2"}, links(t, db))
}

func TestRowLevelSecurityOnTheTarget(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	exec(t, db, `ALTER TABLE publications ENABLE ROW LEVEL SECURITY`)
	exec(t, db, `CREATE POLICY seen ON publications FOR SELECT USING (id <> 3)`)
	exec(t, db, `CREATE POLICY made ON publications FOR INSERT WITH CHECK (true)`)
	asRole(t, db, "SELECT, UPDATE ON articles", "SELECT, INSERT, UPDATE ON publications", "SELECT, INSERT ON article_publications")
	rec.take()
	require.NoError(t, linkOne(db, 2))
	for _, s := range rec.take() {
		assert.NotContains(t, s.SQL, `FROM "publications"`, "what it can't all see it must not judge by")
	}
	err := db.Omit("Publications.*").Updates(&Article{ID: 1, Publications: []Publication{{ID: 3}}}).Error
	require.NoError(t, err, "stored, though the role can't see it")
	assert.Equal(t, []string{"1|2", "1|3"}, links(t, db))
}

func TestRowLevelSecurityDoesNotConcernItsTablesOwner(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 2)
	exec(t, db, `ALTER TABLE publications ENABLE ROW LEVEL SECURITY`)
	rec.take()
	require.NoError(t, linkOne(db, 2))
	assert.Contains(t, sentLink(t, rec), `FROM "publications"`)
}

func TestARoleThatMayNotWriteTheJoinTableIsTold(t *testing.T) {
	db, _ := recorded(t, &gorm.Config{})
	seed(t, db, 2)
	asRole(t, db, "SELECT ON articles, publications, article_publications")
	err := linkOne(db, 2)
	var failed *m2msafe.LinkError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "42501", sqlState(err))
	assert.Nil(t, failed.Err)
}
