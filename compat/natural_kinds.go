package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// byCode is a second natural key, on a column that may be NULL.
const byCode = `CREATE UNIQUE INDEX topics_code ON topics (code)`

// nocase gives a column of SQLite's a collation, and then the key.
var nocase = []string{
	`ALTER TABLE topics ADD COLUMN folded text COLLATE NOCASE`, `UPDATE topics SET folded = name`,
	`ALTER TABLE topics DROP COLUMN name`, `ALTER TABLE topics RENAME COLUMN folded TO name`, byName,
}

// naturalKinds are kinds of unique keys.
var naturalKinds = []behaviour{
	{"a composite key counts where all its columns are set", kindComposite},
	{"two keys that agree, or of which one is missing, are one row", kindTwo},
	{"two keys of two rows are refused by the names of both", kindConflict},
	{"new elements that are equal by different keys are one row", kindCrossed},
	{"new elements that are two of the call's own rows are refused", kindCrossedConflict},
	{"the database compares, not Go", kindCollation},
	{"NULL is no key", kindNull},
	{"an index on an expression is no natural key", kindUnused(`CREATE UNIQUE INDEX topics_lower ON topics (lower(name))`)},
	{"an index on some rows only is no natural key", kindUnused(`CREATE UNIQUE INDEX topics_some ON topics (name) WHERE score > 0`)},
	{"an index on an expression and a column is no natural key", kindUnused(`CREATE UNIQUE INDEX topics_lower ON topics (lang, lower(name))`)},
	{"a deferrable key is no natural key", func(t *testing.T, e Engine) {
		can(t, e, "PostgreSQL has deferrable unique constraints alone")
		kindUnused(`ALTER TABLE topics ADD CONSTRAINT topics_name UNIQUE (name) DEFERRABLE`)(t, e)
	}},
	{"without a natural key new ones are created as ever", kindNone},
}

// Stock GORM: the stored one's key stays 0.
func kindComposite(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), `CREATE UNIQUE INDEX topics_name ON topics (lang, name)`)
	elems := []*Topic{
		{Name: "s1", Lang: "de"}, {Name: "s1", Lang: "en"}, {Name: "new", Lang: "en"}, {Name: "s4", Lang: "de"},
		{Name: "s1", Lang: "de"}, {Lang: "en"}, {Name: "s2"},
	}
	require.NoError(t, addTopics(db, 1, elems...))
	ownRows(t, db, elems...)
	require.Equal(t, []uint{1, 4}, []uint{elems[1].ID, elems[3].ID})
	require.Equal(t, elems[0].ID, elems[4].ID)
	require.Equal(t, "8", tally(t, db, "topics"))
	// s2 without a language is another row, which there is by now: GORM's create.
	require.ErrorIs(t, addTopics(e.With(t, mode("TranslateError")), 1, &Topic{Name: "s2"}), gorm.ErrDuplicatedKey)
	require.Equal(t, "8", tally(t, db, "topics"))
}

func kindTwo(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName, byCode)
	before := topicRows(t, db)
	elems := []*Topic{
		{Name: "s1", Code: of("c1")}, {Name: "s1"}, {Code: of("c1")}, // agree
		{Name: "s1", Code: of("other")}, {Name: "other", Code: of("c2")}, // one is missing
		{Name: "s3", Code: of("new for s3")},
		{Name: "n1", Code: of("d1")}, {Name: "n2", Code: of("d2")}, {Name: "n1", Code: of("d1")},
	}
	require.NoError(t, addTopics(db, 1, elems...))
	ownRows(t, db, elems...)
	require.Equal(t, before, topicRows(t, db)[:4])
	for i, want := range []uint{1, 1, 1, 1, 2, 3} {
		require.Equal(t, want, elems[i].ID, "element %d", i)
	}
	require.Equal(t, elems[6].ID, elems[8].ID)
	require.Equal(t, []string{"n1", "n2", "s1", "s2", "s3"}, about(t, db, 1))
}

func kindConflict(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName, byCode)
	before := topicRows(t, db)
	for range 2 { // the second time with the plan made
		err := addTopics(db, 1, &Topic{Name: "new"}, &Topic{Name: "s3", Code: of("c2")})
		require.ErrorIs(t, err, m2msafe.ErrTargetConflict)
		var link *m2msafe.LinkError
		require.ErrorAs(t, err, &link)
		require.ElementsMatch(t, [][]any{{uint(3)}, {uint(2)}}, link.Targets)
		require.Contains(t, err.Error(), "topics_name")
		require.Contains(t, err.Error(), "topics_code")
		require.Equal(t, before, topicRows(t, db))
		require.Empty(t, about(t, db, 1))
	}
}

func kindCrossed(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName, byCode)
	for i, elems := range [][]*Topic{
		{{Name: "a1", Code: of("x1")}, {Code: of("x1")}},
		{{Name: "a3", Code: of("x3")}, {Name: "b3", Code: of("x3")}},
		{{Name: "a4", Code: of("x4")}, {Name: "a4", Code: of("y4")}},
		{{Name: "a5"}, {Name: "b5", Code: of("x5")}, {Code: of("x5")}, {Name: "a5"}, {Name: "s1"}},
	} {
		for _, backwards := range []bool{false, true} {
			t.Run(fmt.Sprint(i+1, backwards), func(t *testing.T) {
				db := db.Begin()
				defer db.Rollback()
				elems := append([]*Topic(nil), elems...)
				for j, elem := range elems {
					copied := *elem
					elems[j] = &copied
				}
				if backwards {
					for a, b := 0, len(elems)-1; a < b; a, b = a+1, b-1 {
						elems[a], elems[b] = elems[b], elems[a]
					}
				}
				require.NoError(t, addTopics(db, 1, elems...))
				ownRows(t, db, elems...)
				require.Equal(t, fmt.Sprint(map[bool]int{true: 3, false: 1}[i == 3]), tally(t, db, "essay_topics"))
			})
		}
	}
}

// The third is the first by its name, and the second by its code.
func kindCrossedConflict(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName, byCode)
	err := addTopics(db, 1, &Topic{Name: "a", Code: of("x")}, &Topic{Name: "b", Code: of("y")}, &Topic{Name: "a", Code: of("y")})
	require.ErrorIs(t, err, m2msafe.ErrTargetConflict)
	require.Equal(t, "4", tally(t, db, "topics"))
	require.Empty(t, about(t, db, 1))
}

func kindCollation(t *testing.T, e Engine) {
	ddls := map[string][]string{
		"NOCASE of the index":  {`CREATE UNIQUE INDEX topics_name ON topics (name COLLATE NOCASE)`},
		"NOCASE of the column": nocase,
	}
	if e.postgres() {
		ddls = map[string][]string{
			"citext":    {`CREATE EXTENSION citext`, `ALTER TABLE topics ALTER name TYPE citext`, byName},
			"collation": {`CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`, `ALTER TABLE topics ALTER name TYPE text COLLATE folded`, byName},
		}
	}
	for name, ddl := range ddls {
		t.Run(name, func(t *testing.T) {
			db := desk(t, e.DB(t))
			if err := db.Exec(native(db, ddl[0])).Error; err != nil {
				t.Skipf("%s can't be had here: %v", name, err)
			}
			for _, statement := range ddl[1:] {
				exec(t, db, statement)
			}
			for _, full := range []bool{false, true} {
				elems := topics("S1", "Rust", "s1", "rust", "RUST", "Go", "gO")
				require.NoError(t, addTopics(db.Session(&gorm.Session{FullSaveAssociations: full}), 1, elems...), "FullSaveAssociations: %v", full)
				stored := map[string]bool{}
				for _, row := range rows(t, db, `SELECT id, lower(CAST(name AS text)) FROM topics`) {
					stored[row] = true
				}
				for i, elem := range elems {
					require.True(t, stored[fmt.Sprintf("%d|%s", elem.ID, strings.ToLower(elem.Name))], "element %d has key %d for %q", i, elem.ID, elem.Name)
				}
				require.Equal(t, "6", tally(t, db, "topics"))
				require.Equal(t, "3", tally(t, db, "essay_topics"))
			}
		})
	}
}

// Stock GORM passes what is new, and gives the stored one no key.
func kindNull(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byCode)
	elems := []*Topic{{Name: "s1"}, {Name: "other"}, {Code: of("c2")}, {Name: "x", Code: of("c1")}, {Name: "other"}}
	require.NoError(t, addTopics(db, 1, elems...))
	ownRows(t, db, elems...)
	require.Equal(t, []uint{2, 1}, []uint{elems[2].ID, elems[3].ID})
	require.Equal(t, "7", tally(t, db, "topics"))
	require.Equal(t, "5", tally(t, db, "essay_topics"))
}

// kindUnused is a key that can't tell one living row: what is new is created,
// and what the key forbids is an error, not somebody's key.
func kindUnused(ddl string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db := desk(t, e.With(t, mode("TranslateError")))
		before := topicRows(t, db)
		exec(t, db, ddl)
		elems := topics("new", "newer")
		require.NoError(t, addTopics(db, 1, elems...))
		ownRows(t, db, elems...)
		exec(t, db, `DELETE FROM essay_topics`)
		exec(t, db, `DELETE FROM topics WHERE id > 4`)
		err := addTopics(db, 1, topics("newest")[0], &Topic{Name: "s1", Lang: "en", Score: 1})
		require.ErrorIs(t, err, gorm.ErrDuplicatedKey)
		require.Equal(t, before, topicRows(t, db))
		require.Empty(t, about(t, db, 1))
		require.NoError(t, addTopics(db, 1, &Topic{ID: 1}))
		require.Equal(t, []string{"s1"}, about(t, db, 1))
		exec(t, db, `DELETE FROM essay_topics`)
	}
}

// Stock GORM passes this too.
func kindNone(t *testing.T, e Engine) {
	db := desk(t, e.DB(t))
	elems := topics("s1", "new", "new")
	require.NoError(t, addTopics(db, 1, elems...))
	ownRows(t, db, elems...)
	require.Equal(t, "7", tally(t, db, "topics"))
	require.Equal(t, []string{"new", "new", "s1"}, about(t, db, 1))
}

func of(s string) *string { return &s }
