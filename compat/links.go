package compat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

var links = slices.Concat([]behaviour{
	{"the same link again stays one row", linkAgain},
	{"the same target twice in one call is one row", linkTwiceInOneCall},
	{"stored and new targets each end with their own ID", linkStoredAndNew},
	{"a stored target is linked and nothing else", linkStoredTarget},
	{"a target with a key that is not stored is created and linked", linkKeyedTarget},
	{"the owner's updated_at moves only with a new link", linkMovesOwner},
	{"an owner without a key is refused before anything is written", linkUnsavedOwner},
	{"a zero or NULL reference value is refused", linkZeroReference},
	{"a relation of a model to itself has no mirror rows", linkSelf},
	{"relations between the same models keep to their tables", linkSeveralRelations},
	{"a join model with three foreign keys uses the pair", linkThreeForeignKeys},
	{"both sides see a link made from either", linkBothSides},
	{"nothing to append writes nothing", linkNothing},
}, linkKeys, linkSizes)

// Stock GORM passes this too.
func linkAgain(t *testing.T, e Engine) {
	db := seeded(t, e)
	for range 3 {
		require.NoError(t, link(db, 1, 1, 2))
	}
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
}

// Stock GORM passes this too.
func linkTwiceInOneCall(t *testing.T, e Engine) {
	db := seeded(t, e)
	article := Article{ID: 1}
	require.NoError(t, db.Model(&article).Association("Publications").Append(publications(2, 1, 2)))
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
	require.Equal(t, []uint{2, 1, 2}, ids(article.Publications))

	again, other := &Publication{ID: 3}, &Publication{ID: 3}
	require.NoError(t, db.Model(&article).Association("Publications").Append(again, other, again))
	require.Equal(t, []string{"1|1", "1|2", "1|3"}, linked(t, db))
	require.Equal(t, []uint{3, 3}, []uint{again.ID, other.ID})
}

// Stock GORM passes this too: what it gets wrong are new targets with a unique
// column that is stored already.
func linkStoredAndNew(t *testing.T, e Engine) {
	for _, order := range [][]uint{{0, 2, 0, 4}, {2, 0, 4, 0}, {0, 0, 4, 2}, {4, 2, 0, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			db := seeded(t, e)
			article := Article{ID: 1}
			elems := make([]*Publication, len(order))
			for i, id := range order {
				elems[i] = &Publication{ID: id, Name: fmt.Sprint("new ", i)}
			}
			require.NoError(t, db.Model(&article).Association("Publications").Append(elems))
			for i, elem := range elems {
				name := elem.Name
				if order[i] != 0 {
					require.Equal(t, order[i], elem.ID)
					name = fmt.Sprint("p", elem.ID) // the row is not the element
				}
				require.Equal(t, name, one(t, db, `SELECT name FROM publications WHERE id = ?`, elem.ID))
				require.Equal(t, elem.ID, article.Publications[i].ID)
			}
			require.Len(t, linked(t, db), 4)
			require.Equal(t, "7", one(t, db, `SELECT COUNT(*) FROM publications`))
		})
	}
}

// Stock GORM inserts the target again (DO NOTHING): its hooks run.
func linkStoredTarget(t *testing.T, e Engine) {
	db, log := seeded(t, e), new(hooklog)
	const row = `SELECT name, updated_at FROM publications WHERE id = 2`
	before, counted := one(t, db, row), counter(t, db, "publications")
	elem := &Publication{ID: 2, Name: "only in memory"}
	require.NoError(t, log.on(db).Model(&Article{ID: 1}).Association("Publications").Append(elem))
	require.Equal(t, []string{"1|2"}, linked(t, db))
	require.Equal(t, before, one(t, db, row))
	require.Equal(t, counted, counter(t, db, "publications"))
	require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
	require.Empty(t, log.calls)
	require.Equal(t, uint(2), elem.ID)
	require.Equal(t, "only in memory", elem.Name)
}

// Stock GORM runs the hooks of target 2 too. What it creates is right.
func linkKeyedTarget(t *testing.T, e Engine) {
	db, log := seeded(t, e), new(hooklog)
	elems := []Publication{{ID: 77, Name: "seventy-seven"}, {ID: 2}, {ID: 78, Name: "seventy-eight"}}
	require.NoError(t, log.on(db).Model(&Article{ID: 1}).Association("Publications").Append(elems))
	require.Equal(t, []string{"1|2", "1|77", "1|78"}, linked(t, db))
	require.Equal(t, []string{"2|p2", "77|seventy-seven", "78|seventy-eight"},
		rows(t, db, `SELECT id, name FROM publications WHERE id IN (2, 77, 78) ORDER BY id`))
	slices.Sort(log.calls)
	require.Equal(t, []string{"target AfterCreate", "target AfterCreate", "target BeforeCreate",
		"target BeforeCreate", "target BeforeSave", "target BeforeSave"}, log.calls)

	log.fail = map[string]error{"target AfterCreate": errHook}
	err := log.on(db).Model(&Article{ID: 1}).Association("Publications").Append(publications(3, 79))
	require.ErrorIs(t, err, errHook)
	require.Len(t, linked(t, db), 3)
	require.Equal(t, "0", one(t, db, `SELECT COUNT(*) FROM publications WHERE id = 79`))
}

// Stock GORM moves it with every Append.
func linkMovesOwner(t *testing.T, e Engine) {
	db := seeded(t, e)
	const row = `SELECT updated_at FROM articles WHERE id = 1`
	before := one(t, db, row)
	require.NoError(t, link(db, 1, 1, 2))
	moved := one(t, db, row)
	require.NotEqual(t, before, moved)
	require.NoError(t, link(db, 1, 2, 1))
	require.Equal(t, moved, one(t, db, row))
	require.NoError(t, link(db, 1, 1, 3))
	require.NotEqual(t, moved, one(t, db, row))
}

// Stock GORM stores the target, and a link with owner 0 where no foreign key
// forbids it.
func linkUnsavedOwner(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`)
	for _, elem := range []*Publication{{ID: 1}, {Name: "new"}, {ID: 99}} {
		err := db.Model(&Article{Title: "not saved"}).Association("Publications").Append(elem)
		require.ErrorIs(t, err, m2msafe.ErrOwnerNotSaved)
	}
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.ErrorIs(t, link(tx, 0, 1), m2msafe.ErrOwnerNotSaved)
		return link(tx, 1, 1)
	}))
	require.Equal(t, []string{"1|1"}, linked(t, db))
	require.Equal(t, "5", one(t, db, `SELECT COUNT(*) FROM publications`))
	require.Equal(t, "3", one(t, db, `SELECT COUNT(*) FROM articles`))
}

// Stock GORM stores the zero value, or gets a NOT NULL error.
func linkZeroReference(t *testing.T, e Engine) {
	type Profile struct {
		ID     uint
		Handle *string `gorm:"unique"`
	}
	type Account struct {
		ID       uint
		Code     string    `gorm:"unique"`
		Profiles []Profile `gorm:"many2many:account_profiles;foreignKey:Code;joinForeignKey:AccountCode;references:Handle;joinReferences:ProfileHandle"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Account{}, &Profile{}))
	exec(t, db, `DROP TABLE account_profiles`) // no foreign keys to help
	exec(t, db, `CREATE TABLE account_profiles (account_code text, profile_handle text, UNIQUE (account_code, profile_handle))`)
	text := func(s string) *string { return &s }
	nobody, jane := Profile{}, Profile{Handle: text("jane")}
	require.NoError(t, db.Create([]*Profile{&nobody, &jane}).Error)
	require.NoError(t, db.Create([]*Account{{ID: 1, Code: "one"}, {ID: 2, Code: ""}}).Error)

	for _, bad := range []Profile{nobody, {}} {
		err := db.Model(&Account{ID: 1, Code: "one"}).Association("Profiles").Append([]Profile{jane, bad})
		require.ErrorIs(t, err, m2msafe.ErrZeroReference)
	}
	err := db.Model(&Account{ID: 2}).Association("Profiles").Append(&jane)
	require.ErrorIs(t, err, m2msafe.ErrOwnerNotSaved)
	require.Equal(t, "0", one(t, db, `SELECT COUNT(*) FROM account_profiles`))
	require.Equal(t, "2", one(t, db, `SELECT COUNT(*) FROM profiles`))

	require.NoError(t, db.Model(&Account{ID: 1, Code: "one"}).Association("Profiles").Append(&jane, &Profile{Handle: text("joe")}))
	require.Equal(t, []string{"one|jane", "one|joe"}, rows(t, db, `SELECT * FROM account_profiles ORDER BY 2`))
}

// Stock GORM passes this too.
func linkSelf(t *testing.T, e Engine) {
	type Person struct {
		ID      uint
		Name    string
		Friends []*Person `gorm:"many2many:friendships"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Person{}))
	ann, bob := &Person{Name: "ann"}, &Person{Name: "bob"}
	require.NoError(t, db.Create([]*Person{ann, bob}).Error)
	for range 2 {
		require.NoError(t, db.Model(ann).Association("Friends").Append(bob, ann))
	}
	friendships := `SELECT person_id, friend_id FROM friendships ORDER BY 1, 2`
	require.Equal(t, []string{"1|1", "1|2"}, rows(t, db, friendships))
	require.NoError(t, db.Model(bob).Association("Friends").Append(ann, &Person{Name: "eve"}))
	require.Equal(t, []string{"1|1", "1|2", "2|1", "2|3"}, rows(t, db, friendships))
	require.Equal(t, []string{"ann", "bob", "eve"}, rows(t, db, `SELECT name FROM people ORDER BY id`))
}

// Stock GORM passes this too.
func linkSeveralRelations(t *testing.T, e Engine) {
	type Player struct {
		ID   uint
		Name string
	}
	type Team struct {
		ID       uint
		Players  []Player  `gorm:"many2many:team_players"`
		Reserves []*Player `gorm:"many2many:team_reserves"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Team{}, &Player{}))
	team := &Team{Players: []Player{{Name: "x"}, {Name: "y"}}}
	require.NoError(t, db.Create(team).Error)
	for range 2 {
		require.NoError(t, db.Model(team).Association("Reserves").Append(&team.Players[1]))
	}
	require.NoError(t, db.Model(team).Association("Players").Append(&Player{Name: "z"}))
	require.Equal(t, []string{"1|1", "1|2", "1|3"}, rows(t, db, `SELECT * FROM team_players ORDER BY 2`))
	require.Equal(t, []string{"1|2"}, rows(t, db, `SELECT * FROM team_reserves`))
}

// Assignment is a join model with a third foreign key.
type Assignment struct {
	ArticleID     uint  `gorm:"primaryKey"`
	PublicationID uint  `gorm:"primaryKey"`
	EditorID      *uint `gorm:"index"`
	Editor        *Editor
}

// TableName puts it where the relation looks.
func (Assignment) TableName(n schema.Namer) string { return pairTable(n) }

// Editor is what Assignment refers to besides the pair.
type Editor struct{ ID uint }

// Stock GORM passes this too.
func linkThreeForeignKeys(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", &Assignment{}))
	require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", &Assignment{}))
	require.NoError(t, db.AutoMigrate(&Editor{}))
	seed(t, db)
	exec(t, db, `INSERT INTO editors (id) VALUES (7)`)
	exec(t, db, `INSERT INTO article_publications (article_id, publication_id, editor_id) VALUES (1, 2, 7)`)
	for range 2 {
		require.NoError(t, link(db, 1, 1, 2))
	}
	require.Equal(t, []string{"1|1|<nil>", "1|2|7"},
		rows(t, db, `SELECT article_id, publication_id, editor_id FROM article_publications ORDER BY 2`))
}

// Stock GORM passes this too.
func linkBothSides(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, link(db, 1, 2))
	publication := Publication{ID: 2}
	require.NoError(t, db.Model(&publication).Association("Articles").Append(&Article{ID: 1}, &Article{ID: 3}, &Article{Title: "new"}))
	require.NoError(t, link(db, 3, 2, 5))
	require.Equal(t, []string{"1|2", "3|2", "3|5", "4|2"}, linked(t, db))

	var seen []Article
	require.NoError(t, db.Model(&Publication{ID: 2}).Order("id").Association("Articles").Find(&seen))
	require.Len(t, seen, 3)
	var back Article
	require.NoError(t, db.Preload("Publications").First(&back, 4).Error)
	require.Equal(t, []uint{2}, ids(back.Publications))
	require.Equal(t, []string{"a1", "a2", "a3", "new"}, rows(t, db, `SELECT title FROM articles ORDER BY id`))
}

// Stock GORM passes this too.
func linkNothing(t *testing.T, e Engine) {
	db := seeded(t, e)
	article := Article{ID: 1}
	require.NoError(t, db.Model(&article).Association("Publications").Append())
	require.NoError(t, db.Model(&article).Association("Publications").Append([]Publication{}))
	require.NoError(t, db.Model(&article).Association("Publications").Append([]*Publication(nil)))
	require.Empty(t, linked(t, db))
	require.Empty(t, article.Publications)
}

// ids are the keys of elements in memory.
func ids(elems []Publication) []uint {
	keys := make([]uint, len(elems))
	for i, elem := range elems {
		keys[i] = elem.ID
	}
	return keys
}
