package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

var conflicts = []behaviour{
	{"a conflict on another unique key is raised", raised(violation{
		ddl:      []string{`CREATE TABLE article_publications ({pair}, seat bigint NOT NULL DEFAULT 7, PRIMARY KEY (article_id, publication_id), UNIQUE (seat))`},
		sentinel: gorm.ErrDuplicatedKey,
	})},
	{"a conflict on a unique index beside the pair's is raised", raised(violation{
		ddl: []string{
			`CREATE TABLE article_publications (id {id}, {pair}, seat bigint NOT NULL DEFAULT 7, UNIQUE (publication_id, article_id))`,
			`CREATE UNIQUE INDEX one_seat ON article_publications (seat, article_id)`,
		},
		sentinel: gorm.ErrDuplicatedKey,
	})},
	{"a conflict on the row's own key is raised", raised(violation{
		ddl:      []string{`CREATE TABLE article_publications (id bigint DEFAULT 7 PRIMARY KEY, {pair}, UNIQUE (article_id, publication_id))`},
		sentinel: gorm.ErrDuplicatedKey,
	})},
	{"a conflict on a counted key that Through gives is raised", raised(violation{
		ddl: []string{
			`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (article_id, publication_id))`,
			`INSERT INTO article_publications (id, article_id, publication_id) VALUES (7, 1, 1)`,
		},
		with:     m2msafe.Through(map[string]any{"id": 7}),
		sentinel: gorm.ErrDuplicatedKey,
	})},
	{"a CHECK is raised", raised(violation{
		ddl:      []string{`CREATE TABLE article_publications ({pair}, PRIMARY KEY (article_id, publication_id), CHECK (publication_id <> 3))`},
		sentinel: gorm.ErrCheckConstraintViolated, untranslated: "sqlite",
	})},
	{"a foreign key to a third table is raised", raised(violation{
		ddl: []string{
			`CREATE TABLE editors (id bigint PRIMARY KEY)`,
			`CREATE TABLE article_publications ({pair}, editor_id bigint, PRIMARY KEY (article_id, publication_id), FOREIGN KEY (editor_id) REFERENCES editors (id))`,
			`INSERT INTO article_publications VALUES (1, 1, NULL)`,
		},
		with:     m2msafe.Through(map[string]any{"editor_id": 404}),
		model:    &Assignment{},
		sentinel: gorm.ErrForeignKeyViolated,
	})},
	{"a NOT NULL is raised", raised(violation{
		ddl: []string{
			`CREATE TABLE article_publications ({pair}, note text NOT NULL, PRIMARY KEY (article_id, publication_id))`,
			`INSERT INTO article_publications VALUES (1, 1, 'x')`,
		},
	})},
	{"a link that exists keeps its other columns", conflictKeepsRow},
	{"the caller's transaction works after a conflict", conflictInTransaction},
	{"the caller's transaction works after a target of the wrong type", wrongTarget},
	{"the caller's transaction works after a target that is not stored", missingTarget},
	{"the caller's transaction works after an owner that is not stored", missingOwner},
	{"the caller's rollback takes links and targets along", conflictRollback},
	{"the caller's savepoint takes its links along", conflictSavepoint},
}

// violation is a join table that takes the link of article 1 and publication 1,
// and no other after it.
type violation struct {
	ddl          []string
	model        any            // the join table's model, if not implicit
	with         m2msafe.Option // for the call
	sentinel     error          // GORM's for the violation, if it has one
	untranslated string         // the database whose GORM driver never gives the sentinel
}

// raised appends the link that is stored and others that are not good. Stock
// GORM swallows the unique keys: its DO NOTHING has no target. The other
// violations it raises, a NOT NULL for the stored link too.
func raised(v violation) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		for name, config := range map[string]*gorm.Config{
			"as it is":            {},
			"with TranslateError": {TranslateError: true},
			"prepared":            {PrepareStmt: true},
		} {
			t.Run(name, func(t *testing.T) {
				config.Logger = logger.Discard
				db := seed(t, e.With(t, config), v.ddl...)
				if v.model != nil {
					require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", v.model))
				}
				require.NoError(t, link(db, 1, 1))
				if v.with != nil {
					db = m2msafe.With(db, v.with)
				}
				const stored = `SELECT * FROM article_publications ORDER BY article_id, publication_id`
				before := rows(t, db, stored)
				require.Len(t, before, 1)

				check := func(err error) {
					t.Helper()
					require.Error(t, err)
					var failed *m2msafe.LinkError
					require.ErrorAs(t, err, &failed)
					require.Equal(t, "Article.Publications", failed.Relation)
					require.Equal(t, tableOf(db, "article_publications"), failed.JoinTable)
					require.Error(t, failed.Cause)
					if v.sentinel != nil && v.untranslated != db.Name() {
						require.ErrorIs(t, err, v.sentinel)
					}
				}
				check(link(db, 1, 1, 2, 3))
				require.Equal(t, before, rows(t, db, stored))
				check(db.Model(&Article{ID: 1}).Association("Publications").Append([]Publication{{ID: 3}, {ID: 99, Name: "not stored"}, {Name: "new"}}))
				require.Equal(t, before, rows(t, db, stored))
				require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
				check(db.Transaction(func(tx *gorm.DB) error { return link(tx, 1, 3, 1, 2) }))
				require.Equal(t, before, rows(t, db, stored))
				require.NoError(t, link(db, 1, 1)) // which is still no conflict
			})
		}
	}
}

// Stock GORM passes this too.
func conflictKeepsRow(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications ({pair}, note text DEFAULT 'new', PRIMARY KEY (article_id, publication_id))`)
	exec(t, db, `INSERT INTO article_publications VALUES (1, 1, 'mine'), (1, 2, NULL)`)
	version := "''"
	if e.postgres() {
		version = "ctid::text || ' ' || xmin::text" // not even rewritten with the same values
	}
	row := `SELECT publication_id, note, ` + version + ` FROM article_publications WHERE publication_id < 3 ORDER BY 1`
	before := rows(t, db, row)
	require.NoError(t, link(db, 1, 3, 2, 1))
	require.Equal(t, before, rows(t, db, row))
	require.Equal(t, "new", one(t, db, `SELECT note FROM article_publications WHERE publication_id = 3`))
}

// Stock GORM passes this too.
func conflictInTransaction(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, link(db, 1, 1))
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 1, 1))
		require.NoError(t, link(tx, 1, 1, 2))
		require.NoError(t, link(tx, 1, 2))
		return tx.Create(&Publication{Name: "after"}).Error
	}))
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
	require.Equal(t, "after", one(t, db, `SELECT name FROM publications WHERE id > 5`))
}

// Stock GORM passes this too.
func wrongTarget(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		for _, wrong := range []any{&Article{ID: 1}, Article{ID: 1}, []Article{{ID: 2}}, []int{1}, []string{"p1"}, []any{"p1"}} {
			require.Error(t, tx.Model(&Article{ID: 1}).Association("Publications").Append(wrong), "%T", wrong)
		}
		require.Error(t, tx.Model(&Article{ID: 1}).Association("Publishers").Append(&Publication{ID: 1}))
		require.Empty(t, linked(t, tx))
		return link(tx, 1, 2)
	}))
	require.Equal(t, []string{"1|2"}, linked(t, db))
}

// Stock GORM gets the foreign key's error, and on PostgreSQL the caller's
// transaction is lost.
func missingTarget(t *testing.T, e Engine) {
	for name, ddl := range map[string][]string{
		"with foreign keys":    nil,
		"without foreign keys": {`CREATE TABLE article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`},
	} {
		t.Run(name, func(t *testing.T) {
			db := seed(t, e.DB(t), ddl...)
			only := func(db *gorm.DB) error { // links, but never saves a target
				return db.Model(&Article{ID: 1}).Omit("Publications.*").Association("Publications").Append(publications(1, 98, 2, 99))
			}
			check := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
				require.ErrorIs(t, err, gorm.ErrForeignKeyViolated)
				var failed *m2msafe.LinkError
				require.ErrorAs(t, err, &failed)
				require.Len(t, failed.Targets, 2)
				require.EqualValues(t, 98, failed.Targets[0][0])
				require.EqualValues(t, 99, failed.Targets[1][0])
			}
			check(only(db))
			require.Empty(t, linked(t, db))
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				require.NoError(t, link(tx, 1, 1))
				check(only(tx))
				return link(tx, 2, 2)
			}))
			require.Equal(t, []string{"1|1", "2|2"}, linked(t, db))
			require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
		})
	}
}

// Stock GORM gets the foreign key's error, and on PostgreSQL the caller's
// transaction is lost.
func missingOwner(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		err := link(tx, 404, 1, 2)
		require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
		require.ErrorIs(t, err, gorm.ErrForeignKeyViolated)
		return link(tx, 1, 2)
	}))
	require.Equal(t, []string{"1|2"}, linked(t, db))
}

// Stock GORM passes this too.
func conflictRollback(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, link(db, 1, 1))
	before := one(t, db, `SELECT updated_at FROM articles WHERE id = 1`)
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 1, 1, 2))
		require.NoError(t, tx.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{Name: "new"}, &Publication{ID: 77}))
		require.Len(t, linked(t, tx), 4)
		return errHook
	}), errHook)
	require.Equal(t, []string{"1|1"}, linked(t, db))
	require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
	require.Equal(t, before, one(t, db, `SELECT updated_at FROM articles WHERE id = 1`))
}

// Stock GORM passes this too.
func conflictSavepoint(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 1, 1))
		require.ErrorIs(t, tx.Transaction(func(inner *gorm.DB) error {
			require.NoError(t, link(inner, 1, 1, 2))
			return errHook
		}), errHook)
		return link(tx, 1, 3)
	}))
	require.Equal(t, []string{"1|1", "1|3"}, linked(t, db))
}
