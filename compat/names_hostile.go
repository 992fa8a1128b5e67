package compat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

// hostileNames are what tables and columns are called, all of them at once: %s is
// what makes them differ. Keys and values are hostile texts too.
var hostileNames = map[string]string{
	"quotes":            `it's a "%s"!`,
	"quotes and dashes": `%s"; DROP TABLE publications; --`,
	"backticks":         "my`%s`s",
	"brackets":          `[%s]]`,
	"comments":          `/* %s -- */ #`,
	"parameters":        `%s $1 ? ?? @name :name %%s %%d`,
	"parameters alone":  `?%s@p1`,
	"backslashes":       `\%s\`,
	"lines":             "a\n%s\r\n\tb",
	"letters":           "ünïcödé 漢字 %s e\u0301",
	"emoji":             "🦊 %s",
	"reserved words":    `select %s from where`,
	"spaces":            ` %s `,
	"braces":            `{%s},NULL`,
}

var strangeNames = func() (all []behaviour) {
	for _, what := range slices.Sorted(maps.Keys(hostileNames)) {
		pattern := hostileNames[what]
		for _, keyed := range []bool{true, false} {
			name := "hostile names: " + what
			if !keyed {
				name += ", without a unique key"
			}
			all = append(all, behaviour{name, strange(strangeNamer{pattern: pattern, keyed: keyed})})
		}
	}
	return append(all,
		behaviour{"hostile names: dots in a table's name that the app has quoted", dotted},
		behaviour{"hostile names: a table's name that GORM's quoting leaves open is refused", leftOpen},
	)
}()

// strangeNamer gives every name of the schema by a pattern.
type strangeNamer struct {
	schema.NamingStrategy
	pattern string
	keyed   bool
}

func (n strangeNamer) name(plain string) string          { return fmt.Sprintf(n.pattern, plain) }
func (n strangeNamer) TableName(model string) string     { return n.name(model) }
func (n strangeNamer) ColumnName(_, field string) string { return n.name(field) }
func (n strangeNamer) JoinTableName(string) string       { return n.name("join") }
func (n strangeNamer) UniqueName(string, string) string  { return n.name("unique") }
func (n strangeNamer) IndexName(string, string) string   { return n.name("index") }

// ident quotes one name, as the database's manual has it.
func ident(db *gorm.DB, name string) string {
	mark := `"`
	if db.Name() == "mysql" {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

// raw runs SQL past GORM, which takes ? and @ for parameters.
func raw(t *testing.T, db *gorm.DB, statement string) {
	t.Helper()
	pool, err := db.DB()
	require.NoError(t, err)
	_, err = pool.Exec(statement)
	require.NoError(t, err, statement)
}

func (n strangeNamer) create(t *testing.T, db *gorm.DB) {
	t.Helper()
	id := map[string]string{"postgres": "bigserial PRIMARY KEY", "sqlite": "integer PRIMARY KEY AUTOINCREMENT", "mysql": "bigint PRIMARY KEY AUTO_INCREMENT"}[db.Name()]
	q := func(plain string) string { return ident(db, n.name(plain)) }
	ends := func(table, text string) string {
		return "CREATE TABLE " + q(table) + " (" + q("ID") + " " + id + ", " + q(text) + " varchar(100) UNIQUE, " + q("UpdatedAt") + " timestamp NULL)"
	}
	raw(t, db, ends("Article", "Title"))
	raw(t, db, ends("Publication", "Name"))
	pair := ""
	if n.keyed {
		pair = ", PRIMARY KEY (" + q("ArticleID") + ", " + q("PublicationID") + ")"
	}
	raw(t, db, "CREATE TABLE "+q("join")+" ("+q("ArticleID")+" bigint NOT NULL REFERENCES "+q("Article")+" ("+q("ID")+"), "+
		q("PublicationID")+" bigint NOT NULL REFERENCES "+q("Publication")+" ("+q("ID")+")"+pair+")")
}

// pairs are the rows of the join table.
func (n strangeNamer) pairs(t *testing.T, db *gorm.DB) (pairs []string) {
	t.Helper()
	pool, err := db.DB()
	require.NoError(t, err)
	found, err := pool.Query("SELECT " + ident(db, n.name("ArticleID")) + ", " + ident(db, n.name("PublicationID")) + " FROM " + ident(db, n.name("join")) + " ORDER BY 1, 2")
	require.NoError(t, err)
	defer found.Close()
	for found.Next() {
		var a, p int
		require.NoError(t, found.Scan(&a, &p))
		pairs = append(pairs, fmt.Sprintf("%d|%d", a, p))
	}
	require.NoError(t, found.Err())
	return pairs
}

// strange makes calls of each kind on such tables, and, where there is no unique key,
// does what the warning says. Stock GORM links by keys, too.
func strange(n strangeNamer) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		if e.Dialect == "mysql" && (strings.HasSuffix(n.pattern, " ") || strings.Contains(n.pattern, "🦊")) {
			t.Skip("the MySQL family has no names that end with a space, and none beyond the basic plane")
		}
		log := new(logbook)
		db := e.With(t, &gorm.Config{NamingStrategy: n, Logger: logger.New(log, logger.Config{LogLevel: logger.Warn})})
		n.create(t, db)
		require.NoError(t, db.Create([]Article{{Title: hostile[1]}, {Title: n.pattern}}).Error)
		require.NoError(t, db.Create([]Publication{{Name: n.pattern}, {Name: hostile[3]}, {Name: "p3"}}).Error)
		log.lines = nil
		article := func(id uint) *gorm.Association { return db.Model(&Article{ID: id}).Association("Publications") }

		if !n.keyed && kin(db) {
			raw(t, db, advised(t, db, log, link(db, 1, 1)))
		}
		for range 2 {
			require.NoError(t, link(db, 1, 2, 1))
			require.NoError(t, db.Model(&Publication{ID: 2}).Association("Articles").Append(&Article{ID: 1}, &Article{ID: 2}))
		}
		require.NoError(t, article(2).Append(&Publication{Name: n.pattern}, &Publication{Name: hostile[4]}, &Publication{ID: 9, Name: hostile[9]}))
		require.Equal(t, []string{"1|1", "1|2", "2|1", "2|2", "2|4", "2|9"}, n.pairs(t, db))
		require.ErrorIs(t, db.Model(&Article{ID: 2}).Omit("Publications.*").Association("Publications").Append(&Publication{ID: 99}), m2msafe.ErrTargetNotStored)
		require.NoError(t, db.Save(&Article{ID: 1, Title: "saved", Publications: publications(3)}).Error)
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error { return link(tx, 1, 4) }))
		_, err := m2msafe.LinkKeys(t.Context(), db, &Article{}, "Publications", 2, 3)
		require.NoError(t, err)
		_, err = m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", maps.All(map[int]int{1: 9}))
		require.NoError(t, err)
		for _, want := range []bool{true, false} {
			created, err := m2msafe.GetOrCreate(t.Context(), db, &Publication{Name: n.pattern + "new"})
			require.NoError(t, err)
			require.Equal(t, want, created)
		}
		all := []string{"1|1", "1|2", "1|3", "1|4", "1|9", "2|1", "2|2", "2|3", "2|4", "2|9"}
		require.Equal(t, all, n.pairs(t, db))
		if n.keyed || kin(db) {
			require.Empty(t, log.lines)
			return
		}
		require.Len(t, log.lines, 2, "one from each side")
		raw(t, db, advised(t, db, log, nil))
		again := e.With(t, &gorm.Config{NamingStrategy: n, Logger: logger.Discard}, m2msafe.NoUniqueKey(m2msafe.Refuse))
		require.NoError(t, link(again, 1, 1, 2))
		require.Equal(t, all, n.pairs(t, db))
	}
}

// joinNamer gives the join table a name.
type joinNamer struct {
	schema.NamingStrategy
	table string
}

func (n joinNamer) JoinTableName(string) string { return n.table }

// mark is what the database's GORM driver quotes names by.
func (e Engine) mark() string {
	if e.postgres() {
		return `"`
	}
	return "`"
}

// To GORM a name that begins with a quote is quoted already. Stock GORM passes this.
func dotted(t *testing.T, e Engine) {
	q := e.mark()
	db := openNamed(t, e, joinNamer{table: q + "dots.in" + q + q + ".it" + q})
	exec(t, db, `CREATE TABLE articles (id integer PRIMARY KEY, title text, updated_at timestamp NULL)`)
	exec(t, db, `CREATE TABLE publications (id integer PRIMARY KEY, name text, updated_at timestamp NULL)`)
	exec(t, db, `CREATE TABLE `+q+"dots.in"+q+q+".it"+q+` (article_id integer, publication_id integer, PRIMARY KEY (article_id, publication_id))`)
	require.NoError(t, db.Create([]Article{{ID: 1}, {ID: 2}}).Error)
	require.NoError(t, db.Create([]Publication{{ID: 1}, {ID: 2}}).Error)
	for range 2 {
		require.NoError(t, link(m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Refuse)), 1, 1, 2))
		require.NoError(t, db.Model(&Publication{ID: 2}).Association("Articles").Append(&Article{ID: 2}))
	}
	require.EqualValues(t, 2, db.Model(&Article{ID: 1}).Association("Publications").Count())
	require.EqualValues(t, 2, db.Model(&Publication{ID: 2}).Association("Articles").Count())
}

// GORM's quoting ends such a name behind its first two quotes, and the rest is text of the
// statement. (A name is the app's own, unless it takes that from somebody.)
func leftOpen(t *testing.T, e Engine) {
	q := e.mark()
	name := q + q + `; DELETE FROM publications; --`
	db := openNamed(t, e, joinNamer{table: name})
	exec(t, db, `CREATE TABLE articles (id integer PRIMARY KEY, title text, updated_at timestamp NULL)`)
	exec(t, db, `CREATE TABLE publications (id integer PRIMARY KEY, name text, updated_at timestamp NULL)`)
	require.NoError(t, db.Create([]Article{{ID: 1}}).Error)
	require.NoError(t, db.Create([]Publication{{ID: 1}}).Error)
	require.Equal(t, name+q, db.Statement.Quote(name), "GORM has mended it: so can this test")
	for _, call := range []func() error{
		func() error { return link(db, 1, 1) },
		func() error { return db.Save(&Article{ID: 1, Publications: publications(1)}).Error },
		func() error { return db.Create(&Article{ID: 2, Publications: publications(1)}).Error },
		func() error {
			_, err := m2msafe.LinkPairs(t.Context(), db, &Article{}, "Publications", maps.All(map[int]int{1: 1}))
			return err
		},
	} {
		require.Error(t, call())
		require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM publications`))
	}
}
