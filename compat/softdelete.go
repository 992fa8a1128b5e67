package compat

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
	"gorm.io/plugin/soft_delete"

	"github.com/m2msafe/m2msafe"
)

// PairedLink is what the join models of softDeletes have in common.
type PairedLink struct {
	ArticleID     uint `gorm:"primaryKey"`
	PublicationID uint `gorm:"primaryKey"`
	Note          string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// TableName puts them where the relation looks.
func (PairedLink) TableName(n schema.Namer) string { return pairTable(n) }

// NumberedLink is the same with an id of its own, and no unique key.
type NumberedLink struct {
	ID            uint
	ArticleID     uint
	PublicationID uint
	Note          string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// TableName puts it where the relation looks.
func (NumberedLink) TableName(n schema.Namer) string { return pairTable(n) }

// softDeletes have a primary key on the pair: a dead row stands in the way of a
// new one.
var softDeletes = []behaviour{
	{"revived: gorm.DeletedAt", revived("deleted_at", &struct {
		PairedLink
		DeletedAt gorm.DeletedAt
	}{})},
	{"revived: gorm.DeletedAt with a zero value", revived("deleted_at", &struct {
		PairedLink
		DeletedAt gorm.DeletedAt `gorm:"default:'1970-01-01 00:00:01';zeroValue:1970-01-01 00:00:01"`
	}{})},
	{"revived: a column by another name", revived(`"Gone Since"`, &struct {
		PairedLink
		Gone gorm.DeletedAt `gorm:"column:Gone Since;index"`
	}{})},
	{"revived: soft_delete in seconds", revived("deleted_at", &struct {
		PairedLink
		DeletedAt soft_delete.DeletedAt
	}{})},
	{"revived: soft_delete in milliseconds", revived("deleted_at", &struct {
		PairedLink
		DeletedAt soft_delete.DeletedAt `gorm:"softDelete:milli"`
	}{})},
	{"revived: soft_delete in nanoseconds", revived("deleted_at", &struct {
		PairedLink
		DeletedAt soft_delete.DeletedAt `gorm:"softDelete:nano"`
	}{})},
	{"revived: soft_delete with NULL for living rows", revived("deleted_at", &struct {
		PairedLink
		DeletedAt soft_delete.DeletedAt `gorm:"default:null"`
	}{})},
	{"revived: a key of all rows beside one of the living", revived("deleted_at", &struct {
		NumberedLink
		DeletedAt gorm.DeletedAt
	}{}, `CREATE UNIQUE INDEX a_living ON article_publications (article_id, publication_id) WHERE deleted_at IS NULL`,
		`CREATE UNIQUE INDEX b_all ON article_publications (publication_id, article_id)`)},
	{"revived: soft_delete as a flag", revived("is_del", &struct {
		PairedLink
		IsDel soft_delete.DeletedAt `gorm:"softDelete:flag"`
	}{})},
	{"revived: soft_delete as a flag and a time", revived("is_del, deleted_at", &struct {
		PairedLink
		DeletedAt *time.Time
		IsDel     soft_delete.DeletedAt `gorm:"softDelete:flag,DeletedAtField:DeletedAt"`
	}{})},
	{"revived: soft_delete as a flag and a number", revived("is_del, deleted_at", &struct {
		PairedLink
		DeletedAt int64
		IsDel     soft_delete.DeletedAt `gorm:"softDelete:flag,DeletedAtField:DeletedAt,DeletedAtFieldUnit:milli"`
	}{})},
	{"revived: hooks do not run", revivedWithHooks},
	{"revived: a required column keeps its value", revivedRequired},
	{"revived: a surrogate id", revived("deleted_at", &struct {
		NumberedLink
		DeletedAt gorm.DeletedAt
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (publication_id, article_id)`)},
}

// hookedSoftLink has hooks, and a column that they fill.
type hookedSoftLink struct {
	PairedLink
	Reason    *string `gorm:"not null"`
	DeletedAt gorm.DeletedAt
}

func (l *hookedSoftLink) BeforeCreate(tx *gorm.DB) error {
	l.Reason = new(string)
	return told(tx, "BeforeCreate")
}

// A revived row is not a new one. Stock GORM leaves it dead, and runs the hooks.
func revivedWithHooks(t *testing.T, e Engine) {
	db, log := softly(t, e, &hookedSoftLink{}, nil), new(hooklog)
	require.NoError(t, link(db, 1, 1, 2))
	exec(t, db, `UPDATE article_publications SET reason = 'kept'`)
	unlink(t, db, &hookedSoftLink{}, 1)
	require.NoError(t, link(log.on(db), 1, 1, 2, 3))
	require.Equal(t, []string{"BeforeCreate"}, log.calls)
	require.Equal(t, []string{"1|kept|<nil>", "2|kept|<nil>", "3||<nil>"},
		rows(t, db, `SELECT publication_id, reason, deleted_at FROM article_publications ORDER BY 1`))
}

// Stock GORM has no Through, and leaves the row dead.
func revivedRequired(t *testing.T, e Engine) {
	db, reason := softly(t, e, &hookedSoftLink{}, nil).Session(&gorm.Session{SkipHooks: true}), "because"
	require.NoError(t, link(m2msafe.With(db, m2msafe.Through(&hookedSoftLink{Reason: &reason})), 1, 1))
	unlink(t, db, &hookedSoftLink{}, 1)
	require.NoError(t, link(db, 1, 1))
	require.Error(t, link(db, 1, 1, 2))
	require.Equal(t, []string{"1|because|<nil>"}, rows(t, db, `SELECT publication_id, reason, deleted_at FROM article_publications`))
}

// softly is a seeded database with a join model of both sides.
func softly(t *testing.T, e Engine, model any, ddl []string, opts ...m2msafe.Option) *gorm.DB {
	t.Helper()
	db := e.DB(t, opts...)
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", model))
	require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", model))
	seed(t, db)
	for _, statement := range ddl {
		exec(t, db, statement)
	}
	return db
}

// unlink deletes a link of article 1 softly, through GORM.
func unlink(t *testing.T, db *gorm.DB, model any, publication uint) {
	t.Helper()
	before := living(t, db, model)
	require.NoError(t, db.Model(&Article{ID: 1}).Association("Publications").Delete(&Publication{ID: publication}))
	require.Equal(t, before-1, living(t, db, model))
}

// living counts the links of article 1 as GORM sees them: by the join model,
// because Association().Count() fails on PostgreSQL where the model's condition
// has a value (GORM puts $1 into a text that takes ?).
func living(t *testing.T, db *gorm.DB, model any) (n int64) {
	t.Helper()
	require.NoError(t, db.Model(model).Where("article_id = 1").Count(&n).Error)
	return n
}

// revived deletes a link and appends it. deleted are the columns that say so.
// Stock GORM leaves the row dead, without an error.
func revived(deleted string, model any, ddl ...string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db := softly(t, e, model, ddl, m2msafe.NoUniqueKey(m2msafe.Refuse))
		require.NoError(t, link(db, 1, 1, 2))
		exec(t, db, `UPDATE article_publications SET note = 'kept', created_at = ?, updated_at = ?`, past, past)
		row := func(columns string, publication uint) string {
			t.Helper()
			return one(t, db, `SELECT `+columns+` FROM article_publications WHERE article_id = 1 AND publication_id = ?`, publication)
		}
		kept, moved, other := row("note, created_at", 1), row("updated_at", 1), row("*", 2)
		fresh := row(deleted, 1)
		unlink(t, db, model, 1)
		require.NotEqual(t, fresh, row(deleted, 1))

		require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
			require.NoError(t, link(tx, 1, 1))
			return errHook
		}), errHook)
		require.NotEqual(t, fresh, row(deleted, 1))

		require.NoError(t, link(m2msafe.With(db, m2msafe.Through(map[string]any{"note": "new"})), 1, 3, 1, 2))
		require.Equal(t, []string{"1|1", "1|2", "1|3"}, linked(t, db))
		require.Equal(t, "new", row("note", 3))
		require.EqualValues(t, 3, living(t, db, model))
		require.Equal(t, fresh, row(deleted, 1))
		require.Equal(t, fresh, row(deleted, 3))
		require.Equal(t, kept, row("note, created_at", 1))
		require.NotEqual(t, moved, row("updated_at", 1))
		require.Equal(t, other, row("*", 2))

		again := row("*", 1)
		require.NoError(t, link(db, 1, 1))
		require.Equal(t, again, row("*", 1))

		unlink(t, db, model, 1)
		require.NoError(t, db.Model(&Publication{ID: 1}).Association("Articles").Append(&Article{ID: 1}))
		require.Equal(t, fresh, row(deleted, 1))

		unlink(t, db, model, 1)
		dead := row("*", 1)
		refusing := m2msafe.With(db, m2msafe.DeletedLinks(m2msafe.Refuse))
		require.ErrorIs(t, link(refusing, 1, 2, 1, 4), m2msafe.ErrDeletedLink)
		require.NoError(t, refusing.Transaction(func(tx *gorm.DB) error {
			require.ErrorIs(t, link(tx, 1, 4, 1), m2msafe.ErrDeletedLink)
			require.NoError(t, link(tx, 1, 2, 3))
			return link(tx, 2, 1)
		}))
		require.Equal(t, dead, row("*", 1))
		require.Equal(t, []string{"1|1", "1|2", "1|3", "2|1"}, linked(t, db))
	}
}

// livingKeys are unique keys that cover living rows only, or not even those.
var livingKeys = []behaviour{
	{"history: a partial index on rows without a time", history(true, &struct {
		NumberedLink
		DeletedAt gorm.DeletedAt
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id) WHERE deleted_at IS NULL`)},
	{"history: a partial index on rows without a number", history(true, &struct {
		NumberedLink
		DeletedAt soft_delete.DeletedAt `gorm:"softDelete:nano"`
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (publication_id, article_id) WHERE deleted_at = 0`)},
	{"history: a partial index on rows without a flag", history(true, &struct {
		NumberedLink
		IsDel soft_delete.DeletedAt `gorm:"softDelete:flag"`
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id) WHERE (is_del = 0)`)},
	{"history: a partial index on a column by another name", history(true, &struct {
		NumberedLink
		Gone gorm.DeletedAt `gorm:"column:Gone Since"`
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id) WHERE "Gone Since" IS NULL`)},
	{"history: a partial index on rows with the zero value", history(true, &struct {
		NumberedLink
		DeletedAt gorm.DeletedAt `gorm:"default:'1970-01-01 00:00:01';zeroValue:1970-01-01 00:00:01"`
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id) WHERE deleted_at = '1970-01-01 00:00:01'`)},
	{"history: a unique key with the time of deletion in it", history(true, &struct {
		NumberedLink
		DeletedAt soft_delete.DeletedAt `gorm:"softDelete:nano"`
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id, deleted_at)`)},
	{"history: a unique key with the time of deletion in front", history(true, &struct {
		NumberedLink
		DeletedAt soft_delete.DeletedAt `gorm:"softDelete:nano"`
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (deleted_at, publication_id, article_id)`)},
	{"history: a unique key in which living rows are all different", history(false, &struct {
		NumberedLink
		DeletedAt gorm.DeletedAt
	}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id, deleted_at)`)},
	{"history: a unique key with NULLS NOT DISTINCT", func(t *testing.T, e Engine) {
		can(t, e, "PostgreSQL has NULLS NOT DISTINCT alone")
		history(true, &struct {
			NumberedLink
			DeletedAt gorm.DeletedAt
		}{}, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id, deleted_at) NULLS NOT DISTINCT`)(t, e)
	}},
}

// history deletes a link and appends it, twice, where dead rows take nothing:
// each time a new row comes to life, and the dead ones stay. Stock GORM does
// the same, save where living rows are all different.
func history(keyed bool, model any, ddl ...string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		for name, policy := range map[string]m2msafe.Policy{"reviving": m2msafe.Revive, "refusing": m2msafe.Refuse} {
			t.Run(name, func(t *testing.T) {
				opts := []m2msafe.Option{m2msafe.DeletedLinks(policy)}
				if keyed {
					opts = append(opts, m2msafe.NoUniqueKey(m2msafe.Refuse))
				}
				db := softly(t, e, model, ddl, opts...)
				if strings.Contains(ddl[0], " WHERE ") {
					predicates(t, db)
				}
				if !keyed && !takesTurns(t, db) {
					return
				}
				const all = `SELECT * FROM article_publications WHERE article_id = 1 AND publication_id = 1 ORDER BY id`
				require.NoError(t, link(db, 1, 1, 2))
				var dead []string
				for range 2 {
					unlink(t, db, model, 1)
					dead = rows(t, db, all)
					for range 2 {
						require.NoError(t, link(db, 1, 3, 1, 2))
					}
					after := rows(t, db, all)
					require.Len(t, after, len(dead)+1)
					require.Equal(t, dead, after[:len(dead)])
					require.EqualValues(t, 3, living(t, db, model))
				}
			})
		}
	}
}
