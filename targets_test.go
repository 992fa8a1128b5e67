package m2msafe_test

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

func contextWith(calls *hookCalls) context.Context {
	return context.WithValue(context.Background(), hookCallsKey{}, calls)
}

func TestHowTargetsAreSaved(t *testing.T) {
	for _, c := range []struct {
		name  string
		call  func(db *gorm.DB) error
		names []string
		links []string
	}{
		{"a stored one is left as it is", func(db *gorm.DB) error {
			return db.Create(&Article{ID: 9, Publications: []Publication{{ID: 1, Name: "changed"}}}).Error
		}, []string{"1|p1"}, []string{"9|1"}},
		{"FullSaveAssociations updates it", func(db *gorm.DB) error {
			return db.Session(&gorm.Session{FullSaveAssociations: true}).
				Create(&Article{ID: 9, Publications: []Publication{{ID: 1, Name: "changed"}, {ID: 1, Name: "twice"}, {ID: 9, Name: "new"}}}).Error
		}, []string{"1|changed", "9|new"}, []string{"9|1", "9|9"}},
		{"new ones of one key are one row", func(db *gorm.DB) error {
			return db.Create(&Article{ID: 9, Publications: []Publication{{ID: 10, Name: "b"}, {ID: 9, Name: "a"}, {ID: 10, Name: "c"}}}).Error
		}, []string{"1|p1", "9|a", "10|b"}, []string{"9|9", "9|10"}},
		{"what a Select names of them is saved", func(db *gorm.DB) error {
			return db.Select("ID", "Publications", "Publications.ID").Create(&Article{ID: 9, Publications: []Publication{{ID: 9, Name: "new"}}}).Error
		}, []string{"1|p1", "9"}, []string{"9|9"}},
		{"what an Omit names of them is not", func(db *gorm.DB) error {
			return db.Omit("Publications.Name").Create(&Article{ID: 9, Publications: []Publication{{ID: 9, Name: "new"}}}).Error
		}, []string{"1|p1", "9"}, []string{"9|9"}},
		{"a Select of the relation leaves what hangs on them", func(db *gorm.DB) error {
			return db.Select("ID", "Publications").Create(&Article{ID: 9, Publications: []Publication{{ID: 1, Articles: []*Article{{ID: 2}}}}}).Error
		}, []string{"1|p1"}, []string{"9|1"}},
		{"what hangs on a stored one is saved", func(db *gorm.DB) error {
			return db.Create(&Article{ID: 9, Publications: []Publication{{ID: 1, Articles: []*Article{{ID: 2}, {ID: 8, Title: "new"}}}}}).Error
		}, []string{"1|p1"}, []string{"2|1", "8|1", "9|1"}},
		{"what hangs on a new one is saved", func(db *gorm.DB) error {
			return db.Create(&Article{ID: 9, Publications: []Publication{{ID: 9, Articles: []*Article{{ID: 2}}}}}).Error
		}, []string{"1|p1", "9"}, []string{"2|9", "9|9"}},
		{"a circle ends", func(db *gorm.DB) error {
			article := &Article{ID: 9}
			article.Publications = []Publication{{ID: 1, Articles: []*Article{article}}}
			return db.Session(&gorm.Session{FullSaveAssociations: true}).Create(article).Error
		}, []string{"1"}, []string{"9|1"}},
		{"under Omit nothing that hangs on them is saved", func(db *gorm.DB) error {
			return db.Omit("Publications.*").Create(&Article{ID: 9, Publications: []Publication{{ID: 1, Articles: []*Article{{ID: 2}}}}}).Error
		}, []string{"1|p1"}, []string{"9|1"}},
		{"an owner by Save is inserted and linked", func(db *gorm.DB) error {
			return db.Save(&Article{ID: 9, Publications: []Publication{{ID: 1}}}).Error
		}, []string{"1|p1"}, []string{"9|1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			seed(t, db, 3)
			require.NoError(t, c.call(db))
			assert.Equal(t, c.names, stored(t, db, `SELECT id, nullif(name, '') AS name FROM publications WHERE id IN (1, 9, 10) ORDER BY 1`))
			assert.Equal(t, c.links, links(t, db))
		})
	}
}

// Page and Word refer to each other by columns that are no primary keys, one of
// a type of its own and one that may be NULL; the join model's types differ.
type (
	Page struct {
		ID    uint
		Slug  slug   `gorm:"unique"`
		Words []Word `gorm:"many2many:page_words;foreignKey:Slug;joinForeignKey:PageSlug;references:Text;joinReferences:WordText"`
	}
	Word struct {
		ID   uint
		Text *string `gorm:"unique"`
	}
	PageWord struct {
		PageSlug string `gorm:"primaryKey"`
		WordText string `gorm:"primaryKey"`
	}
)

// slug is a string that a hyphen may not begin.
type slug string

func TestReferencesThatAreNoPrimaryKeysGoThroughTheJoinModelsTypes(t *testing.T) {
	db := open(t)
	require.NoError(t, db.SetupJoinTable(&Page{}, "Words", &PageWord{}))
	require.NoError(t, db.AutoMigrate(&Page{}, &Word{}))
	exec(t, db, `INSERT INTO pages (slug) VALUES ('a,b')`)
	exec(t, db, `INSERT INTO words (text) VALUES ('NULL'), ('"')`)
	word := func(s string) Word { return Word{Text: &s} }
	page := &Page{ID: 1, Slug: "a,b"}
	require.NoError(t, db.Model(page).Association("Words").Append([]Word{word("NULL"), word(`"`), word("NULL")}))
	assert.Equal(t, []string{`a,b|"`, "a,b|NULL"}, stored(t, db, `SELECT page_slug, word_text FROM page_words ORDER BY 2`))

	err := db.Model(&Page{ID: 1, Slug: "a,b"}).Association("Words").Append(&Word{})
	require.ErrorIs(t, err, m2msafe.ErrZeroReference)
	assert.Equal(t, []string{"2"}, stored(t, db, `SELECT count(*) FROM words`))
	err = db.Model(&Page{ID: 1}).Association("Words").Append([]Word{word(`"`)})
	require.ErrorIs(t, err, m2msafe.ErrOwnerNotSaved)
}

// brittle is a key whose value can't always be had.
type brittle string

func (b brittle) Value() (driver.Value, error) {
	if b == "broken" {
		return nil, errValue
	}
	return string(b), nil
}

// Box has Items, whose keys are brittle.
type (
	Box struct {
		ID    uint
		Items []Item `gorm:"many2many:box_items"`
	}
	Item struct {
		Code brittle `gorm:"primaryKey;type:text"`
	}
)

func TestAKeyWhoseValueCannotBeHadIsAnErrorBeforeALink(t *testing.T) {
	db := open(t)
	require.NoError(t, db.AutoMigrate(&Box{}, &Item{}))
	exec(t, db, `INSERT INTO boxes DEFAULT VALUES`)
	exec(t, db, `INSERT INTO items VALUES ('a')`)
	err := db.Model(&Box{ID: 1}).Association("Items").Append(&Item{Code: "a"}, &Item{Code: "broken"})
	require.ErrorIs(t, err, errValue)
	assert.ErrorContains(t, err, "the value of Code can't be a key")
	assert.Empty(t, stored(t, db, `SELECT * FROM box_items`))
	require.NoError(t, db.Model(&Box{ID: 1}).Association("Items").Append(&Item{Code: "a"}, &Item{Code: "b"}))
	assert.Equal(t, []string{"1|a", "1|b"}, stored(t, db, `SELECT box_id, item_code FROM box_items ORDER BY 2`))
}

func TestOwnersMayStandInAnArrayOrASlice(t *testing.T) {
	db := open(t)
	seed(t, db, 2)
	owners := []*Article{{ID: 1, Publications: []Publication{{ID: 1}}}, {ID: 2, Publications: []Publication{{ID: 2}, {ID: 1}}}}
	require.NoError(t, db.Session(&gorm.Session{FullSaveAssociations: true}).Save(owners).Error)
	require.NoError(t, db.Create(&[2]Article{{ID: 8, Publications: []Publication{{ID: 1}}}, {ID: 9}}).Error)
	assert.Equal(t, []string{"1|1", "2|1", "2|2", "8|1"}, links(t, db))
}
