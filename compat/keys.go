package compat

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

// hostile is text that is something else to a parser of SQL or of arrays.
var hostile = []string{
	`plain`, `it's`, `'`, `"double"`, `"`, `{braces}`, `{}`, `a,b`, `,`, `back\slash`, `\`, `\\`, `\"`, `\x41`, `NULL`, `null`,
	"line\nbreak", "\r\n", "tab\t", " leading", "trailing ", " ", "ünïcödé 漢字 🦊", "e\u0301", "\u00e9", `$1 ? ?? @name :name %s %d`,
	`'; DROP TABLE node_peers; --`, `/* no comment */`, `A`, `a`, strings.Repeat("long ", 75),
}

var linkKeys = []behaviour{
	{"keys that are strings, hostile ones too", keys(func(n *textNode) *string { return &n.Key }, hostile...)},
	{"keys that are bytes", keys(func(n *bytesNode) *[]byte { return &n.Key },
		[]byte("plain"), []byte{0}, []byte{0, 255, 1}, []byte(`\x41`), []byte(`{"},`), []byte("NULL"), make([]byte, 16))},
	{"keys that are UUIDs", keys(func(n *uuidNode) *uuid { return &n.Key },
		uuid{1}, uuid{15: 1}, uuid{0xde, 0xad, 0xbe, 0xef}, uuid{255, 255}, uuid{8: 7})},
	{"keys that are UUIDs as text", keys(func(n *textUUIDNode) *string { return &n.Key },
		uuid{1}.String(), uuid{2}.String(), uuid{15: 3}.String())},
	{"keys that are times", keys(func(n *timeNode) *time.Time { return &n.Key },
		time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC), time.Date(2024, 2, 29, 12, 30, 15, 1000, time.UTC),
		time.Date(2024, 2, 29, 12, 30, 15, 123456789, time.FixedZone("", 5*3600+45*60)),
		time.Date(1969, 12, 31, 23, 59, 59, 999999900, time.UTC), time.Date(1880, 1, 1, 0, 0, 0, 0, time.FixedZone("", -3*3600-7*60-12)),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))},
	{"keys that are times, which the column rounds", keyRounded},
	{"keys that are dates, with a clock in memory", keys(func(n *dateNode) *time.Time { return &n.Key },
		time.Date(2024, 2, 28, 23, 30, 15, 0, time.UTC), time.Date(2024, 2, 29, 0, 30, 15, 0, time.FixedZone("", 5*3600)))},
	{"keys that are characters of a fixed length", keys(func(n *charNode) *string { return &n.Key }, "abc", "abcdefgh", `a,{"\`)},
	{"keys that are decimal", keys(func(n *priceNode) *float64 { return &n.Key }, 1.25, 0.1, 12345678.91)},
	{"keys that are numbers", keys(func(n *intNode) *int64 { return &n.Key }, 1, -1, 1<<62, -1<<63, 1<<63-1)},
	{"keys that are enums with a Stringer", keys(func(n *levelNode) *level { return &n.Key }, 1, 2, 3)},
	{"keys that are enums of the database", keys(func(n *moodNode) *mood { return &n.Key }, "happy", "so so", `"sad", {not}`)},
	{"keys that are Valuers", keys(func(n *isbnNode) *isbn { return &n.Key }, isbn{"978", "0131103627"}, isbn{"979", "NULL"}, isbn{"a,b", `\"`})},
	{"an empty string is no key", keyEmpty},
	{"keys that the database holds to be equal are one", keyEqual},
	{"composite keys", keyComposite},
	{"references by columns that are not primary keys", keyReferences},
	{"a column that serves both sides", keyShared},
	{"a join model whose columns have types of their own", keyConverted},
}

var linkSizes = []behaviour{
	{"40,000 links in one call", large(40_000)},
	{"1,000,000 links in one call", func(t *testing.T, e Engine) {
		if os.Getenv("M2MSAFE_LARGE") == "" || testing.Short() {
			t.Skip("half a minute and two gigabytes: set M2MSAFE_LARGE=1 to run it")
		}
		if !e.postgres() {
			t.Skip("an embedded database has no wire for a million links to overload")
		}
		large(1_000_000)(t, e)
	}},
}

// keys links nodes of all keys with each other, several times; the last one is
// not stored before. Stock GORM passes this too.
func keys[N, K any](key func(*N) *K, all ...K) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db := e.DB(t)
		if _, dates := any(new(N)).(*dateNode); dates && db.Name() == "mysql" {
			t.Skip("go-sql-driver sends times in UTC, and a date with them")
		} else if dates && e.Untyped != "" {
			t.Skip(e.Untyped + ": a time is sent as one with a zone, and a date is that of the session's")
		}
		if _, times := any(new(N)).(*timeNode); times && strings.HasSuffix(e.Name, "-pq") {
			t.Skip("lib/pq rounds a time to microseconds, pgx and the plugin cut it off there: a key beyond them is another")
		}
		if e.postgres() {
			exec(t, db, `CREATE TYPE mood AS ENUM ('happy', 'so so', '"sad", {not}')`)
		}
		require.NoError(t, db.AutoMigrate(new(N)))
		nodes := func() []N {
			nodes := make([]N, len(all))
			for i := range all {
				*key(&nodes[i]) = all[i]
			}
			return nodes
		}
		stored := nodes()[:len(all)-1]
		require.NoError(t, db.Create(&stored).Error)
		for range 2 {
			for i := range stored {
				owner := nodes()[i]
				require.NoError(t, db.Model(&owner).Association("Peers").Append(nodes()))
			}
		}
		want := fmt.Sprint(len(stored) * len(all))
		require.Equal(t, want, one(t, db, `SELECT COUNT(*) FROM node_peers`))
		name := schema.NamingStrategy{}.TableName(fmt.Sprintf("%T", *new(N))[len("compat."):])
		require.Equal(t, want, one(t, db, `SELECT COUNT(*) FROM node_peers AS j JOIN `+name+` AS a ON a.key = j.node_key JOIN `+name+` AS b ON b.key = j.peer_key`))
		require.Equal(t, fmt.Sprint(len(all)), one(t, db, `SELECT COUNT(*) FROM `+name))
		for i := range stored {
			owner := nodes()[i]
			require.EqualValues(t, len(all), db.Model(&owner).Association("Peers").Count())
		}
	}
}

// Stock GORM stores a node without a key, and links it.
func keyEmpty(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&textNode{}))
	require.NoError(t, db.Create(&textNode{Key: "a"}).Error)
	require.ErrorIs(t, db.Model(&textNode{Key: "a"}).Association("Peers").Append(&textNode{}), m2msafe.ErrZeroReference)
	require.ErrorIs(t, db.Model(&textNode{}).Association("Peers").Append(&textNode{Key: "a"}), m2msafe.ErrOwnerNotSaved)
	require.Equal(t, "0", one(t, db, `SELECT COUNT(*) FROM node_peers`))
	require.Equal(t, []string{"a"}, rows(t, db, `SELECT key FROM text_nodes`))
}

// Stock GORM passes this too.
func keyEqual(t *testing.T, e Engine) {
	db, collation := e.DB(t), "NOCASE"
	if e.postgres() {
		collation = "anycase"
		exec(t, db, `CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	}
	text := "text"
	if db.Name() == "mysql" {
		text, collation = "varchar(40)", "utf8mb4_general_ci"
	}
	exec(t, db, `CREATE TABLE text_nodes (key `+text+` COLLATE `+collation+` PRIMARY KEY)`)
	exec(t, db, `CREATE TABLE node_peers (node_key `+text+` COLLATE `+collation+` REFERENCES text_nodes (key),
		peer_key `+text+` COLLATE `+collation+` REFERENCES text_nodes (key), PRIMARY KEY (node_key, peer_key))`)
	exec(t, db, `INSERT INTO text_nodes (key) VALUES ('Go'), ('Rust')`)
	for _, owner := range []string{"Go", "GO"} {
		peers := []textNode{{Key: "rust"}, {Key: "go"}, {Key: "RUST"}, {Key: "Rust"}}
		require.NoError(t, db.Model(&textNode{Key: owner}).Association("Peers").Append(peers))
	}
	require.Equal(t, []string{"go|go", "go|rust"}, rows(t, db, `SELECT lower(node_key), lower(peer_key) FROM node_peers ORDER BY 2`))
	require.Equal(t, []string{"Go", "Rust"}, rows(t, db, `SELECT key FROM text_nodes ORDER BY key`))
}

// Stock GORM passes this too.
func keyRounded(t *testing.T, e Engine) {
	db := e.DB(t)
	exec(t, db, `CREATE TABLE time_nodes (key timestamp(3) PRIMARY KEY)`)
	exec(t, db, `CREATE TABLE node_peers (node_key timestamp(3) REFERENCES time_nodes (key), peer_key timestamp(3) REFERENCES time_nodes (key), PRIMARY KEY (node_key, peer_key))`)
	nodes := []timeNode{{Key: time.Date(2024, 1, 1, 1, 1, 1, 123456789, time.UTC)}, {Key: time.Date(2024, 1, 1, 1, 1, 1, 999999000, time.UTC)}}
	require.NoError(t, db.Create(&nodes).Error)
	for range 2 {
		require.NoError(t, db.Model(&timeNode{Key: nodes[0].Key}).Association("Peers").Append([]timeNode{{Key: nodes[0].Key}, {Key: nodes[1].Key}}))
	}
	require.Equal(t, "2", one(t, db, `SELECT COUNT(*) FROM node_peers`))
	require.Equal(t, "2", one(t, db, `SELECT COUNT(*) FROM time_nodes`))
}

// Stock GORM passes this too.
func keyComposite(t *testing.T, e Engine) {
	type Tag struct {
		ID     uint   `gorm:"primaryKey;autoIncrement:false"`
		Locale string `gorm:"primaryKey"`
		Value  string
	}
	type Page struct {
		ID     uint   `gorm:"primaryKey;autoIncrement:false"`
		Locale string `gorm:"primaryKey"`
		Tags   []Tag  `gorm:"many2many:page_tags"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Page{}, &Tag{}))
	require.NoError(t, db.Create([]Page{{ID: 1, Locale: "en"}, {ID: 1, Locale: "de"}}).Error)
	require.NoError(t, db.Create([]Tag{{ID: 1, Locale: "en", Value: "one"}, {ID: 1, Locale: "de", Value: "eins"}, {ID: 2, Locale: "en"}}).Error)
	for range 2 {
		page := &Page{ID: 1, Locale: "en"}
		require.NoError(t, db.Model(page).Association("Tags").Append([]Tag{{ID: 2, Locale: "en"}, {ID: 1, Locale: "de"}, {ID: 3, Locale: "en", Value: "three"}}))
		require.NoError(t, db.Model(&Page{ID: 1, Locale: "de"}).Association("Tags").Append(&Tag{ID: 1, Locale: "de"}, &Tag{ID: 1, Locale: "en"}))
	}
	require.Equal(t, []string{"1|de|1|de", "1|de|1|en", "1|en|1|de", "1|en|2|en", "1|en|3|en"},
		rows(t, db, `SELECT page_id, page_locale, tag_id, tag_locale FROM page_tags ORDER BY 2, 3, 4`))
	require.Equal(t, []string{"1|de|eins", "1|en|one", "2|en|", "3|en|three"}, rows(t, db, `SELECT id, locale, value FROM tags ORDER BY 1, 2`))
}

// Stock GORM passes this too.
func keyReferences(t *testing.T, e Engine) {
	type Skill struct {
		ID    uint
		Slug  string `gorm:"unique"`
		Level int
	}
	type Worker struct {
		ID     uint
		Badge  int64   `gorm:"unique"`
		Skills []Skill `gorm:"many2many:worker_skills;foreignKey:Badge;joinForeignKey:WorkerBadge;references:Slug;joinReferences:SkillSlug"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Worker{}, &Skill{}))
	worker := &Worker{Badge: 700}
	require.NoError(t, db.Create(worker).Error)
	require.NoError(t, db.Create([]Skill{{Slug: "go", Level: 5}, {Slug: "sql", Level: 6}}).Error)
	for range 2 {
		require.NoError(t, db.Model(&Worker{ID: 1, Badge: 700}).Association("Skills").Append([]Skill{{ID: 2, Slug: "sql"}, {ID: 1, Slug: "go"}}))
	}
	require.NoError(t, db.Model(worker).Association("Skills").Append(&Skill{Slug: "c"}))
	require.Equal(t, []string{"700|c", "700|go", "700|sql"}, rows(t, db, `SELECT worker_badge, skill_slug FROM worker_skills ORDER BY 2`))
	require.Equal(t, []string{"c|0", "go|5", "sql|6"}, rows(t, db, `SELECT slug, level FROM skills ORDER BY 1`))
}

// Stock GORM passes this too.
func keyShared(t *testing.T, e Engine) {
	type Role struct {
		TenantID uint `gorm:"primaryKey;autoIncrement:false"`
		ID       uint `gorm:"primaryKey;autoIncrement:false"`
	}
	type Member struct {
		TenantID uint   `gorm:"primaryKey;autoIncrement:false"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Roles    []Role `gorm:"many2many:member_roles;foreignKey:TenantID,ID;joinForeignKey:TenantID,MemberID;references:TenantID,ID;joinReferences:TenantID,RoleID"`
	}
	db := e.DB(t)
	require.NoError(t, db.AutoMigrate(&Member{}, &Role{}))
	require.NoError(t, db.Create([]Member{{TenantID: 1, ID: 1}, {TenantID: 2, ID: 1}}).Error)
	require.NoError(t, db.Create([]Role{{1, 1}, {1, 2}, {2, 1}}).Error)
	for range 2 {
		require.NoError(t, db.Model(&Member{TenantID: 1, ID: 1}).Association("Roles").Append([]Role{{1, 2}, {1, 1}}))
		require.NoError(t, db.Model(&Member{TenantID: 2, ID: 1}).Association("Roles").Append([]Role{{2, 1}, {2, 9}}))
	}
	require.Equal(t, []string{"1|1|1", "1|1|2", "2|1|1", "2|1|9"},
		rows(t, db, `SELECT tenant_id, member_id, role_id FROM member_roles ORDER BY 1, 2, 3`))
	require.Equal(t, []string{"1|1", "1|2", "2|1", "2|9"}, rows(t, db, `SELECT tenant_id, id FROM roles ORDER BY 1, 2`))
}

// ConvertedLink holds the pair in other types than the models do.
type ConvertedLink struct {
	ArticleID     sql.NullInt64 `gorm:"primaryKey"`
	PublicationID *int32        `gorm:"primaryKey"`
}

// TableName puts it where the relation looks.
func (ConvertedLink) TableName(n schema.Namer) string { return pairTable(n) }

// Stock GORM passes this too.
func keyConverted(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", &ConvertedLink{}))
	seed(t, db)
	for range 2 {
		require.NoError(t, link(db, 1, 2, 1))
		require.NoError(t, db.Model(&Article{ID: 2}).Association("Publications").Append([]Publication{{ID: 1}, {ID: 9}}))
	}
	require.Equal(t, []string{"1|1", "1|2", "2|1", "2|9"}, linked(t, db))
}

// large links n targets in one call, of which a third is linked already. Stock
// GORM has too many parameters from 11,000 (SQLite) or 22,000 (PostgreSQL) on.
func large(n int) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db := seeded(t, e)
		exec(t, db, `INSERT INTO publications (name, updated_at)
			WITH RECURSIVE n (i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'large', ? FROM n`, n, past)
		exec(t, db, `INSERT INTO article_publications (article_id, publication_id) SELECT 1, id FROM publications WHERE id % 3 = 0`)
		elems := make([]Publication, n)
		for i := range elems {
			elems[i].ID = uint(n - i)
		}
		for range 2 {
			require.NoError(t, db.Model(&Article{ID: 1}).Association("Publications").Append(elems))
			require.Equal(t, fmt.Sprintf("%d|%d|1|%d", n, n, n),
				one(t, db, `SELECT COUNT(*), COUNT(DISTINCT publication_id), MIN(publication_id), MAX(publication_id) FROM article_publications`))
		}
	}
}
