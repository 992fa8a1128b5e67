package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

// naturalNames are natural keys that the app names.
var naturalNames = []behaviour{
	{"NaturalKey names one of several keys", kindNamed},
	{"NaturalKey of a single call leaves other calls as they are", kindNamedPerCall},
	{"the tag names one of several keys", kindTagged},
	{"a natural key that is no unique key is refused with the DDL that mends it", kindNotUnique},
	{"NaturalKey is refused without a model or fields, and twice for a model", kindOptionRefused},
}

func kindNamed(t *testing.T, e Engine) {
	for _, field := range []string{"Code", "code"} {
		db := desk(t, e.At(t, field, mode("default"), m2msafe.NaturalKey(&Topic{}, field), m2msafe.NaturalKey(Badge{}, "Name")), byName, byCode)
		elems := []*Topic{{Name: "whatever", Code: of("c2")}, {Name: "new", Code: of("d")}, {Code: of("d")}}
		require.NoError(t, addTopics(db, 1, elems...))
		ownRows(t, db, elems...)
		require.Equal(t, []string{"new", "s2"}, about(t, db, 1))
		before := topicRows(t, db)
		// The name no longer says which row it is, and is taken.
		require.Error(t, addTopics(db, 1, &Topic{Name: "s1"}))
		require.ErrorIs(t, addTopics(db, 1, &Topic{Name: "s1", Code: of("e")}), m2msafe.ErrTargetNotStored)
		require.Equal(t, before, topicRows(t, db))
	}
}

func kindNamedPerCall(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName, byCode)
	named := m2msafe.With(db, m2msafe.NaturalKey(&Topic{}, "Code"))
	for range 2 {
		require.NoError(t, addTopics(db, 1, &Topic{Name: "s3", Code: of("new")}))
		require.ErrorIs(t, addTopics(db, 1, &Topic{Name: "s3", Code: of("c1")}), m2msafe.ErrTargetConflict)
		byCode := &Topic{Name: "s3", Code: of("c1")}
		require.NoError(t, addTopics(named, 2, byCode))
		require.EqualValues(t, 1, byCode.ID)
		require.ErrorIs(t, addTopics(named, 2, &Topic{Name: "s3", Code: of("new")}), m2msafe.ErrTargetNotStored)
	}
	require.Equal(t, []string{"s3"}, about(t, db, 1))
	require.Equal(t, []string{"s1"}, about(t, db, 2))
}

// naturalTagged is a topic whose natural key is said to be its code.
type naturalTagged struct {
	ID   uint
	Name string
	Code *string `m2msafe:"naturalKey"`
	Lang string
	Note string
}

func (naturalTagged) TableName(n schema.Namer) string { return n.JoinTableName("topics") }

// naturalPage is an essay with tagged topics.
type naturalPage struct {
	ID     uint
	Topics []naturalTagged `gorm:"many2many:essay_topics;joinForeignKey:EssayID;joinReferences:TopicID"`
}

func (naturalPage) TableName(n schema.Namer) string { return n.JoinTableName("essays") }

func kindTagged(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName, byCode)
	elems := []naturalTagged{{Name: "s3", Code: of("c2")}, {Name: "new", Code: of("d")}}
	require.NoError(t, db.Model(&naturalPage{ID: 1}).Association("Topics").Append(elems))
	require.EqualValues(t, 2, elems[0].ID)
	require.Equal(t, []string{"new", "s2"}, about(t, db, 1))
	require.Error(t, db.Model(&naturalPage{ID: 1}).Association("Topics").Append(&naturalTagged{Name: "s1", Code: of("e")}))
	require.Equal(t, "5", tally(t, db, "topics"))
	dropIndex(t, db, "topics_code", "topics")
	again := e.DB(t)
	require.ErrorIs(t, again.Model(&naturalPage{ID: 1}).Association("Topics").Append(&naturalTagged{Code: of("c1")}), m2msafe.ErrNoUniqueKey)
}

func kindNotUnique(t *testing.T, e Engine) {
	key := m2msafe.NaturalKey(&Topic{}, "Name", "Lang")
	db := desk(t, e.DB(t, key), byName)
	err := addTopics(db, 1, topics("s1")...)
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
	require.Empty(t, about(t, db, 1))
	_, advice, found := strings.Cut(err.Error(), "mend it with: ")
	require.True(t, found, err.Error())
	exec(t, db, strings.TrimSuffix(advice, ")"))
	elem := &Topic{Name: "s1", Lang: "en"}
	require.NoError(t, addTopics(e.DB(t, key), 1, elem))
	ownRows(t, db, elem)
}

func kindOptionRefused(t *testing.T, e Engine) {
	for name, opts := range map[string][]m2msafe.Option{
		"nothing":   {m2msafe.NaturalKey(nil, "Name")},
		"no model":  {m2msafe.NaturalKey("topics", "Name")},
		"no fields": {m2msafe.NaturalKey(&Topic{})},
		"twice":     {m2msafe.NaturalKey(&Topic{}, "Name"), m2msafe.NaturalKey(Topic{}, "Code")},
		"policy":    {m2msafe.DeletedTargets(m2msafe.Lock)},
		"keys only": {m2msafe.KeysOnly(), m2msafe.KeysOnly()},
	} {
		require.ErrorIs(t, e.Stock(t).Use(m2msafe.New(opts...)), m2msafe.ErrOption, name)
	}
}
