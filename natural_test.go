package m2msafe_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// Story has Topics, which are known by their unique names.
type Story struct {
	ID     uint
	Topics []*Topic `gorm:"many2many:story_topics"`
}

// Topic is what a Story has. Its hooks are what the context holds.
type Topic struct {
	ID   uint
	Name string `gorm:"uniqueIndex"`
	Note string
}

// topicHooks is what a test lets a Topic's hooks do and note.
type topicHooks struct {
	before func(*Topic) // what happens while a topic is being created
	ran    []string
}

type topicHooksKey struct{}

func (h *topicHooks) context() context.Context {
	return context.WithValue(context.Background(), topicHooksKey{}, h)
}

func (t *Topic) hook(tx *gorm.DB, name string) *topicHooks {
	h, ok := tx.Statement.Context.Value(topicHooksKey{}).(*topicHooks)
	if !ok {
		return &topicHooks{}
	}
	h.ran = append(h.ran, name+" "+t.Name)
	return h
}

func (t *Topic) BeforeCreate(tx *gorm.DB) error {
	if h := t.hook(tx, "BeforeCreate"); h.before != nil {
		h.before(t)
	}
	return nil
}

func (t *Topic) AfterCreate(tx *gorm.DB) error {
	t.hook(tx, "AfterCreate")
	return nil
}

func (t *Topic) AfterFind(tx *gorm.DB) error {
	t.hook(tx, "AfterFind")
	return nil
}

// topics makes the tables, the stories 1 to 8 and topics of those names.
func topics(t testing.TB, db *gorm.DB, names ...string) {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Story{}, &Topic{}))
	exec(t, db, `INSERT INTO stories SELECT generate_series(1, 8)`)
	for _, name := range names {
		exec(t, db, `INSERT INTO topics (name, note) VALUES (?, 'stored')`, name)
	}
}

// topicLinks is what story_topics holds, as "story|name".
func topicLinks(t testing.TB, db *gorm.DB) []string {
	t.Helper()
	return stored(t, db, `SELECT story_id, name FROM story_topics LEFT JOIN topics ON topics.id = topic_id ORDER BY 1, 2`)
}

// idOf is the key of the row that has a name.
func idOf(t testing.TB, db *gorm.DB, name string) (id uint) {
	t.Helper()
	require.NoError(t, db.Raw(`SELECT id FROM topics WHERE name = ?`, name).Scan(&id).Error)
	require.NotZero(t, id, name)
	return id
}

func TestStoredNewAndEqualNamesOfOneCallGetTheirOwnRowsKeys(t *testing.T) {
	db := open(t)
	topics(t, db, "go", "sql")
	hooks := &topicHooks{}
	list := []*Topic{{Name: "zig"}, {Name: "sql"}, {Name: "zig"}, {Name: "ada"}, {Name: "go"}, {Name: "go"}}
	require.NoError(t, db.WithContext(hooks.context()).Model(&Story{ID: 1}).Association("Topics").Append(list))
	for _, topic := range list {
		assert.Equal(t, idOf(t, db, topic.Name), topic.ID, topic.Name)
	}
	assert.Equal(t, "stored", list[1].Note, "what was found is loaded")
	assert.Equal(t, []string{"1|ada", "1|go", "1|sql", "1|zig"}, topicLinks(t, db))
	for _, hook := range hooks.ran {
		assert.NotContains(t, []string{"BeforeCreate go", "BeforeCreate sql", "AfterCreate go", "AfterCreate sql"}, hook)
	}
	assert.Contains(t, hooks.ran, "AfterCreate zig")
}

func TestWritersOfTheSameNewNamesEndWithOneRowEach(t *testing.T) {
	db := open(t)
	topics(t, db)
	lists := make([][]*Topic, 8)
	errs := make([]error, len(lists))
	var done sync.WaitGroup
	for w := range lists {
		for i := range 10 {
			lists[w] = append(lists[w], &Topic{Name: fmt.Sprint("t", (i+w)%10)})
		}
		done.Go(func() { errs[w] = db.Model(&Story{ID: uint(w + 1)}).Association("Topics").Append(lists[w]) })
	}
	done.Wait()
	for w, list := range lists {
		require.NoError(t, errs[w])
		for _, topic := range list {
			assert.Equal(t, idOf(t, db, topic.Name), topic.ID)
		}
	}
	assert.Len(t, topicLinks(t, db), 80)
	assert.Equal(t, []string{"10"}, stored(t, db, `SELECT count(*) FROM topics`))
}

func TestALookupThatMissesAndALostInsertEndWithTheWinner(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	hooks := &topicHooks{}
	hooks.before = func(topic *Topic) {
		if topic.Name == "b" {
			exec(t, db, `INSERT INTO topics (name, note) VALUES ('b', 'theirs')`)
		}
	}
	list := []*Topic{{Name: "c"}, {Name: "b"}, {Name: "go"}, {Name: "a"}}
	err := db.WithContext(hooks.context()).Model(&Story{ID: 1}).Association("Topics").Append(list)
	require.NoError(t, err)
	for _, topic := range list {
		assert.Equal(t, idOf(t, db, topic.Name), topic.ID, topic.Name)
	}
	assert.Equal(t, "theirs", list[1].Note)
	assert.NotContains(t, hooks.ran, "AfterCreate b")
	assert.Contains(t, hooks.ran, "AfterCreate c")
	assert.Equal(t, []string{"1|a", "1|b", "1|c", "1|go"}, topicLinks(t, db))
}

func TestHowNamesGoWithOtherWaysToSaveTargets(t *testing.T) {
	add := func(db *gorm.DB, topics ...*Topic) error {
		return db.Model(&Story{ID: 1}).Association("Topics").Append(topics)
	}
	for _, c := range []struct {
		name   string
		call   func(db *gorm.DB) error
		fails  error
		links  []string
		stored []string
	}{
		{"a key counts before a name", func(db *gorm.DB) error {
			return add(db, &Topic{ID: 1, Name: "other"})
		}, nil, []string{"1|go"}, []string{"1|go|stored"}},
		{"a key that is not stored, with a name that is", func(db *gorm.DB) error {
			return add(db, &Topic{ID: 9, Name: "go"})
		}, m2msafe.ErrTargetNotStored, []string{}, []string{"1|go|stored"}},
		{"Omit links by name", func(db *gorm.DB) error {
			return add(db.Omit("Topics.*"), &Topic{Name: "go"})
		}, nil, []string{"1|go"}, []string{"1|go|stored"}},
		{"and creates nothing", func(db *gorm.DB) error {
			return add(db.Omit("Topics.*"), &Topic{Name: "go"}, &Topic{Name: "new"})
		}, m2msafe.ErrZeroReference, []string{}, []string{"1|go|stored"}},
		{"FullSaveAssociations updates what is found, equal elements as one", func(db *gorm.DB) error {
			return add(db.Session(&gorm.Session{FullSaveAssociations: true}),
				&Topic{Name: "go", Note: "changed"}, &Topic{Name: "new", Note: "n"}, &Topic{Name: "new", Note: "n"})
		}, nil, []string{"1|go", "1|new"}, []string{"1|go|changed", "2|new|n"}},
		{"Create of an owner", func(db *gorm.DB) error {
			return db.Create(&Story{ID: 9, Topics: []*Topic{{Name: "new"}, {Name: "go"}}}).Error
		}, nil, []string{"9|go", "9|new"}, []string{"1|go|stored", "2|new|"}},
		{"Save of a stored owner", func(db *gorm.DB) error {
			return db.Save(&Story{ID: 2, Topics: []*Topic{{Name: "go"}}}).Error
		}, nil, []string{"2|go"}, []string{"1|go|stored"}},
		{"gorm.G", func(db *gorm.DB) error {
			_, err := gorm.G[Story](db).Where("id = ?", 1).Set(clause.Association{
				Association: "Topics", Type: clause.OpCreate, Values: []any{Topic{Name: "go"}, Topic{Name: "new"}},
			}).Update(context.Background())
			return err
		}, nil, []string{"1|go", "1|new"}, []string{"1|go|stored", "2|new|"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			topics(t, db, "go")
			require.ErrorIs(t, c.call(db), c.fails)
			assert.Equal(t, c.links, topicLinks(t, db))
			assert.Equal(t, c.stored, stored(t, db, `SELECT * FROM topics ORDER BY id`))
		})
	}
}

// Club has Members, whose rows have two unique keys beside the primary one.
type (
	Club struct {
		ID       uint
		Members  []*Member  `gorm:"many2many:club_members"`
		Accounts []*Account `gorm:"many2many:club_accounts"`
	}
	Member struct {
		ID     uint
		Email  string `gorm:"uniqueIndex"`
		Handle string `gorm:"uniqueIndex"`
		Role   string
	}
	Account struct {
		ID     uint
		Email  string `gorm:"uniqueIndex" m2msafe:"naturalKey"`
		Handle string `gorm:"uniqueIndex"`
	}
)

func clubs(t testing.TB, db *gorm.DB) {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Club{}, &Member{}, &Account{}))
	exec(t, db, `INSERT INTO clubs VALUES (1)`)
	exec(t, db, `INSERT INTO members (email, handle, role) VALUES ('ann@x', 'ann', ''), ('bob@x', 'bob', '')`)
	exec(t, db, `INSERT INTO accounts (email, handle) VALUES ('ann@x', 'ann'), ('bob@x', 'bob')`)
}

func join(db *gorm.DB, m *Member) error {
	return db.Model(&Club{ID: 1}).Association("Members").Append(m)
}

func TestTwoKeysOfTwoRowsAreAnErrorUnlessOneOfThemIsNamed(t *testing.T) {
	torn := func() *Member { return &Member{Email: "ann@x", Handle: "bob"} }
	t.Run("an error that names both", func(t *testing.T) {
		db := open(t)
		clubs(t, db)
		err := join(db, torn())
		require.ErrorIs(t, err, m2msafe.ErrTargetConflict)
		var failed *m2msafe.LinkError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, [][]any{{uint(1)}, {uint(2)}}, failed.Targets)
		assert.ErrorContains(t, err, "by idx_members_email it is row 1, by idx_members_handle it is row 2")
		assert.Empty(t, stored(t, db, `SELECT * FROM club_members`))

		require.NoError(t, join(db, &Member{Email: "ann@x", Handle: "other"}), "one row alone is found")
		require.NoError(t, join(db, &Member{Handle: "bob"}), "a key without a value does not count")
		assert.Equal(t, []string{"1|1", "1|2"}, stored(t, db, `SELECT * FROM club_members ORDER BY 2`))
	})
	for name, key := range map[string]string{"by a field": "Email", "by a column": "email"} {
		t.Run("named "+name, func(t *testing.T) {
			t.Parallel()
			db := open(t, m2msafe.NaturalKey(&Member{}, key))
			clubs(t, db)
			m := torn()
			require.NoError(t, join(db, m))
			assert.Equal(t, Member{ID: 1, Email: "ann@x", Handle: "ann"}, *m)
		})
	}
	t.Run("named by the model's tag", func(t *testing.T) {
		db := open(t)
		clubs(t, db)
		m := &Account{Email: "ann@x", Handle: "bob"}
		require.NoError(t, db.Model(&Club{ID: 1}).Association("Accounts").Append(m))
		assert.Equal(t, uint(1), m.ID)
	})
	t.Run("named for one call, before and after others", func(t *testing.T) {
		db := open(t)
		clubs(t, db)
		require.ErrorIs(t, join(db, torn()), m2msafe.ErrTargetConflict)
		require.NoError(t, join(m2msafe.With(db, m2msafe.NaturalKey(&Member{}, "Email")), torn()))
		require.ErrorIs(t, join(db, torn()), m2msafe.ErrTargetConflict)
		require.NoError(t, join(m2msafe.With(db, m2msafe.NaturalKey(&Member{}, "Handle")), torn()))
		assert.Equal(t, []string{"1|1", "1|2"}, stored(t, db, `SELECT * FROM club_members ORDER BY 2`))
	})
	t.Run("named, and no unique key", func(t *testing.T) {
		db := open(t, m2msafe.NaturalKey(&Member{}, "Role"))
		clubs(t, db)
		err := join(db, torn())
		require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
		assert.ErrorContains(t, err, "CREATE UNIQUE INDEX")
	})
}

func TestKeysOnlyLeavesTheOtherFieldsAsTheyAre(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	topic := &Topic{Name: "go", Note: "mine"}
	require.NoError(t, m2msafe.With(db, m2msafe.KeysOnly()).Model(&Story{ID: 1}).Association("Topics").Append(topic))
	assert.Equal(t, Topic{ID: 1, Name: "go", Note: "mine"}, *topic)
	require.NoError(t, db.Model(&Story{ID: 2}).Association("Topics").Append(&Topic{Name: "go", Note: "mine"}))
	assert.Equal(t, []string{"1|go|stored"}, stored(t, db, `SELECT * FROM topics`), "a found row is not changed")
}

// Shop has Wares that are deleted softly; all of them take their codes, or the
// living ones alone.
type (
	Shop struct {
		ID    uint
		Wares []*Ware  `gorm:"many2many:shop_wares"`
		Goods []*Goods `gorm:"many2many:shop_goods"`
	}
	Ware struct {
		ID        uint
		Code      string `gorm:"uniqueIndex"`
		Price     int
		DeletedAt gorm.DeletedAt
	}
	Goods struct {
		ID        uint
		Code      string `gorm:"uniqueIndex:living,where:deleted_at IS NULL"`
		Price     int
		DeletedAt gorm.DeletedAt
	}
)

func shops(t testing.TB, db *gorm.DB) {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Shop{}, &Ware{}, &Goods{}))
	exec(t, db, `INSERT INTO shops VALUES (1)`)
	exec(t, db, `INSERT INTO wares (code, price, deleted_at) VALUES ('dead', 7, now())`)
	exec(t, db, `INSERT INTO goods (code, price, deleted_at) VALUES ('dead', 7, now())`)
}

func TestSoftDeletedTargets(t *testing.T) {
	for _, c := range []struct {
		policy       m2msafe.Policy
		wares, goods error
		stored       []string // of goods: id, price, living
	}{
		{m2msafe.Refuse, m2msafe.ErrDeletedTarget, m2msafe.ErrDeletedTarget, []string{"1|7|false"}},
		{m2msafe.Revive, nil, nil, []string{"1|7|true"}},
		{m2msafe.Ignore, m2msafe.ErrDeletedTarget, nil, []string{"1|7|false", "2|9|true"}},
	} {
		t.Run(fmt.Sprint(c.policy), func(t *testing.T) {
			t.Parallel()
			db := open(t, m2msafe.DeletedTargets(c.policy))
			shops(t, db)
			ware, goods := &Ware{Code: "dead", Price: 9}, &Goods{Code: "dead", Price: 9}
			err := db.Model(&Shop{ID: 1}).Association("Wares").Append(ware)
			if c.wares == nil {
				require.NoError(t, err)
				assert.Equal(t, Ware{ID: 1, Code: "dead", Price: 7}, *ware)
				assert.Equal(t, []string{"1|true"}, stored(t, db, `SELECT id, deleted_at IS NULL AS living FROM wares`))
			} else {
				require.ErrorIs(t, err, c.wares)
				assert.ErrorContains(t, err, "it is row 1")
				assert.Equal(t, []string{"1|false"}, stored(t, db, `SELECT id, deleted_at IS NULL AS living FROM wares`))
			}
			require.ErrorIs(t, db.Model(&Shop{ID: 1}).Association("Goods").Append(goods), c.goods)
			if c.goods == nil {
				assert.NotZero(t, goods.ID)
				assert.False(t, goods.DeletedAt.Valid)
			}
			assert.Equal(t, c.stored, stored(t, db, `SELECT id, price, deleted_at IS NULL AS living FROM goods ORDER BY id`))
		})
	}
}

// A key of the living leaves any number of dead rows behind, as history.
func TestSeveralDeadRowsOfOneKey(t *testing.T) {
	db := open(t)
	shops(t, db)
	exec(t, db, `INSERT INTO goods (code, price, deleted_at) VALUES ('dead', 8, now())`)
	call := func(db *gorm.DB) (*Goods, error) {
		goods := &Goods{Code: "dead", Price: 9}
		return goods, db.Model(&Shop{ID: 1}).Association("Goods").Append(goods)
	}
	_, err := call(db)
	require.ErrorIs(t, err, m2msafe.ErrDeletedTarget)
	goods, err := call(m2msafe.With(db, m2msafe.DeletedTargets(m2msafe.Ignore)))
	require.NoError(t, err)
	assert.Equal(t, uint(3), goods.ID)
	goods, err = call(db)
	require.NoError(t, err, "the living row comes before the dead ones")
	assert.Equal(t, uint(3), goods.ID)
	assert.Equal(t, []string{"1|7|false", "2|8|false", "3|9|true"}, stored(t, db, `SELECT id, price, deleted_at IS NULL AS living FROM goods ORDER BY id`))
}

// One policy may be the app's, another a call's.
func TestDeletedTargetsOfACallWinOverTheApps(t *testing.T) {
	db := open(t)
	shops(t, db)
	call := func(db *gorm.DB) error {
		return db.Model(&Shop{ID: 1}).Association("Wares").Append(&Ware{Code: "dead"})
	}
	require.ErrorIs(t, call(db), m2msafe.ErrDeletedTarget)
	require.NoError(t, call(m2msafe.With(db, m2msafe.DeletedTargets(m2msafe.Revive))))
}

func TestOptionsAboutTargetsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		opts []m2msafe.Option
		says string
	}{
		"DeletedTargets(Lock)":         {[]m2msafe.Option{m2msafe.DeletedTargets(m2msafe.Lock)}, "DeletedTargets takes Refuse, Revive or Ignore"},
		"DeletedTargets(0)":            {[]m2msafe.Option{m2msafe.DeletedTargets(0)}, "DeletedTargets takes Refuse, Revive or Ignore"},
		"DeletedTargets twice":         {[]m2msafe.Option{m2msafe.DeletedTargets(m2msafe.Revive), m2msafe.DeletedTargets(m2msafe.Ignore)}, "DeletedTargets is given twice"},
		"DeletedLinks(Ignore)":         {[]m2msafe.Option{m2msafe.DeletedLinks(m2msafe.Ignore)}, "DeletedLinks takes Revive or Refuse"},
		"NoUniqueKey(Ignore)":          {[]m2msafe.Option{m2msafe.NoUniqueKey(m2msafe.Ignore)}, "NoUniqueKey takes Lock or Refuse"},
		"NaturalKey(nil)":              {[]m2msafe.Option{m2msafe.NaturalKey(nil, "Name")}, "NaturalKey takes a model and its fields"},
		"NaturalKey of no model":       {[]m2msafe.Option{m2msafe.NaturalKey(42, "Name")}, "NaturalKey takes a model and its fields"},
		"NaturalKey without fields":    {[]m2msafe.Option{m2msafe.NaturalKey(&Topic{})}, "NaturalKey takes a model and its fields"},
		"NaturalKey twice for a model": {[]m2msafe.Option{m2msafe.NaturalKey(&Topic{}, "Name"), m2msafe.NaturalKey(Topic{}, "Name")}, "NaturalKey of m2msafe_test.Topic is given twice"},
		"KeysOnly twice":               {[]m2msafe.Option{m2msafe.KeysOnly(), m2msafe.KeysOnly()}, "KeysOnly is given twice"},
		"KeysOnly and Off":             {[]m2msafe.Option{m2msafe.KeysOnly(), m2msafe.Off()}, "Off conflicts with the other options"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := connect(t, pgtest.DSN(t), nil)
			err := db.Use(m2msafe.New(c.opts...))
			require.ErrorIs(t, err, m2msafe.ErrOption)
			require.ErrorContains(t, err, c.says)

			db = connect(t, pgtest.DSN(t), nil)
			topics(t, db, "go")
			require.NoError(t, db.Use(m2msafe.New()))
			err = m2msafe.With(db, c.opts...).Model(&Story{ID: 1}).Association("Topics").Append(&Topic{Name: "go"})
			require.ErrorIs(t, err, m2msafe.ErrOption)
			require.ErrorContains(t, err, c.says)
			_, err = m2msafe.GetOrCreate(t.Context(), db, &Topic{Name: "new"}, c.opts...)
			require.ErrorIs(t, err, m2msafe.ErrOption)
			require.ErrorContains(t, err, c.says)
			assert.Empty(t, topicLinks(t, db))
		})
	}
	// Keys of several models go together, in New and in With.
	db := open(t, m2msafe.NaturalKey(&Topic{}, "Name"), m2msafe.NaturalKey(&Member{}, "Email"))
	topics(t, db, "go")
	clubs(t, db)
	with := m2msafe.With(db, m2msafe.NaturalKey(&Ware{}, "Code"))
	require.NoError(t, with.Model(&Story{ID: 1}).Association("Topics").Append(&Topic{Name: "go"}))
	require.NoError(t, join(with, &Member{Email: "ann@x", Handle: "bob"}))
}

// Sticker is known by a name that its hook folds.
type Sticker struct {
	ID        uint
	Name      string `gorm:"uniqueIndex"`
	DeletedAt gorm.DeletedAt
}

func (s *Sticker) BeforeCreate(*gorm.DB) error {
	s.Name = strings.ToLower(s.Name)
	return nil
}

// Parcel has Stickers.
type Parcel struct {
	ID       uint
	Stickers []*Sticker `gorm:"many2many:parcel_stickers"`
}

// The key that is stored is known only once the hook has run.
func TestAHookMayMakeTheKeyOfADeadRow(t *testing.T) {
	db := open(t)
	require.NoError(t, db.AutoMigrate(&Parcel{}, &Sticker{}))
	exec(t, db, `INSERT INTO parcels VALUES (1)`)
	exec(t, db, `INSERT INTO stickers (name, deleted_at) VALUES ('red', now()), ('blue', NULL)`)
	stickers := []*Sticker{{Name: "Green"}, {Name: "RED"}, {Name: "Blue"}}
	call := func(db *gorm.DB) error { return db.Model(&Parcel{ID: 1}).Association("Stickers").Append(stickers) }
	require.ErrorIs(t, call(db), m2msafe.ErrDeletedTarget)
	assert.Equal(t, []string{"0"}, stored(t, db, `SELECT count(*) FROM parcel_stickers`))
	stickers = []*Sticker{{Name: "Green"}, {Name: "RED"}, {Name: "Blue"}}
	require.NoError(t, call(m2msafe.With(db, m2msafe.DeletedTargets(m2msafe.Revive))))
	assert.Equal(t, []uint{1, 2}, []uint{stickers[1].ID, stickers[2].ID})
	assert.Equal(t, []string{"blue|true", "green|true", "red|true"}, stored(t, db,
		`SELECT name, deleted_at IS NULL FROM stickers JOIN parcel_stickers ON sticker_id = id ORDER BY 1`))
}
