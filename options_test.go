package m2msafe_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

func TestRefusedOptionsAreTheErrorOfUseOrOfEveryCallThroughWith(t *testing.T) {
	nothing := func(*gorm.DB, m2msafe.Event) error { return nil }
	for _, c := range []struct {
		name string
		opts []m2msafe.Option
		use  string // what db.Use says, empty if it takes them
		with string // what a call through With says, empty if it takes them
	}{
		{"nil", []m2msafe.Option{nil}, "option 1 is nil", "option 1 is nil"},
		{"NoUniqueKey twice", []m2msafe.Option{m2msafe.NoUniqueKey(m2msafe.Lock), m2msafe.NoUniqueKey(m2msafe.Lock)}, "NoUniqueKey is given twice", "NoUniqueKey is given twice"},
		{"NoUniqueKey(Revive)", []m2msafe.Option{m2msafe.NoUniqueKey(m2msafe.Revive)}, "NoUniqueKey takes Lock or Refuse", "NoUniqueKey takes Lock or Refuse"},
		{"NoUniqueKey(0)", []m2msafe.Option{m2msafe.NoUniqueKey(0)}, "NoUniqueKey takes Lock or Refuse", "NoUniqueKey takes Lock or Refuse"},
		{"DeletedLinks twice", []m2msafe.Option{m2msafe.DeletedLinks(m2msafe.Revive), m2msafe.DeletedLinks(m2msafe.Refuse)}, "DeletedLinks is given twice", "DeletedLinks is given twice"},
		{"DeletedLinks(Lock)", []m2msafe.Option{m2msafe.DeletedLinks(m2msafe.Lock)}, "DeletedLinks takes Revive or Refuse", "DeletedLinks takes Revive or Refuse"},
		{"Through", []m2msafe.Option{m2msafe.Through(map[string]any{})}, "Through belongs to single calls: give it to With, not to New", ""},
		{"Through twice", []m2msafe.Option{m2msafe.Through(map[string]any{}), m2msafe.Through(plainNote{})}, "Through belongs to single calls", "Through is given twice"},
		{"Through(nil)", []m2msafe.Option{m2msafe.Through(nil)}, "Through takes a map[string]any or a join model, not <nil>", "not <nil>"},
		{"Through(nil pointer)", []m2msafe.Option{m2msafe.Through((*plainNote)(nil))}, "not *m2msafe_test.plainNote", "not *m2msafe_test.plainNote"},
		{"Through(42)", []m2msafe.Option{m2msafe.Through(42)}, "not int", "not int"},
		{"Through(another map)", []m2msafe.Option{m2msafe.Through(map[string]int{})}, "not map[string]int", "not map[string]int"},
		{"ReportTo", []m2msafe.Option{m2msafe.ReportTo(new(m2msafe.Report))}, "ReportTo belongs to single calls", ""},
		{"ReportTo(nil)", []m2msafe.Option{m2msafe.ReportTo(nil)}, "ReportTo takes a *Report, not nil", "ReportTo takes a *Report, not nil"},
		{"OnLinked(nil)", []m2msafe.Option{m2msafe.OnLinked(nil)}, "OnLinked takes a function, not nil", "OnLinked takes a function, not nil"},
		{"OnLinked twice", []m2msafe.Option{m2msafe.OnLinked(nothing), m2msafe.OnLinked(nothing)}, "OnLinked is given twice", "OnLinked is given twice"},
		{"ChunkSize", []m2msafe.Option{m2msafe.ChunkSize(1)}, "ChunkSize belongs to single calls", ""},
		{"ChunkSize(0)", []m2msafe.Option{m2msafe.ChunkSize(0)}, "ChunkSize takes a number from 1 up, not 0", "ChunkSize takes a number from 1 up, not 0"},
		{"OnProgress", []m2msafe.Option{m2msafe.OnProgress(func(m2msafe.Progress) error { return nil })}, "OnProgress belongs to single calls", ""},
		{"OnProgress(nil)", []m2msafe.Option{m2msafe.OnProgress(nil)}, "OnProgress takes a function, not nil", "OnProgress takes a function, not nil"},
		{"Off twice", []m2msafe.Option{m2msafe.Off(), m2msafe.Off()}, "Off is given twice", "Off is given twice"},
		{"Off and others", []m2msafe.Option{m2msafe.Off(), m2msafe.NoUniqueKey(m2msafe.Lock)}, "Off conflicts with the other options", "Off conflicts with the other options"},
		{"two mistakes", []m2msafe.Option{nil, m2msafe.OnLinked(nil)}, "OnLinked takes a function", "option 1 is nil"},
		{"all that are right", []m2msafe.Option{m2msafe.NoUniqueKey(m2msafe.Refuse), m2msafe.DeletedLinks(m2msafe.Refuse), m2msafe.OnLinked(nothing)}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := connect(t, pgtest.DSN(t), nil)
			seed(t, db, 1)
			err := db.Use(m2msafe.New(c.opts...))
			if c.use == "" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, m2msafe.ErrOption)
				require.ErrorContains(t, err, c.use)
				assert.Nil(t, db.Callback().Update().Get("m2msafe:link"), "registered all the same")
			}

			db = connect(t, pgtest.DSN(t), nil)
			seed(t, db, 1)
			require.NoError(t, db.Use(m2msafe.New()))
			with := m2msafe.With(db, c.opts...)
			for range 2 { // the error must not be used up by the first call
				err = with.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1})
				if c.with == "" {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, m2msafe.ErrOption)
					require.ErrorContains(t, err, c.with)
				}
			}
			if c.with != "" {
				assert.Empty(t, links(t, db), "written all the same")
			}
			require.NoError(t, db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1}),
				"the session that With was given must not be touched")
		})
	}
}

func TestWithOnADBWithoutThePluginIsRefused(t *testing.T) {
	db := connect(t, pgtest.DSN(t), nil)
	seed(t, db, 1)
	with := m2msafe.With(db, m2msafe.ReportTo(new(m2msafe.Report)))
	for range 2 {
		require.ErrorIs(t, with.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1}), m2msafe.ErrNotInUse)
		require.ErrorIs(t, with.Create(&Article{ID: 9}).Error, m2msafe.ErrNotInUse)
	}
	assert.Empty(t, links(t, db))
}

func TestOffLeavesTheCallToStockGORMUntilAnotherWithTurnsItOn(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 1)
	link := func(db *gorm.DB) []string {
		rec.take()
		require.NoError(t, db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1}))
		return kinds(rec.take())
	}
	assert.Contains(t, link(db), "link")
	off := m2msafe.With(db, m2msafe.Off())
	assert.Contains(t, link(off), "INSERT article_publications")
	assert.NotContains(t, link(off), "link")
	assert.Contains(t, link(off.Session(&gorm.Session{NewDB: true})), "INSERT article_publications")

	var report m2msafe.Report
	assert.Contains(t, link(m2msafe.With(off, m2msafe.ReportTo(&report))), "link")
	assert.Len(t, report.Existing(), 1)
	assert.Contains(t, link(m2msafe.With(off)), "INSERT article_publications", "no option changes nothing")
}

func TestWithAddsToWhatAnEarlierWithSet(t *testing.T) {
	db := open(t)
	seed(t, db, 2)
	var first, second m2msafe.Report
	events := 0
	one := m2msafe.With(db, m2msafe.ReportTo(&first), m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { events++; return nil }))
	two := m2msafe.With(one, m2msafe.ReportTo(&second))
	require.NoError(t, one.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1}))
	require.NoError(t, two.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1}, &Publication{ID: 2}))
	assert.Equal(t, 2, events)
	assert.Len(t, first.Links(), 1)
	assert.Len(t, second.Created(), 1)
	assert.Len(t, second.Existing(), 1)
	second.Reset()
	assert.Empty(t, second.Links())
}

func TestAnEventThatFailsTakesTheLinksBack(t *testing.T) {
	refused := errors.New("refused by the app")
	db := open(t, m2msafe.OnLinked(func(tx *gorm.DB, e m2msafe.Event) error {
		assert.Equal(t, "Article.Publications", e.Relation)
		if err := tx.Create(&Publication{ID: 50, Name: "in the same transaction"}).Error; err != nil {
			return err
		}
		return refused
	}))
	seed(t, db, 1)
	var report m2msafe.Report
	err := m2msafe.With(db, m2msafe.ReportTo(&report)).Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 1})
	require.ErrorIs(t, err, refused)
	assert.Empty(t, links(t, db))
	assert.Equal(t, []string{"1"}, stored(t, db, `SELECT id FROM publications`))
	assert.Empty(t, report.Links())
}

func TestThroughRefusesWhatTheJoinTableDoesNotHave(t *testing.T) {
	type stranger struct{ Note string }
	for name, c := range map[string]struct {
		values any
		says   string
	}{
		"an unknown column":    {map[string]any{"colour": 1}, `no column "colour"`},
		"a column of the pair": {map[string]any{"article_id": 2}, "article_id belongs to the pair"},
		"a field of the pair":  {map[string]any{"PublicationID": 2}, "PublicationID belongs to the pair"},
		"a pair in a struct":   {plainNote{ArticleID: 2}, "ArticleID belongs to the pair"},
		"another struct":       {&stranger{"x"}, "m2msafe_test.stranger is not the join model m2msafe_test.plainNote"},
		"a value that can't":   {map[string]any{"rank": "much"}, "rank: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			joined(&plainNote{})(t, db)
			err := append32(m2msafe.With(db, m2msafe.Through(c.values)))
			require.ErrorIs(t, err, m2msafe.ErrOption)
			require.ErrorContains(t, err, c.says)
			assert.Empty(t, links(t, db))
		})
	}
}

func TestThroughTakesStructsExpressionsAndColumnsThatOnlyTheTableHas(t *testing.T) {
	for name, c := range map[string]struct {
		model  any
		values any
		want   []string
	}{
		"a struct":                    {&plainNote{}, plainNote{Note: "s", Rank: 3}, []string{"s|3|-"}},
		"a pointer":                   {&plainNote{}, &plainNote{Note: "p"}, []string{"p|7|-"}},
		"an expression":               {&plainNote{}, map[string]any{"note": gorm.Expr("lower(?)", "UP"), "Rank": 1}, []string{"up|1|-"}},
		"a column of the table":       {&plainNote{}, map[string]any{"extra": "e"}, []string{"|7|e"}},
		"the same with hooks":         {&hookedRank{}, map[string]any{"extra": "e", "rank": 4}, []string{"by the hook|4|e"}},
		"with hooks, zero is default": {&hookedRank{}, map[string]any{"rank": 0}, []string{"by the hook|7|-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			joined(c.model, `ALTER TABLE article_publications ADD COLUMN extra text NOT NULL DEFAULT '-'`)(t, db)
			err := m2msafe.With(db, m2msafe.Through(c.values)).Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 3})
			require.NoError(t, err)
			assert.Equal(t, c.want, stored(t, db, `SELECT note, rank, extra FROM article_publications`))
		})
	}
	t.Run("an expression with hooks is refused", func(t *testing.T) {
		db := open(t)
		joined(&hookedRank{})(t, db)
		err := append32(m2msafe.With(db, m2msafe.Through(map[string]any{"rank": gorm.Expr("1 + 1")})))
		require.ErrorIs(t, err, m2msafe.ErrOption)
		assert.Empty(t, links(t, db))
	})
}

// hookedRank is plainNote with a hook.
type hookedRank struct {
	ArticleID     uint `gorm:"primaryKey"`
	PublicationID uint `gorm:"primaryKey"`
	Note          string
	Rank          int `gorm:"default:7"`
}

func (hookedRank) TableName() string { return "article_publications" }

func (l *hookedRank) BeforeCreate(*gorm.DB) error {
	l.Note = "by the hook"
	return nil
}
