package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/utils/tests"

	"github.com/m2msafe/m2msafe"
)

// Stock GORM has no options.
var failOptions = []behaviour{
	{"db.Use surfaces a refused option, and the plugin is not in use", optionsRefused},
	{"With surfaces a refused option in every call", optionsRefusedWith},
	{"With without the plugin is an error of every call", optionsNotInUse},
	{"db.Use a second time is refused", optionsTwice},
	{"a database without statements is refused", optionsUnsupported},
	{"one Plugin serves several databases", optionsShared},
}

var (
	someReport  m2msafe.Report
	onLinkedNil = func(*gorm.DB, m2msafe.Event) error { return nil }
)

// refusedOptions are refused by New and by With.
var refusedOptions = map[string][]m2msafe.Option{
	"nil":                    {nil},
	"nil among others":       {m2msafe.NoUniqueKey(m2msafe.Lock), nil},
	"NoUniqueKey twice":      {m2msafe.NoUniqueKey(m2msafe.Lock), m2msafe.NoUniqueKey(m2msafe.Refuse)},
	"NoUniqueKey(Revive)":    {m2msafe.NoUniqueKey(m2msafe.Revive)},
	"NoUniqueKey(0)":         {m2msafe.NoUniqueKey(0)},
	"DeletedLinks twice":     {m2msafe.DeletedLinks(m2msafe.Revive), m2msafe.DeletedLinks(m2msafe.Revive)},
	"DeletedLinks(Lock)":     {m2msafe.DeletedLinks(m2msafe.Lock)},
	"DeletedLinks(99)":       {m2msafe.DeletedLinks(99)},
	"OnLinked(nil)":          {m2msafe.OnLinked(nil)},
	"OnLinked twice":         {m2msafe.OnLinked(onLinkedNil), m2msafe.OnLinked(onLinkedNil)},
	"Off twice":              {m2msafe.Off(), m2msafe.Off()},
	"Off and another":        {m2msafe.Off(), m2msafe.NoUniqueKey(m2msafe.Lock)},
	"another and Off":        {m2msafe.OnLinked(onLinkedNil), m2msafe.Off()},
	"ReportTo(nil)":          {m2msafe.ReportTo(nil)},
	"Through(nil)":           {m2msafe.Through(nil)},
	"Through of a text":      {m2msafe.Through("seat = 1")},
	"Through of a nil":       {m2msafe.Through((*Mark)(nil))},
	"Through of another map": {m2msafe.Through(map[string]string{"seat": "1"})},
	"Through of a slice":     {m2msafe.Through([]Mark{{}})},
	"Retries(-1)":            {m2msafe.Retries(-1)},
	"Retries twice":          {m2msafe.Retries(1), m2msafe.Retries(1)},
	"ChunkSize(0)":           {m2msafe.ChunkSize(0)},
	"OnProgress(nil)":        {m2msafe.OnProgress(nil)},
	"UnknownDatabase(Lock)":  {m2msafe.UnknownDatabase(m2msafe.Lock)},
	"several things at once": {nil, m2msafe.OnLinked(nil), m2msafe.Off(), m2msafe.Off()},
}

// callOnlyOptions belong to With.
var callOnlyOptions = map[string][]m2msafe.Option{
	"ReportTo": {m2msafe.ReportTo(&someReport)},
	"Through":  {m2msafe.Through(map[string]any{"seat": 1})},
}

func optionsRefused(t *testing.T, e Engine) {
	for _, table := range []map[string][]m2msafe.Option{refusedOptions, callOnlyOptions} {
		for name, opts := range table {
			db := e.Stock(t)
			require.ErrorIs(t, db.Use(m2msafe.New(opts...)), m2msafe.ErrOption, name)
			require.NotContains(t, db.Plugins, "m2msafe", name)
			require.NoError(t, db.Use(m2msafe.New()), name)
		}
	}
	require.ErrorIs(t, e.Stock(t).Use(new(m2msafe.Plugin)), m2msafe.ErrOption)
	err := e.Stock(t).Use(m2msafe.New(nil, m2msafe.OnLinked(nil), m2msafe.NoUniqueKey(m2msafe.Revive)))
	for _, part := range []string{"option 1 is nil", "OnLinked", "NoUniqueKey"} {
		require.ErrorContains(t, err, part)
	}
}

// everyCall are calls that fail with the error that With left.
var everyCall = map[string]func(db *gorm.DB) error{
	"Append": func(db *gorm.DB) error { return link(db, 1, 1) },
	"Create": func(db *gorm.DB) error { return db.Create(&Article{Title: "never"}).Error },
	"Save":   func(db *gorm.DB) error { return db.Save(&Article{ID: 1, Title: "never"}).Error },
	"First":  func(db *gorm.DB) error { return db.First(&Article{}, 1).Error },
	"Transaction": func(db *gorm.DB) error {
		return db.Transaction(func(tx *gorm.DB) error { return link(tx, 1, 1) })
	},
	"NewDB":  func(db *gorm.DB) error { return link(db.Session(&gorm.Session{NewDB: true}), 1, 1) },
	"Exec":   func(db *gorm.DB) error { return db.Exec(native(db, `DELETE FROM articles`)).Error },
	"Delete": func(db *gorm.DB) error { return db.Delete(&Article{}, 1).Error },
}

// nothingOpen checks that a call gave its connection back. GORM's Transaction on
// a *gorm.DB that carries an error begins, and then forgets, a transaction.
func nothingOpen(t testing.TB, db *gorm.DB, call string) {
	t.Helper()
	pool, err := db.DB()
	require.NoError(t, err)
	require.Zero(t, pool.Stats().InUse, call)
}

func optionsRefusedWith(t *testing.T, e Engine) {
	db := seeded(t, e)
	extra := map[string][]m2msafe.Option{
		"ReportTo twice": {m2msafe.ReportTo(&someReport), m2msafe.ReportTo(&someReport)},
		"Through twice":  {m2msafe.Through(Mark{}), m2msafe.Through(&Mark{})},
	}
	for _, table := range []map[string][]m2msafe.Option{refusedOptions, extra} {
		for name, opts := range table {
			for call, run := range everyCall {
				require.ErrorIs(t, run(m2msafe.With(db, opts...)), m2msafe.ErrOption, "%s, %s", name, call)
				nothingOpen(t, db, call)
			}
		}
	}
	require.Empty(t, linked(t, db))
	require.Equal(t, "3", tally(t, db, "articles"))
	require.NoError(t, link(db, 1, 1), "the error stays with the session")
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.ErrorIs(t, link(m2msafe.With(tx, nil), 1, 2), m2msafe.ErrOption)
		usable(t, tx)
		return link(tx, 1, 3)
	}))
	require.Equal(t, []string{"1|1", "1|3"}, linked(t, db))
}

func optionsNotInUse(t *testing.T, e Engine) {
	db := seed(t, e.Stock(t))
	for call, run := range everyCall {
		require.ErrorIs(t, run(m2msafe.With(db, m2msafe.Off())), m2msafe.ErrNotInUse, call)
		nothingOpen(t, db, call)
	}
	require.Empty(t, linked(t, db))
	require.Equal(t, "3", tally(t, db, "articles"))
	require.NoError(t, link(db, 1, 1))
}

func optionsTwice(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.ErrorIs(t, db.Use(m2msafe.New()), gorm.ErrRegistered)
	require.NoError(t, link(db, 1, 1))
	require.Equal(t, []string{"1|1"}, linked(t, db))
}

// No database is involved.
func optionsUnsupported(t *testing.T, _ Engine) {
	db, err := gorm.Open(tests.DummyDialector{}, mode("default"))
	require.NoError(t, err)
	err = db.Use(m2msafe.New(m2msafe.UnknownDatabase(m2msafe.Refuse)))
	require.ErrorIs(t, err, m2msafe.ErrUnsupportedDatabase)
	require.ErrorContains(t, err, "dummy")
	require.ErrorIs(t, m2msafe.With(db).Error, m2msafe.ErrNotInUse)

	var log logbook
	db.Logger = logger.New(&log, logger.Config{LogLevel: logger.Warn})
	require.NoError(t, db.Use(m2msafe.New()))
	require.Len(t, log.having(`unsupported database: "dummy": its many-to-many writes are left to stock GORM`), 1)
	require.ErrorIs(t, m2msafe.With(db).Error, m2msafe.ErrUnsupportedDatabase)
	require.NoError(t, m2msafe.With(db, m2msafe.Off()).Error)
}

func optionsShared(t *testing.T, e Engine) {
	plugin := m2msafe.New()
	require.Equal(t, "m2msafe", plugin.Name())
	for _, key := range []string{"one", "two"} {
		db := seed(t, e.Open(t, key, mode("default")))
		require.NoError(t, db.Use(plugin))
		if key == "two" {
			exec(t, db, `DROP TABLE article_publications`)
			exec(t, db, portable(db, `CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (publication_id, article_id))`))
		}
		for range 2 {
			require.NoError(t, link(db, 1, 1, 2))
		}
		require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
	}
}
