package compat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

// Placement is a join model with all that GORM does for a column.
type Placement struct {
	ID            uint
	PublicationID uint     `gorm:"uniqueIndex:pair"`
	ArticleID     uint     `gorm:"uniqueIndex:pair"`
	Note          *string  // NULL unless given
	Grade         int      `gorm:"default:7"`         // GORM's default
	Token         string   `gorm:"default:'(token)'"` // the database's
	Labels        []string `gorm:"serializer:json"`
	Source        string   `gorm:"column:made_by"`
	CreatedAt     time.Time
	ChangedAt     int64 `gorm:"autoUpdateTime:milli"`
}

// TableName puts it where the relation looks.
func (Placement) TableName(n schema.Namer) string { return pairTable(n) }

// HookedPlacement is a Placement with hooks. They set one column by its field
// and one through the statement.
type HookedPlacement struct{ Placement }

// BeforeSave sets a column by its field.
func (p *HookedPlacement) BeforeSave(tx *gorm.DB) error {
	p.Source = fmt.Sprintf("hook of %d-%d", p.ArticleID, p.PublicationID)
	return told(tx, "BeforeSave")
}

// BeforeCreate sets a column through the statement.
func (p *HookedPlacement) BeforeCreate(tx *gorm.DB) error {
	if p.Note == nil {
		tx.Statement.SetColumn("Note", fmt.Sprint("note ", p.PublicationID))
	}
	return told(tx, "BeforeCreate")
}

// AfterCreate and AfterSave see what the database made.
func (p *HookedPlacement) AfterCreate(tx *gorm.DB) error {
	if err := told(tx, "AfterCreate"); err != nil {
		return err
	}
	return told(tx, fmt.Sprintf("row %d of %d-%d, %s, grade %d", p.ID, p.ArticleID, p.PublicationID, p.Token, p.Grade))
}

// AfterSave only tells.
func (p *HookedPlacement) AfterSave(tx *gorm.DB) error { return told(tx, "AfterSave") }

var joinRows = append([]behaviour{
	{"defaults, auto times and serializers apply", rowDefaults},
	{"hooks run once for each row that is to be inserted", rowHooks},
	{"hooks run for a call's many rows", rowHooksMany},
	{"a hook's error rolls the call back", rowHookErrors},
	{"a hook's error leaves the caller's transaction usable", rowHookErrorInTransaction},
	{"SkipHooks skips them", rowSkipHooks},
	{"Through by column names", through(map[string]any{"note": "given", "grade": 0, "labels": []string{"x", "y"}, "made_by": "call"}, `given|0|(token)|["x","y"]|call`)},
	{"Through by field names", through(map[string]any{"Note": "given", "Grade": 3, "Source": "call", "Token": "mine"}, `given|3|mine|<nil>|call`)},
	{"Through by a struct", through(Placement{Note: new(string), Source: "call", Labels: []string{"x"}}, `|7|(token)|["x"]|call`)},
	{"Through by a pointer to a struct", through(&Placement{Grade: 3, Token: "mine"}, `<nil>|3|mine|<nil>|`)},
	{"Through by an expression", through(map[string]any{"note": gorm.Expr("lower(?)", "GIVEN"), "grade": gorm.Expr("3 + 4 * ?", 2)}, `given|11|(token)|<nil>|`)},
	{"Through by NULL and hostile text", through(map[string]any{"note": nil, "made_by": `'{"\,NULL`}, `<nil>|7|(token)|<nil>|'{"\,NULL`)},
	{"Through and hooks", throughHooks},
	{"Through on an implicit join table", throughImplicit},
	{"Through by other names is refused", throughRefused},
	{"a required column without a value is the database's error", rowRequired},
	{"a required column by Through", rowRequiredThrough},
}, columnTypes...)

// placed is a seeded database with a join model; its clock stands still.
func placed(t *testing.T, e Engine, model any, opts ...m2msafe.Option) (db *gorm.DB, now time.Time) {
	t.Helper()
	now = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	db = e.With(t, &gorm.Config{Logger: logger.Discard, NowFunc: func() time.Time { return now }}, opts...)
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", model))
	require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", model))
	return seed(t, db), now
}

// placement is what a test looks at in a row.
func placement(t *testing.T, db *gorm.DB, article, publication uint) string {
	t.Helper()
	return one(t, db, `SELECT note, grade, token, labels, made_by FROM article_publications WHERE article_id = ? AND publication_id = ?`, article, publication)
}

// Stock GORM passes this too.
func rowDefaults(t *testing.T, e Engine) {
	db, now := placed(t, e, &Placement{})
	for range 2 {
		require.NoError(t, link(db, 1, 1, 2))
	}
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
	for _, publication := range []uint{1, 2} {
		require.Equal(t, "<nil>|7|(token)|<nil>|", strings.Replace(placement(t, db, 1, publication), "|null|", "|<nil>|", 1))
		var row Placement
		require.NoError(t, db.First(&row, "publication_id = ?", publication).Error)
		require.True(t, now.Equal(row.CreatedAt), row.CreatedAt)
		require.Equal(t, now.UnixMilli(), row.ChangedAt)
	}
}

// Stock GORM runs them for links that exist too, and AfterCreate sees no id
// there.
func rowHooks(t *testing.T, e Engine) {
	db, _ := placed(t, e, &HookedPlacement{})
	require.NoError(t, link(db, 1, 2))
	log := new(hooklog)
	require.NoError(t, link(log.on(db), 1, 3, 2, 1))
	want := rows(t, db, `SELECT 'row ' || id || ' of 1-' || publication_id || ', (token), grade 7' FROM article_publications WHERE publication_id <> 2`)
	for _, hook := range []string{"BeforeSave", "BeforeCreate", "AfterCreate", "AfterSave"} {
		want = append(want, hook, hook)
	}
	require.ElementsMatch(t, want, log.calls)
	require.Equal(t, "note 3|7|(token)|<nil>|hook of 1-3", placement(t, db, 1, 3))
	require.Equal(t, "note 1|7|(token)|<nil>|hook of 1-1", placement(t, db, 1, 1))

	log.calls = nil
	stored, counted := rows(t, db, `SELECT * FROM article_publications ORDER BY id`), counter(t, db, "article_publications")
	require.NoError(t, link(log.on(db), 1, 3, 2, 1))
	require.Empty(t, log.calls)
	require.Equal(t, stored, rows(t, db, `SELECT * FROM article_publications ORDER BY id`))
	require.Equal(t, counted, counter(t, db, "article_publications"))
	require.NoError(t, log.on(db).Model(&Publication{ID: 2}).Association("Articles").Append(&Article{ID: 1}, &Article{ID: 2}))
	require.Equal(t, 1, strings.Count(fmt.Sprint(log.calls), "BeforeCreate"))
	require.Equal(t, "note 2|7|(token)|<nil>|hook of 2-2", placement(t, db, 2, 2))
}

// Stock GORM runs the targets' hooks besides.
func rowHooksMany(t *testing.T, e Engine) {
	const n = 2000
	db, _ := placed(t, e, &HookedPlacement{})
	exec(t, db, `INSERT INTO publications (name, updated_at)
		WITH RECURSIVE n (i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'many', ? FROM n`, n, past)
	log, all := new(hooklog), make([]uint, n)
	for i := range all {
		all[i] = uint(n - i)
	}
	require.NoError(t, link(log.on(db), 1, all...))
	require.Len(t, log.calls, 5*n)
	require.Equal(t, fmt.Sprint(n), one(t, db, `SELECT COUNT(*) FROM article_publications
		WHERE made_by = 'hook of 1-' || publication_id AND note = 'note ' || publication_id AND grade = 7 AND token = '(token)'`))
}

// Stock GORM runs the hooks, and fails, for the link that exists too.
func rowHookErrors(t *testing.T, e Engine) {
	db, _ := placed(t, e, &HookedPlacement{})
	require.NoError(t, link(db, 1, 1))
	for _, hook := range []string{"BeforeSave", "BeforeCreate", "AfterCreate", "AfterSave"} {
		log := &hooklog{fail: map[string]error{hook: errHook}}
		err := log.on(db).Model(&Article{ID: 1}).Association("Publications").Append([]Publication{{ID: 1}, {ID: 2}, {Name: "new"}, {ID: 77}})
		require.ErrorIs(t, err, errHook, hook)
		require.Equal(t, []string{"1|1"}, linked(t, db), hook)
		require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`), hook)
		require.NoError(t, link(log.on(db), 1, 1), hook)
	}
}

// Stock GORM passes this too.
func rowHookErrorInTransaction(t *testing.T, e Engine) {
	db, _ := placed(t, e, &HookedPlacement{})
	log := &hooklog{fail: map[string]error{"BeforeCreate": errHook}}
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 1, 1))
		require.ErrorIs(t, link(log.on(tx), 1, 1, 2), errHook)
		return link(tx, 1, 3)
	}))
	require.Equal(t, []string{"1|1", "1|3"}, linked(t, db))
}

// Stock GORM passes this too.
func rowSkipHooks(t *testing.T, e Engine) {
	db, _ := placed(t, e, &HookedPlacement{})
	log := new(hooklog)
	skipping := log.on(db).Session(&gorm.Session{SkipHooks: true})
	require.NoError(t, skipping.Model(&Article{ID: 1}).Association("Publications").Append([]Publication{{ID: 1}, {Name: "new"}}))
	require.Empty(t, log.calls)
	require.Equal(t, []string{"1|1", "1|6"}, linked(t, db))
	require.Equal(t, "<nil>|7|(token)|<nil>|", placement(t, db, 1, 1))
}

// through gives values for a call's new rows, from both sides, and wants them in
// all of them and none of the stored. Stock GORM has no way to say them.
func through(values any, want string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db, _ := placed(t, e, &Placement{})
		require.NoError(t, link(db, 1, 2))
		stored := placement(t, db, 1, 2)
		call := m2msafe.With(db, m2msafe.Through(values))
		for range 2 {
			require.NoError(t, call.Model(&Article{ID: 1}).Association("Publications").Append([]Publication{{ID: 3}, {ID: 2}, {ID: 77}}))
			require.NoError(t, call.Model(&Publication{ID: 4}).Association("Articles").Append(&Article{ID: 1}, &Article{ID: 2}))
		}
		require.Equal(t, []string{"1|2", "1|3", "1|4", "1|77", "2|4"}, linked(t, db))
		require.Equal(t, stored, placement(t, db, 1, 2))
		for _, pair := range [][2]uint{{1, 3}, {1, 77}, {1, 4}, {2, 4}} {
			require.Equal(t, want, strings.Replace(placement(t, db, pair[0], pair[1]), "|null|", "|<nil>|", 1))
		}
	}
}

// The hooks see the values, and have the last word. Stock GORM has no Through.
func throughHooks(t *testing.T, e Engine) {
	db, _ := placed(t, e, &HookedPlacement{})
	require.NoError(t, link(db, 1, 1))
	stored := placement(t, db, 1, 1)
	given := map[string]any{"note": "given", "grade": 3, "made_by": "call", "labels": []string{"x"}}
	require.NoError(t, link(m2msafe.With(db, m2msafe.Through(given)), 1, 1, 2, 3))
	require.Equal(t, stored, placement(t, db, 1, 1))
	require.Equal(t, `given|3|(token)|["x"]|hook of 1-2`, placement(t, db, 1, 2))
	require.Equal(t, `given|3|(token)|["x"]|hook of 1-3`, placement(t, db, 1, 3))
	require.ErrorIs(t, link(m2msafe.With(db, m2msafe.Through(map[string]any{"note": gorm.Expr("1")})), 1, 4), m2msafe.ErrOption)
	require.Len(t, linked(t, db), 3)
}

// Stock GORM has no Through.
func throughImplicit(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications ({pair}, note text, position integer NOT NULL, PRIMARY KEY (article_id, publication_id))`,
		`INSERT INTO article_publications VALUES (1, 1, 'stored', 1)`)
	call := m2msafe.With(db, m2msafe.Through(map[string]any{"note": "given", "position": 2}))
	require.NoError(t, link(call, 1, 1, 2))
	require.Equal(t, []string{"1|stored|1", "2|given|2"}, rows(t, db, `SELECT publication_id, note, position FROM article_publications ORDER BY 1`))
}

// Stock GORM has no Through.
func throughRefused(t *testing.T, e Engine) {
	for _, model := range []any{&Placement{}, &HookedPlacement{}} {
		t.Run(fmt.Sprintf("%T", model), func(t *testing.T) {
			db, _ := placed(t, e, model)
			require.NoError(t, link(db, 1, 1))
			for _, values := range []any{
				map[string]any{"note": "x", "nowhere": 1},
				map[string]any{"article_id": 2},
				map[string]any{"PublicationID": 2, "note": "x"},
				map[string]any{"grade": "not a number"},
				&Placement{ArticleID: 2},
				&HookedPlacement{Placement{PublicationID: 2}},
				Editor{ID: 3},
			} {
				for _, targets := range [][]Publication{{{ID: 1}}, {{ID: 2}, {ID: 1}}, {{Name: "new"}, {ID: 77}}} {
					call := m2msafe.With(db, m2msafe.Through(values))
					require.ErrorIs(t, call.Model(&Article{ID: 1}).Association("Publications").Append(targets), m2msafe.ErrOption, "%T %v", values, values)
				}
				require.Equal(t, []string{"1|1"}, linked(t, db))
				require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
			}
		})
	}
}

// Required is a join model with a column that every row has to be given.
type Required struct {
	ArticleID     uint    `gorm:"primaryKey"`
	PublicationID uint    `gorm:"primaryKey"`
	Reason        *string `gorm:"not null"`
}

// TableName puts it where the relation looks.
func (Required) TableName(n schema.Namer) string { return pairTable(n) }

// Stock GORM fails for the link that exists too: NOT NULL comes before the
// conflict.
func rowRequired(t *testing.T, e Engine) {
	db, _ := placed(t, e, &Required{})
	exec(t, db, `INSERT INTO article_publications VALUES (1, 1, 'stored')`)
	require.NoError(t, link(db, 1, 1))
	err := db.Model(&Article{ID: 1}).Association("Publications").Append([]Publication{{ID: 1}, {ID: 2}, {ID: 77}, {Name: "new"}})
	require.Error(t, err)
	require.Contains(t, strings.ToLower(err.Error()), "reason")
	var failed *m2msafe.LinkError
	require.ErrorAs(t, err, &failed)
	require.Error(t, failed.Cause)
	require.Equal(t, []string{"1|1"}, linked(t, db))
	require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
}

// Stock GORM has no Through.
func rowRequiredThrough(t *testing.T, e Engine) {
	db, _ := placed(t, e, &Required{})
	reason := "because"
	for _, values := range []any{map[string]any{"reason": reason}, &Required{Reason: &reason}} {
		require.NoError(t, link(m2msafe.With(db, m2msafe.Through(values)), 1, 1, 2))
		require.Equal(t, []string{"1|because", "2|because"}, rows(t, db, `SELECT publication_id, reason FROM article_publications ORDER BY 1`))
		exec(t, db, `DELETE FROM article_publications`)
	}
}
