package compat

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// regressions are defects that the plugin has had, each once.
var regressions = slices.Concat([]behaviour{
	{"owners that are struct values are saved as on stock GORM", ownerValues},
	{"Through reaches the relations that it fits, of those that a Create saves", throughOne},
	{"an update of an owner that is not stored leaves no target", updateNotStored},
	{"a plugin that caches queries hides no link that is gone", cachedQueries},
	{"a callback of the app's makes the targets' keys", madeKeys},
	{"a new target that violates a unique index leaves the caller's transaction usable", uniqueInTransaction},
}, regressionsPostgres, targetRegressions)

// Before, it panicked (reflect: unaddressable value), in GORM's transaction,
// whose connection was never given back.
func ownerValues(t *testing.T, e Engine) {
	targets := func() []Publication { return []Publication{{ID: 2}, {Name: "new"}, {ID: 9, Name: "nine"}} }
	for name, run := range map[string]func(db *gorm.DB) error{
		"Updates": func(db *gorm.DB) error {
			return db.Updates(Article{ID: 1, Title: "set", Publications: targets()}).Error
		},
		"Updates of Select": func(db *gorm.DB) error {
			return db.Select("Title", "Publications").Updates(Article{ID: 1, Title: "set", Publications: targets()}).Error
		},
		"Save": func(db *gorm.DB) error {
			return db.Save(Article{ID: 1, Title: "set", Publications: targets()}).Error
		},
		"Updates of a map": func(db *gorm.DB) error {
			return db.Model(Article{ID: 1, Publications: targets()}).Updates(map[string]any{"title": "set"}).Error
		},
		"Update in a transaction": func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				return tx.Model(Article{ID: 1, Publications: targets()}).Update("title", "set").Error
			})
		},
	} {
		for _, under := range []string{"default", "SkipDefaultTransaction"} {
			t.Run(name+", "+under, func(t *testing.T) {
				var stored [2][]string
				for i, opts := range [][]m2msafe.Option{{m2msafe.Off()}, nil} {
					db := e.Open(t, fmt.Sprint("database ", i), mode(under))
					require.NoError(t, db.Use(m2msafe.New(opts...)))
					seed(t, db)
					err, panicked := attempt(func() error { return run(db) })
					require.Nil(t, panicked)
					require.NoError(t, err)
					nothingOpen(t, db, name)
					stored[i] = slices.Concat(linked(t, db), rows(t, db, `SELECT id, title FROM articles ORDER BY 1`),
						rows(t, db, `SELECT id, name FROM publications ORDER BY 2, 1`))
				}
				require.Equal(t, stored[0], stored[1])
				require.Contains(t, stored[1], "1|2")
			})
		}
	}
}

// Case is an owner of two relations whose join models differ.
type Case struct {
	ID   uint
	Held []*Book `gorm:"many2many:case_held"`
	Shut []*Book `gorm:"many2many:case_shut"`
}

// CaseHeld is the join model of the first relation.
type CaseHeld struct {
	CaseID uint `gorm:"primaryKey"`
	BookID uint `gorm:"primaryKey"`
	Note   string
	Place  string
}

// TableName is the join table's.
func (CaseHeld) TableName() string { return "case_held" }

// CaseShut is the join model of the second relation.
type CaseShut struct {
	CaseID uint `gorm:"primaryKey"`
	BookID uint `gorm:"primaryKey"`
	Note   string
	Lock   string
}

// TableName is the join table's.
func (CaseShut) TableName() string { return "case_shut" }

// Before, a Through that one of the relations has no use for was an error of
// the whole call.
func throughOne(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.SetupJoinTable(&Case{}, "Held", &CaseHeld{}))
	require.NoError(t, db.SetupJoinTable(&Case{}, "Shut", &CaseShut{}))
	require.NoError(t, db.AutoMigrate(&Case{}))
	library(t, db, 1, 3)
	stored := func() []string {
		return append(rows(t, db, `SELECT 'held', case_id, book_id, note, place FROM "case_held" ORDER BY 3`),
			rows(t, db, `SELECT 'shut', case_id, book_id, note, lock FROM "case_shut" ORDER BY 3`)...)
	}
	fresh := func(id uint) *Case {
		return &Case{ID: id, Held: []*Book{{ID: 1}, {ID: 2}}, Shut: []*Book{{ID: 3}}}
	}
	for i, c := range []struct {
		values     any
		held, shut string
	}{
		{CaseHeld{Note: "n", Place: "p"}, "n|p", "|"},
		{&CaseShut{Note: "n"}, "|", "n|"},
		{map[string]any{"place": "p", "note": "n"}, "n|p", "|"},
		{map[string]any{"Lock": "l"}, "|", "|l"},
		{map[string]any{"note": "n"}, "n|", "n|"},
	} {
		id := uint(i + 1)
		require.NoError(t, m2msafe.With(db, m2msafe.Through(c.values)).Create(fresh(id)).Error, "%T %v", c.values, c.values)
		require.Equal(t, []string{
			fmt.Sprintf("held|%d|1|%s", id, c.held), fmt.Sprintf("held|%d|2|%s", id, c.held), fmt.Sprintf("shut|%d|3|%s", id, c.shut),
		}, stored(), "%T %v", c.values, c.values)
		exec(t, db, `DELETE FROM "case_held"`)
		exec(t, db, `DELETE FROM "case_shut"`)
	}
	cases := tally(t, db, "cases")
	for _, values := range []any{map[string]any{"nowhere": 1}, map[string]any{"place": "p", "lock": "l"}, map[string]any{"case_id": 1}, Editor{ID: 1}, &Placement{Grade: 1}} {
		err := m2msafe.With(db, m2msafe.Through(values)).Create(fresh(9)).Error
		require.ErrorIs(t, err, m2msafe.ErrOption, "%T %v", values, values)
		require.Empty(t, stored())
		require.Equal(t, cases, tally(t, db, "cases"))
	}
}

// Stock GORM leaves the target under SkipDefaultTransaction, and aborts a
// caller's transaction on PostgreSQL.
func updateNotStored(t *testing.T, e Engine) {
	for _, under := range []string{"default", "SkipDefaultTransaction"} {
		t.Run(under, func(t *testing.T) {
			db := seed(t, e.With(t, mode(under)))
			update := func(db *gorm.DB) error {
				return db.Select("*").Updates(&Article{ID: 77, Title: "x", Publications: []Publication{{Name: "new"}, {ID: 1}}}).Error
			}
			require.ErrorIs(t, update(db), m2msafe.ErrOwnerNotStored)
			require.Equal(t, "5", tally(t, db, "publications"))
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				require.ErrorIs(t, update(tx), m2msafe.ErrOwnerNotStored)
				usable(t, tx)
				return nil
			}))
			require.Equal(t, "5", tally(t, db, "publications"))
			require.Empty(t, linked(t, db))
			require.Equal(t, "3", tally(t, db, "articles"))
		})
	}
}

// cached is what a query has found, as go-gorm/caches keeps it.
type cached struct {
	found    reflect.Value
	affected int64
}

// Before, the plugin's own queries were answered from such a cache too: a link
// that was deleted meanwhile was taken for stored.
func cachedQueries(t *testing.T, e Engine) {
	db := e.DB(t)
	var cache sync.Map
	require.NoError(t, db.Callback().Query().Replace("gorm:query", func(tx *gorm.DB) {
		callbacks.BuildQuerySQL(tx)
		key := fmt.Sprint(tx.Statement.SQL.String(), tx.Statement.Vars, tx.Statement.ReflectValue.Type())
		if hit, ok := cache.Load(key); ok {
			tx.Statement.ReflectValue.Set(hit.(cached).found)
			tx.RowsAffected = hit.(cached).affected
			return
		}
		callbacks.Query(tx)
		found := reflect.New(tx.Statement.ReflectValue.Type()).Elem()
		found.Set(tx.Statement.ReflectValue)
		cache.Store(key, cached{found, tx.RowsAffected})
	}))
	seed(t, db)
	require.NoError(t, db.Find(&[]Article{}).Error, "the cache works")
	for range 3 {
		require.NoError(t, link(db, 1, 1, 2))
		require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
		require.NoError(t, db.Model(&Article{ID: 1}).Association("Publications").Delete(publications(1, 2)))
		require.Empty(t, linked(t, db))
	}
	desk(t, db)
	for range 3 {
		require.NoError(t, addTopics(db, 1, topics("again")...))
		require.Len(t, rows(t, db, `SELECT * FROM essay_topics`), 1)
		exec(t, db, `DELETE FROM essay_topics`)
		exec(t, db, `DELETE FROM topics`)
	}
}

// Flake is a target whose key a callback makes.
type Flake struct {
	ID     int64 `gorm:"primaryKey;autoIncrement:false"`
	Name   string
	Clouds []*Cloud `gorm:"many2many:cloud_flakes"`
}

// Cloud is the owner of flakes, with such a key too.
type Cloud struct {
	ID     int64    `gorm:"primaryKey;autoIncrement:false"`
	Flakes []*Flake `gorm:"many2many:cloud_flakes"`
}

// madeKeys registers the callback before the plugin and after it. Before, the
// plugin looked for the key ahead of the callback, and refused the target or
// lost its link.
func madeKeys(t *testing.T, e Engine) {
	for _, first := range []bool{true, false} {
		t.Run(fmt.Sprint("the callback is registered first: ", first), func(t *testing.T) {
			db := e.Open(t, fmt.Sprint(first), &gorm.Config{Logger: logger.Discard})
			var last atomic.Int64
			last.Store(7_000_000_000)
			generate := func(tx *gorm.DB) {
				stmt := tx.Statement
				if stmt.Schema == nil || stmt.Schema.PrioritizedPrimaryField == nil || stmt.Schema.PrioritizedPrimaryField.AutoIncrement {
					return
				}
				key, list := stmt.Schema.PrioritizedPrimaryField, stmt.ReflectValue
				if list.Kind() == reflect.Struct {
					list = reflect.Append(reflect.MakeSlice(reflect.SliceOf(reflect.PointerTo(list.Type())), 0, 1), list.Addr())
				}
				for i := range list.Len() {
					if _, zero := key.ValueOf(stmt.Context, reflect.Indirect(list.Index(i))); zero {
						_ = tx.AddError(key.Set(stmt.Context, reflect.Indirect(list.Index(i)), last.Add(1)))
					}
				}
			}
			register := func() {
				require.NoError(t, db.Callback().Create().Before("gorm:create").Register("app:snowflake", generate))
			}
			if first {
				register()
			}
			require.NoError(t, db.Use(m2msafe.New()))
			if !first {
				register()
			}
			require.NoError(t, db.AutoMigrate(&Cloud{}, &Flake{}))
			cloud := &Cloud{Flakes: []*Flake{{Name: "a"}, {Name: "b"}}}
			require.NoError(t, db.Create(cloud).Error)
			require.NoError(t, db.Model(cloud).Association("Flakes").Append(&Flake{Name: "c"}, cloud.Flakes[0]))
			require.NoError(t, db.Model(cloud.Flakes[0]).Association("Clouds").Append(&Cloud{}))
			require.NoError(t, db.Create(&Flake{Name: "d", Clouds: []*Cloud{cloud, {Flakes: []*Flake{{Name: "e"}}}}}).Error)
			require.Equal(t, []string{"1|a", "1|b", "1|c", "1|d", "2|a", "3|d", "3|e"}, rows(t, db, `
				SELECT (SELECT COUNT(*) FROM clouds c WHERE c.id <= l.cloud_id), f.name
				FROM cloud_flakes l JOIN flakes f ON f.id = l.flake_id WHERE f.id > 7000000000 ORDER BY 1, 2`))
			require.Equal(t, []string{"5", "3"}, []string{tally(t, db, "flakes"), tally(t, db, "clouds")})
		})
	}
}

// Before, the database's error aborted the caller's transaction, or what was
// created ahead of it stayed.
func uniqueInTransaction(t *testing.T, e Engine) {
	for _, under := range []string{"default", "SkipDefaultTransaction", "PrepareStmt"} {
		t.Run(under, func(t *testing.T) {
			db := library(t, e.With(t, mode(under)), 1, 1)
			exec(t, db, `CREATE UNIQUE INDEX title ON books (lower(title))`)
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				exec(t, tx, `INSERT INTO books (id, title) VALUES (50, 'before')`)
				for _, targets := range [][]*Book{{{Title: "STORED"}}, {{Title: "fresh"}, {ID: 1}, {Title: "STORED"}}, {{ID: 60, Title: "fresh"}, {ID: 61, Title: "STORED"}}} {
					require.Error(t, tx.Model(&Reader{ID: 1}).Association("Books").Append(targets))
					usable(t, tx)
					require.Equal(t, "2", tally(t, tx, "books"))
					require.Equal(t, "0", tally(t, tx, "reader_books"))
				}
				return tx.Model(&Reader{ID: 1}).Association("Books").Append(&Book{ID: 1})
			}))
			require.Equal(t, []string{"1|1"}, rows(t, db, `SELECT reader_id, book_id FROM reader_books`))
			require.Equal(t, "2", tally(t, db, "books"))
		})
	}
}
