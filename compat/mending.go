package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/soft_delete"

	"github.com/m2msafe/m2msafe"
)

// mendings run the DDL of the warning about a missing unique key.
var mendings = []behaviour{
	{"the warning's DDL mends the table", mended(&NumberedLink{})},
	{"the warning's DDL mends a deferrable constraint", func(t *testing.T, e Engine) {
		can(t, e, "PostgreSQL has deferrable unique constraints alone")
		mended(&NumberedLink{}, `ALTER TABLE article_publications ADD CONSTRAINT pair UNIQUE (article_id, publication_id) DEFERRABLE`)(t, e)
	}},
	{"the warning's DDL mends a deferrable constraint of a hostile name", func(t *testing.T, e Engine) {
		can(t, e, "PostgreSQL has deferrable unique constraints alone")
		mended(&NumberedLink{}, `ALTER TABLE article_publications ADD CONSTRAINT "a.b""; DROP TABLE articles; --" UNIQUE (article_id, publication_id) DEFERRABLE`)(t, e)
	}},
	{"the warning's DDL mends soft delete by NULL", mended(&struct {
		NumberedLink
		DeletedAt gorm.DeletedAt
	}{})},
	{"the warning's DDL mends soft delete by a zero value", mended(&struct {
		NumberedLink
		DeletedAt gorm.DeletedAt `gorm:"default:'1970-01-01 00:00:01';zeroValue:1970-01-01 00:00:01"`
	}{})},
	{"the warning's DDL mends soft delete by a number", mended(&struct {
		NumberedLink
		DeletedAt soft_delete.DeletedAt
	}{})},
	{"the warning's DDL mends soft delete by a flag and a time", mended(&struct {
		NumberedLink
		DeletedAt int64
		Gone      soft_delete.DeletedAt `gorm:"column:is Gone;softDelete:flag,DeletedAtField:DeletedAt"`
	}{})},
}

// mended links on a table without a unique key, does what the warning says, and
// links through a new *gorm.DB that would refuse such a table. Stock GORM stores
// links again, and says nothing.
func mended(model any, ddl ...string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		log, after := new(logbook), new(logbook)
		db := e.With(t, &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Warn})})
		require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", model))
		require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", model))
		seed(t, db)
		for _, statement := range ddl {
			exec(t, db, statement)
		}
		first := link(db, 1, 1, 2)
		raw(t, db, advised(t, db, log, first))
		require.LessOrEqual(t, len(log.lines), 1)

		again := e.With(t, &gorm.Config{Logger: logger.New(after, logger.Config{LogLevel: logger.Warn})}, m2msafe.NoUniqueKey(m2msafe.Refuse))
		require.NoError(t, again.SetupJoinTable(&Article{}, "Publications", model))
		require.NoError(t, link(again, 1, 1, 2, 3))
		unlink(t, again, model, 1)
		require.NoError(t, link(again, 1, 3, 1))
		require.EqualValues(t, 3, living(t, again, model))
		require.Empty(t, after.lines)
	}
}
