package compat

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

var tableNames = []behaviour{
	{"a table prefix", func(t *testing.T, e Engine) {
		named(t, openNamed(t, e, schema.NamingStrategy{TablePrefix: "app_", SingularTable: true}))
	}},
	{"mixed case", func(t *testing.T, e Engine) { named(t, openNamed(t, e, schema.NamingStrategy{NoLowerCase: true})) }},
	{"names that need quoting", func(t *testing.T, e Engine) { named(t, openNamed(t, e, oddNamer{keyed: true})) }},
	{"names that need quoting, without a unique key", func(t *testing.T, e Engine) { named(t, openNamed(t, e, oddNamer{})) }},
	{"all tables in another schema", namedElsewhere(func(where string) schema.Namer {
		return schema.NamingStrategy{TablePrefix: where + "."}
	})},
	{"the join table in another schema", namedElsewhere(func(where string) schema.Namer { return joinElsewhere{where: where} })},
	{"a table of the same name in another schema is not looked at", namedTwice},
	{"tables of an attached database", namedAttached},
}

func openNamed(t *testing.T, e Engine, namer schema.Namer) *gorm.DB {
	return e.With(t, &gorm.Config{Logger: logger.Discard, NamingStrategy: namer})
}

// named makes the tables under their names, and links. Stock GORM passes it
// where there is a unique key, but for the kind of the error.
func named(t *testing.T, db *gorm.DB) {
	t.Helper()
	if odd, ok := db.NamingStrategy.(oddNamer); ok {
		if !odd.keyed {
			unguarded(t, db)
		}
		odd.create(t, db)
	} else {
		require.NoError(t, db.AutoMigrate(&Article{}, &Publication{}))
	}
	require.NoError(t, db.Create([]Article{{Title: "a1"}, {Title: "a2"}}).Error)
	require.NoError(t, db.Create([]Publication{{Name: "p1"}, {Name: "p2"}, {Name: "p3"}}).Error)
	for range 2 {
		require.NoError(t, link(db, 1, 2, 1))
		require.NoError(t, db.Model(&Publication{ID: 2}).Association("Articles").Append(&Article{ID: 1}, &Article{ID: 2}))
	}
	require.NoError(t, db.Model(&Article{ID: 2}).Association("Publications").Append(&Publication{Name: "p4"}, &Publication{ID: 9}))
	require.ErrorIs(t, db.Model(&Article{ID: 2}).Omit("Publications.*").Association("Publications").Append(&Publication{ID: 99}),
		m2msafe.ErrTargetNotStored)
	table := db.Statement.Quote(clause.Table{Name: db.NamingStrategy.JoinTableName("article_publications")})
	columns := quoted(db, "ArticleID") + ", " + quoted(db, "PublicationID")
	require.Equal(t, []string{"1|1", "1|2", "2|2", "2|4", "2|9"}, rows(t, db, `SELECT `+columns+` FROM `+table+` ORDER BY 1, 2`))
	require.EqualValues(t, 3, db.Model(&Article{ID: 2}).Association("Publications").Count())
}

func quoted(db *gorm.DB, field string) string {
	return db.Statement.Quote(clause.Column{Name: db.NamingStrategy.ColumnName("", field)})
}

// oddNamer gives names that are something else to a parser of SQL.
type oddNamer struct {
	schema.NamingStrategy
	keyed bool
}

func (oddNamer) TableName(model string) string     { return "Select " + model }
func (oddNamer) ColumnName(_, field string) string { return "from " + field }
func (oddNamer) JoinTableName(string) string       { return "it's 100% @group -- by?" }
func (n oddNamer) create(t *testing.T, db *gorm.DB) { // by hand: GORM's migrator stumbles over such names
	t.Helper()
	id := map[string]string{"postgres": "bigserial PRIMARY KEY", "sqlite": "integer PRIMARY KEY AUTOINCREMENT", "mysql": "bigint PRIMARY KEY AUTO_INCREMENT"}[db.Name()]
	pool, err := db.DB() // past GORM, which takes ? and @ for parameters
	require.NoError(t, err)
	key := map[bool]string{true: `, UNIQUE ("from ArticleID", "from PublicationID")`}[n.keyed]
	for _, ddl := range []string{
		`CREATE TABLE "Select Article" ("from ID" ` + id + `, "from Title" text, "from UpdatedAt" timestamp)`,
		`CREATE TABLE "Select Publication" ("from ID" ` + id + `, "from Name" text, "from UpdatedAt" timestamp)`,
		`CREATE TABLE "it's 100% @group -- by?" ("from ArticleID" bigint REFERENCES "Select Article" ("from ID"), "from PublicationID" bigint REFERENCES "Select Publication" ("from ID")` + key + `)`,
	} {
		if db.Name() == "mysql" {
			ddl = strings.ReplaceAll(ddl, `"`, "`")
		}
		_, err := pool.Exec(ddl)
		require.NoError(t, err)
	}
}

// joinElsewhere puts join tables alone into another schema.
type joinElsewhere struct {
	schema.NamingStrategy
	where string
}

func (n joinElsewhere) JoinTableName(name string) string {
	return n.where + "." + n.NamingStrategy.JoinTableName(name)
}

// otherSchema makes a second schema for a test; one of the MySQL family is a database.
func otherSchema(t *testing.T, e Engine) (name string) {
	t.Helper()
	if e.Dialect == "sqlite" {
		t.Skip("SQLite has no schemas; an attached database has a test of its own")
	}
	db, current, cascade := e.Stock(t), `current_schema()`, ` CASCADE`
	if e.Dialect == "mysql" {
		current, cascade = `DATABASE()`, ``
	}
	name = one(t, db, `SELECT `+current+` || ' it''s the "Other"; --'`)
	raw(t, db, `CREATE SCHEMA `+ident(db, name))
	t.Cleanup(func() { raw(t, db, `DROP SCHEMA `+ident(db, name)+cascade) })
	return name
}

func namedElsewhere(namer func(where string) schema.Namer) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		// AutoMigrate names the tables of a foreign key without their schema: MySQL looks for
		// them in the join table's.
		config := &gorm.Config{Logger: logger.Discard, NamingStrategy: namer(otherSchema(t, e)), DisableForeignKeyConstraintWhenMigrating: !e.postgres()}
		named(t, e.With(t, config))
	}
}

// namedTwice has a table of the same name elsewhere that would do better. Stock
// GORM stores links again.
func namedTwice(t *testing.T, e Engine) {
	where := otherSchema(t, e)
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (id {id}, {pair})`,
		`CREATE TABLE `+ident(e.Stock(t), where)+`.article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`)
	require.ErrorIs(t, link(m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Refuse)), 1, 1), m2msafe.ErrNoUniqueKey)
	if takesTurns(t, db) {
		linkInTurns(t, db)
	}
}

// namedAttached needs one connection: SQLite attaches to a connection. That it
// is enough is tested along the way. Stock GORM passes this too.
func namedAttached(t *testing.T, e Engine) {
	can(t, e, "sqlite")
	db := openNamed(t, e, joinElsewhere{where: "other"})
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1)
	exec(t, db, `ATTACH ? AS other`, filepath.Join(t.TempDir(), "other.db"))
	exec(t, db, `CREATE TABLE other.article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`)
	exec(t, db, `CREATE TABLE articles (id integer PRIMARY KEY, title text, updated_at datetime)`)
	exec(t, db, `CREATE TABLE publications (id integer PRIMARY KEY, name text, updated_at datetime)`)
	require.NoError(t, db.Create([]Article{{Title: "a1"}, {Title: "a2"}}).Error)
	require.NoError(t, db.Create([]Publication{{Name: "p1"}, {Name: "p2"}}).Error)
	for range 2 {
		require.NoError(t, link(m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Refuse)), 1, 1, 2))
	}
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error { return link(tx, 2, 2, 7) }))
	require.Equal(t, []string{"1|1", "1|2", "2|2", "2|7"}, rows(t, db, `SELECT * FROM other.article_publications ORDER BY 1, 2`))
}
