package m2msafe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/build"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
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
	book := newLogbook()
	db, rec := recorded(t, &gorm.Config{Logger: book})
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
		if s.OfCatalogue() {
			assert.NotContains(t, book.statements, s.SQL, "the catalogue's are not logged")
		}
	}
	assert.NotEmpty(t, book.statements)
}

// What the plugin has to say goes through GORM's logger: nothing that an app imports can
// print, or log elsewhere.
func TestNothingIsSaidButThroughGORMsLogger(t *testing.T) {
	files := 0
	for _, dir := range []string{".", "internal/catalog", "internal/dialect"} {
		of, err := build.ImportDir(dir, 0)
		require.NoError(t, err)
		for _, file := range of.GoFiles {
			text, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(t, err)
			assert.NotRegexp(t, `\bfmt\.Print|\bprint(ln)?\(`, string(text), file)
			files++
		}
		for _, printing := range []string{"log", "log/slog", "os", "syscall"} {
			assert.NotContains(t, of.Imports, printing, dir)
		}
	}
	assert.Greater(t, files, 40)
}

// What a call says of itself has nothing of the way to the database in it, whatever
// happens there.
func TestThePasswordIsInNoLogAndNoError(t *testing.T) {
	config, err := pgx.ParseConfig(pgtest.DSN(t))
	require.NoError(t, err)
	if config.Password == "" { // of a server that asks for none
		config.Password = "S3CR3T"
	}
	var down atomic.Bool
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if down.Load() {
			addr = "127.0.0.1:1"
		}
		return dial(ctx, network, addr)
	}
	book := newLogbook()
	var said []string
	withoutServer := func(pool *sql.DB) error {
		down.Store(true)
		pool.SetMaxIdleConns(-1)
		return nil
	}
	for _, c := range []struct {
		setup string
		fails func(*sql.DB) error
	}{
		{`SELECT 1`, withoutServer},
		{`ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`, (*sql.DB).Close},
	} {
		down.Store(false)
		pool := stdlib.OpenDB(*config)
		t.Cleanup(func() { require.NoError(t, pool.Close()) })
		db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{Logger: book})
		require.NoError(t, err)
		require.NoError(t, db.Use(m2msafe.New()))
		exec(t, db, `DROP TABLE IF EXISTS article_publications, articles, publications`)
		seeded(c.setup)(t, db)
		require.NoError(t, linkOne(db, 1))
		require.NoError(t, c.fails(pool))
		fresh, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{Logger: book, DisableAutomaticPing: true})
		require.NoError(t, err)
		require.NoError(t, fresh.Use(m2msafe.New()), "which asks the database nothing")
		for _, db := range []*gorm.DB{db, fresh} {
			_, byKeys := m2msafe.LinkKeys(t.Context(), db, &Article{}, "Publications", 1, 2)
			_, found := m2msafe.GetOrCreate(t.Context(), db, &Publication{ID: 1})
			for _, err := range []error{linkOne(db, 2), byKeys, found} {
				require.Error(t, err)
				said = append(said, err.Error())
			}
		}
	}
	assert.Len(t, book.warnings, 1)
	assert.Contains(t, fmt.Sprint(said), "links not written; owner 1: failed to connect")
	assert.Contains(t, fmt.Sprint(said), "reading the catalogue: failed to connect")
	for _, said := range slices.Concat(said, book.warnings, book.statements) {
		assert.NotContains(t, said, config.Password)
	}
}

// GORM's own logger, under ParameterizedQueries: compat has every form of call.
func TestParameterizedQueriesHideKeysInErrors(t *testing.T) {
	timeless := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	for hidden, want := range map[bool]string{
		false: "owner 40 (", true: "owner ? (",
	} {
		db := connect(t, pgtest.DSN(t), &gorm.Config{Logger: logger.New(nil, logger.Config{LogLevel: logger.Silent, ParameterizedQueries: hidden})})
		require.NoError(t, db.Use(m2msafe.New()))
		seed(t, db, 1)
		err := db.Model(&Article{ID: 40}).Association("Publications").Append(&Publication{ID: 1})
		require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
		assert.ErrorContains(t, err, want)
		var asJSON strings.Builder
		slog.New(slog.NewJSONHandler(&asJSON, timeless)).Info("", "err", err)
		for how, text := range map[string]string{
			"%v": fmt.Sprintf("%v", err), "%+v": fmt.Sprintf("%+v", err), "%q": fmt.Sprintf("%q", err), "wrapped": fmt.Errorf("it failed: %w", err).Error(),
			"joined": errors.Join(err, err).Error(), "slog": asJSON.String(),
		} {
			assert.Contains(t, text, want, how)
			assert.Equal(t, !hidden, strings.Contains(text, "40"), how)
		}
	}
}
