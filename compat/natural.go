package compat

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

var naturals = slices.Concat([]behaviour{
	{"stored, new and equal targets in any order end with their own rows' keys", naturalAnyOrder},
	{"found targets are left as they are, and run no create hooks", naturalFound},
	{"new targets run their hooks once", naturalHooks},
	{"found rows are loaded into the elements", naturalLoaded},
	{"KeysOnly leaves the other fields as they are", naturalKeysOnly},
	{"equal elements are one row, and all of them get its key", naturalEqual},
	{"defaults of the database that some elements have set mix up nothing", naturalDefaults},
	{"a key that a hook makes gives way to the stored one", naturalHookKey},
	{"what hangs on found and new targets hangs on its own parent", naturalNested},
	{"FullSaveAssociations updates the found and creates the rest", naturalFullSave},
	{"what hangs on equal targets is saved, of each", naturalFullSaveNested},
	{"under Omit of Rel.* stored names are linked and others refused", naturalOmit},
}, naturalKinds, naturalNames, naturalDeaths, naturalReferences, naturalCalls, naturalRaces, naturalProperties)

// Essay is the owner of topics, by pointers and by values.
type Essay struct {
	ID        uint
	Title     string
	UpdatedAt time.Time
	Topics    []*Topic `gorm:"many2many:essay_topics"`
	Themes    []Topic  `gorm:"many2many:essay_themes"`
}

// Topic is a target of which each test says what is unique about it. Score has
// a default of GORM's, Grade one of the database's, which GORM reads back.
type Topic struct {
	ID      uint
	Name    string
	Lang    string
	Code    *string
	Note    string
	Score   int `gorm:"default:5"`
	Grade   int `gorm:"default:7 /*()*/"` // GORM takes what has parentheses for the database's
	RealmID *uint
	Realm   *Realm
	Sources []Source
	seen    bool // by AfterFind
}

// Realm is a topic's belongs-to.
type Realm struct {
	ID   uint
	Name string
}

// Source is a topic's has-many.
type Source struct {
	ID      uint
	TopicID uint
	Text    string
}

// BeforeCreate lets an intruder in. It and the others tell the hooklog.
func (topic *Topic) BeforeCreate(tx *gorm.DB) error {
	if err := intrude(tx); err != nil {
		return err
	}
	return told(tx, "BeforeCreate "+topic.Name)
}
func (topic *Topic) BeforeSave(tx *gorm.DB) error  { return told(tx, "BeforeSave "+topic.Name) }
func (topic *Topic) AfterSave(tx *gorm.DB) error   { return told(tx, "AfterSave "+topic.Name) }
func (topic *Topic) AfterCreate(tx *gorm.DB) error { return told(tx, "AfterCreate "+topic.Name) }
func (topic *Topic) AfterFind(*gorm.DB) error      { topic.seen = true; return nil }

// byName is the natural key of most tests.
const byName = `CREATE UNIQUE INDEX topics_name ON topics (name)`

// desk is db with essays 1 to 3, topics s1 to s4 and the unique keys of the test.
func desk(t testing.TB, db *gorm.DB, ddl ...string) *gorm.DB {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Realm{}, &Topic{}, &Source{}, &Essay{}))
	exec(t, db, `INSERT INTO essays (title, updated_at) VALUES ('e1', @t), ('e2', @t), ('e3', @t)`, map[string]any{"t": past})
	exec(t, db, `INSERT INTO topics (name, lang, code, note, score, grade) VALUES
		('s1', 'en', 'c1', 'n1', 51, 71), ('s2', 'en', 'c2', 'n2', 52, 72), ('s3', 'en', NULL, 'n3', 53, 73), ('s4', 'de', NULL, '', 54, 74)`)
	for _, statement := range ddl {
		exec(t, db, statement)
	}
	return db
}

// topics are targets without a key, each with a note of the element's own.
func topics(names ...string) []*Topic {
	elems := make([]*Topic, len(names))
	for i, name := range names {
		elems[i] = &Topic{Name: name, Note: "in memory"}
	}
	return elems
}

// addTopics appends topics to an essay.
func addTopics(db *gorm.DB, essay uint, elems ...*Topic) error {
	return db.Model(&Essay{ID: essay}).Association("Topics").Append(elems)
}

// topicRows is what the table of topics holds.
func topicRows(t testing.TB, db *gorm.DB) []string {
	t.Helper()
	return rows(t, db, `SELECT id, name, lang, COALESCE(code, ''), note, score, COALESCE(grade, 0) FROM topics ORDER BY id`)
}

// text is a topic in memory as topicRows shows it.
func (topic *Topic) text() string {
	code := ""
	if topic.Code != nil {
		code = *topic.Code
	}
	return fmt.Sprintf("%d|%s|%s|%s|%s|%d|%d", topic.ID, topic.Name, topic.Lang, code, topic.Note, topic.Score, topic.Grade)
}

// readBack is a topic as it is where GORM reads the database's defaults back: it has
// no way to on MySQL and TiDB.
func (topic Topic) readBack(db *gorm.DB) *Topic {
	if topic.Grade == 0 && !returning(db) {
		topic.Grade = 7
	}
	return &topic
}

// returning says whether GORM has what an insert has made returned.
func returning(db *gorm.DB) bool { return slices.Contains(db.Callback().Create().Clauses, "RETURNING") }

// ownRows checks, element by element, that each is its own row: by its key, and
// in all its columns.
func ownRows(t testing.TB, db *gorm.DB, elems ...*Topic) {
	t.Helper()
	stored := topicRows(t, db)
	for i, elem := range elems {
		if !slices.Contains(stored, elem.text()) {
			require.Contains(t, stored, elem.readBack(db).text(), "element %d", i)
		}
	}
}

// ownKeys checks, element by element, that each has the key of the row with its
// name.
func ownKeys(t testing.TB, db *gorm.DB, elems ...*Topic) {
	t.Helper()
	stored := map[string]bool{}
	for _, row := range rows(t, db, `SELECT id, name FROM topics`) {
		stored[row] = true
	}
	for i, elem := range elems {
		require.True(t, stored[fmt.Sprintf("%d|%s", elem.ID, elem.Name)], "element %d has key %d for %q", i, elem.ID, elem.Name)
	}
}

// about is what an essay is linked to, by name.
func about(t testing.TB, db *gorm.DB, essay uint, table ...string) []string {
	t.Helper()
	return rows(t, db, `SELECT t.name FROM `+append(table, "essay_topics")[0]+` AS j JOIN topics AS t ON t.id = j.topic_id WHERE j.essay_id = ? ORDER BY 1`, essay)
}

// Stock GORM leaves 0 in stored ones, or gives them the keys of the new ones.
func naturalAnyOrder(t *testing.T, e Engine) {
	for i, names := range [][]string{
		{"s1"}, {"new"}, {"s1", "new"}, {"new", "s1"}, {"s2", "s1", "s3"},
		{"new", "new"}, {"s1", "s1", "new", "s1"}, {"b", "s2", "a", "s2", "b", "s1", "c"},
		{"s4", "d", "c", "s3", "b", "s2", "a", "s1"}, {"a", "s1", "b", "s2", "c", "s3", "d", "s4"},
	} {
		for _, values := range []bool{false, true} {
			t.Run(fmt.Sprint(i+1, values), func(t *testing.T) {
				db, elems := desk(t, e.DB(t), byName), topics(names...)
				before := topicRows(t, db)
				want, table := slices.Compact(slices.Sorted(slices.Values(names))), "essay_topics"
				if values {
					table = "essay_themes"
					themes := make([]Topic, len(elems))
					for i, elem := range elems {
						themes[i] = *elem
					}
					essay := Essay{ID: 1}
					require.NoError(t, db.Model(&essay).Association("Themes").Append(themes))
					for i := range elems {
						elems[i] = &themes[i]
						require.Equal(t, themes[i].ID, essay.Themes[i].ID)
					}
				} else {
					require.NoError(t, addTopics(db, 1, elems...))
				}
				ownRows(t, db, elems...)
				require.Equal(t, want, about(t, db, 1, table))
				require.Equal(t, before, topicRows(t, db)[:4])
				for _, name := range want {
					require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM topics WHERE name = ?`, name))
				}
			})
		}
	}
}

// Stock GORM runs the hooks, counts the sequence up and breaks a foreign key.
func naturalFound(t *testing.T, e Engine) {
	db, log := desk(t, e.DB(t), byName), new(hooklog)
	version := "''"
	if e.postgres() {
		version = "ctid::text || ' ' || xmin::text"
	}
	row := `SELECT *, ` + version + ` FROM topics ORDER BY id`
	before, count := rows(t, db, row), counter(t, db, "topics")
	elems := topics("s3", "s1", "s3")
	require.NoError(t, addTopics(log.on(db), 1, elems...))
	require.NoError(t, addTopics(log.on(db), 1, topics("s1")...))
	require.Equal(t, []string{"s1", "s3"}, about(t, db, 1))
	ownRows(t, db, elems...)
	require.Equal(t, before, rows(t, db, row))
	require.Equal(t, count, counter(t, db, "topics"))
	require.Empty(t, log.heard())
	require.NotEqual(t, past.Format(time.RFC3339Nano), one(t, db, `SELECT updated_at FROM essays WHERE id = 1`))
}

// Stock GORM runs the stored one's hooks too.
func naturalHooks(t *testing.T, e Engine) {
	db, log, elems := desk(t, e.DB(t), byName), new(hooklog), topics("b", "s1", "a", "b")
	require.NoError(t, addTopics(log.on(db), 1, elems...))
	require.Equal(t, []string{
		"AfterCreate a", "AfterCreate b", "AfterSave a", "AfterSave b", "BeforeCreate a", "BeforeCreate b", "BeforeSave a", "BeforeSave b",
	}, log.heard())
	ownRows(t, db, elems...)

	silent := new(hooklog)
	elems = topics("d", "s2", "c", "d")
	require.NoError(t, addTopics(silent.on(db).Session(&gorm.Session{SkipHooks: true}), 1, elems...))
	require.Empty(t, silent.heard())
	ownRows(t, db, elems...)
}

// Stock GORM leaves the elements as they were.
func naturalLoaded(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName)
	found, fresh := &Topic{Name: "s1", Note: "in memory", Score: 9}, &Topic{Name: "new", Note: "in memory", Score: 9}
	require.NoError(t, addTopics(db, 1, fresh, found))
	require.Equal(t, "1|s1|en|c1|n1|51|71", found.text())
	require.True(t, found.seen, "AfterFind")
	require.Equal(t, "5|new|||in memory|9|7", fresh.readBack(db).text())
	var again Topic
	require.NoError(t, db.Where("name = ?", "s1").FirstOrCreate(&again).Error)
	require.Equal(t, &again, found)
}

// Stock GORM has nothing like it.
func naturalKeysOnly(t *testing.T, e Engine) {
	for name, open := range map[string]func(t *testing.T) *gorm.DB{
		"New":  func(t *testing.T) *gorm.DB { return desk(t, e.DB(t, m2msafe.KeysOnly()), byName) },
		"With": func(t *testing.T) *gorm.DB { return m2msafe.With(desk(t, e.DB(t), byName), m2msafe.KeysOnly()) },
	} {
		t.Run(name, func(t *testing.T) {
			db, found := open(t), &Topic{Name: "s1", Note: "in memory"}
			elems := append([]*Topic{found}, topics("new", "s2", "new")...)
			require.NoError(t, addTopics(db, 1, elems...))
			require.Equal(t, "1|s1|||in memory|0|0", found.text())
			require.False(t, found.seen)
			ownKeys(t, db, elems...)
		})
	}
}

// Stock GORM: 23505 or an element without a key.
func naturalEqual(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName)
	pointer, again, value := &Topic{Name: "new"}, &Topic{Name: "new", Note: "again"}, Topic{Name: "new"}
	values, pointers := []Topic{{Name: "new"}, {Name: "other"}, {Name: "s1"}, {Name: "new"}}, []*Topic{{Name: "other"}, {Name: "s1"}, pointer}
	for range 2 {
		essay := Essay{ID: 1}
		require.NoError(t, db.Model(&essay).Association("Topics").Append(pointer, value, values, again, &pointers, &values))
		require.Len(t, essay.Topics, 14)
		ownRows(t, db, essay.Topics...)
		ownRows(t, db, pointer, again, &values[0], &values[1], &values[2], &values[3], pointers[0], pointers[1])
		require.Equal(t, []string{"new", "other", "s1"}, about(t, db, 1))
		require.Equal(t, "6", tally(t, db, "topics"))
	}
	// Across owners too.
	essays := []*Essay{{Title: "a", Topics: topics("shared", "s1")}, {Title: "b", Topics: topics("s2", "shared", "shared")}}
	require.NoError(t, db.WithContext(context.Background()).Create(essays).Error)
	ownRows(t, db, append(essays[0].Topics, essays[1].Topics...)...)
	require.Equal(t, []string{"s2", "shared"}, about(t, db, essays[1].ID))
	require.Equal(t, "7", tally(t, db, "topics"))
}
