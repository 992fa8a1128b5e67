package m2msafe_test

import (
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// Name is known by its text, which is all that it has.
type Name struct {
	Text  string `gorm:"primaryKey"`
	Alias string `gorm:"unique"`
	Heirs []Name `gorm:"many2many:heirs;joinForeignKey:Of;joinReferences:Heir"`
}

// compat has the same of what GORM's logger is shown, on every engine. This is what
// goes over the wire, the catalogue's statements with it.
func TestNoValueIsInTheTextOfAStatement(t *testing.T) {
	const secret = "S3CR3T'; --"
	db, rec := recorded(t, &gorm.Config{})
	require.NoError(t, db.AutoMigrate(&Name{}))
	require.NoError(t, db.Create(&[]Name{{Text: secret, Alias: secret + "alias"}, {Text: secret + "2", Alias: secret + "alias2"}}).Error)
	rec.take()

	heirs := func(db *gorm.DB) *gorm.Association { return db.Model(&Name{Text: secret}).Association("Heirs") }
	require.NoError(t, heirs(db).Append(&Name{Text: secret + "2"}))
	require.NoError(t, heirs(db).Append([]Name{{Text: secret}, {Text: secret + "3", Alias: secret + "alias3"}, {Alias: secret + "alias2"}}))
	require.ErrorIs(t, heirs(db.Omit("Heirs.*")).Append(&Name{Text: secret + "9"}), m2msafe.ErrTargetNotStored)
	created, err := m2msafe.GetOrCreate(t.Context(), db, &Name{Text: secret + "4", Alias: secret + "alias4"})
	require.NoError(t, err)
	assert.True(t, created)
	_, err = m2msafe.LinkPairs(t.Context(), db, &Name{}, "Heirs", maps.All(map[string]string{secret: secret + "4"}))
	require.NoError(t, err)

	sent := rec.take()
	assert.Contains(t, kinds(sent), "catalogue")
	for _, s := range sent {
		assert.NotContains(t, s.SQL, "S3CR3T")
	}
}

// What a call says of itself has nothing of the way to the database in it.
func TestThePasswordIsInNoLogAndNoError(t *testing.T) {
	dsn := pgtest.DSN(t)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	if config.Password == "" {
		t.Skip("the server of the tests asks for none")
	}
	book := newLogbook()
	db := connect(t, dsn, &gorm.Config{Logger: book})
	require.NoError(t, db.Use(m2msafe.New()))
	seeded(`ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)(t, db)
	require.NoError(t, linkOne(db, 1), "with a warning")
	assert.Len(t, book.warnings, 1)
	pool, err := db.DB()
	require.NoError(t, err)
	require.NoError(t, pool.Close())
	err = linkOne(db, 2)
	require.Error(t, err)
	for _, said := range append(append(book.warnings, book.statements...), err.Error()) {
		assert.NotContains(t, said, config.Password)
	}
}

// GORM's own logger, under ParameterizedQueries: compat has every form of call.
func TestParameterizedQueriesHideKeysInErrors(t *testing.T) {
	for hidden, want := range map[bool]string{
		false: "owner 40 (", true: "owner ? (",
	} {
		db := connect(t, pgtest.DSN(t), &gorm.Config{Logger: logger.New(nil, logger.Config{LogLevel: logger.Silent, ParameterizedQueries: hidden})})
		require.NoError(t, db.Use(m2msafe.New()))
		seed(t, db, 1)
		err := db.Model(&Article{ID: 40}).Association("Publications").Append(&Publication{ID: 1})
		require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
		assert.ErrorContains(t, err, want)
	}
}
