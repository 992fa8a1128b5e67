package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Stock GORM stores the link again.
func droppedKey(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (id {id}, {pair})`,
		`CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id)`)
	require.NoError(t, link(db, 1, 1))
	exec(t, db, `CREATE INDEX other ON article_publications (article_id)`) // InnoDB wants one for the foreign key
	dropIndex(t, db, "pair", "article_publications")
	_ = link(db, 1, 2) // may fail: it finds out, and the next call knows
	if !takesTurns(t, db) {
		return
	}
	linkInTurns(t, db)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error { return link(tx, 2, 3, 4) }))
	require.Len(t, linked(t, db), 5)
}

// Stock GORM passes this too, from the index on.
func addedKey(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (id {id}, {pair})`)
	if takesTurns(t, db) {
		require.NoError(t, link(db, 1, 1))
	}
	exec(t, db, `CREATE UNIQUE INDEX pair ON article_publications (publication_id, article_id)`)
	linkInTurns(t, db)
}

// Stock GORM refuses no table.
func refusedThenKeyed(t *testing.T, e Engine) {
	db := seed(t, e.DB(t, m2msafe.NoUniqueKey(m2msafe.Refuse)), `CREATE TABLE article_publications (id {id}, {pair})`)
	require.ErrorIs(t, link(db, 1, 1), m2msafe.ErrNoUniqueKey)
	exec(t, db, `CREATE UNIQUE INDEX pair ON article_publications (publication_id, article_id)`)
	linkInTurns(t, db)
}
