package plugins

import (
	"database/sql"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/pgtest"
	"github.com/m2msafe/m2msafe/internal/sent"
)

// database is one of the throwaway server's, with the tables and rows of the
// models, and a record of what is sent through its pool.
type database struct {
	pool *sql.DB
	rec  sent.Record
}

// newDatabase makes one, until the test ends.
func newDatabase(t *testing.T, name string) *database {
	t.Helper()
	dsn := pgtest.DSN(t)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	// Named as the schema, which no other test has.
	config.Database = config.RuntimeParams["search_path"] + "_" + name
	config.RuntimeParams["search_path"] = "public"
	admin := pgtest.Admin(t)
	_, err = admin.Exec(`CREATE DATABASE "` + config.Database + `"`)
	require.NoError(t, err)
	d := &database{pool: stdlib.OpenDB(*config)}
	t.Cleanup(func() {
		require.NoError(t, d.pool.Close())
		_, err := admin.Exec(`DROP DATABASE "` + config.Database + `" WITH (FORCE)`)
		require.NoError(t, err)
	})
	db := d.open(t, &gorm.Config{})
	require.NoError(t, db.AutoMigrate(&Publication{}, &Article{}, &Story{}, &Reader{}, &Topic{}))
	return d
}

// dialector opens the recorded pool.
func (d *database) dialector() gorm.Dialector {
	return postgres.New(postgres.Config{Conn: d.rec.Pool(d.pool)})
}

func (d *database) open(t *testing.T, config *gorm.Config) *gorm.DB {
	t.Helper()
	if config.Logger == nil {
		config.Logger = logger.Discard
	}
	db, err := gorm.Open(d.dialector(), config)
	require.NoError(t, err)
	return db
}

// fill leaves a row of each owner in the tables, three publications, and a topic
// that is deleted.
func (d *database) fill(t *testing.T) {
	t.Helper()
	// Not TRUNCATE, which makes new files: this is done some hundred times.
	_, err := d.pool.Exec(`DELETE FROM article_publications; DELETE FROM story_publications; DELETE FROM reader_publications;
		DELETE FROM articles; DELETE FROM stories; DELETE FROM readers; DELETE FROM publications; DELETE FROM topics;
		INSERT INTO articles VALUES (1, 'a1'); INSERT INTO stories VALUES (1, 1); INSERT INTO readers VALUES (1);
		INSERT INTO publications SELECT n, 'p' || n FROM generate_series(1, 3) AS n;
		INSERT INTO topics VALUES (1, 'dead', now());
		SELECT setval('articles_id_seq', 1), setval('stories_id_seq', 1), setval('publications_id_seq', 3)`)
	require.NoError(t, err)
}

// kinds is what was sent since it was last asked, the plan's reading of the
// catalogue as one.
func (d *database) kinds() []string {
	kinds := sent.Kinds(d.rec.Take())
	return slices.CompactFunc(kinds, func(a, b string) bool { return a == b && a == "catalogue" })
}

// links are all links that are stored: the join table, the owner and the target's
// name.
func (d *database) links(t *testing.T) (links []string) {
	t.Helper()
	rows, err := d.pool.Query(`SELECT concat_ws(' ', j.of, j.id, p.name) FROM publications AS p JOIN (
		SELECT 'article' AS of, article_id AS id, publication_id FROM article_publications UNION ALL
		SELECT 'story', story_id, publication_id FROM story_publications UNION ALL
		SELECT 'reader', reader_id, publication_id FROM reader_publications) AS j ON j.publication_id = p.id ORDER BY 1`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var link string
		require.NoError(t, rows.Scan(&link))
		links = append(links, link)
	}
	require.NoError(t, rows.Err())
	return links
}
