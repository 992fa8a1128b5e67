package m2msafe_test

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

// seeded has Article and Publication with the rows 1 to 3, and then SQL.
func seeded(sql ...string) func(*testing.T, *gorm.DB) {
	return func(t *testing.T, db *gorm.DB) {
		seed(t, db, 3)
		for _, s := range sql {
			exec(t, db, s)
		}
	}
}

// joined is seeded with a join model for both sides, and then SQL.
func joined(model any, sql ...string) func(*testing.T, *gorm.DB) {
	return func(t *testing.T, db *gorm.DB) {
		require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", model))
		require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", model))
		seeded(sql...)(t, db)
	}
}

// append32 links article 1 with the publications 3 and 2.
func append32(db *gorm.DB) error {
	return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 3}, &Publication{ID: 2})
}

// storedTopics has the stories 1 to 8 and the topic 1, "go".
func storedTopics(t *testing.T, db *gorm.DB) { topics(t, db, "go") }

const storyTopics = `SELECT story_id, topic_id, name FROM story_topics LEFT JOIN topics ON topics.id = topic_id ORDER BY 1, 2`

// The join models of the cases.
type (
	plainNote struct {
		ArticleID     uint `gorm:"primaryKey"`
		PublicationID uint `gorm:"primaryKey"`
		Note          string
		Rank          int `gorm:"default:7"`
		CreatedAt     time.Time
		UpdatedAt     time.Time
	}
	softLink struct {
		ArticleID     uint `gorm:"primaryKey"`
		PublicationID uint `gorm:"primaryKey"`
		Note          string
		UpdatedAt     time.Time
		DeletedAt     gorm.DeletedAt
	}
	historyLink struct {
		ID            uint
		ArticleID     uint `gorm:"uniqueIndex:living,where:deleted_at IS NULL"`
		PublicationID uint `gorm:"uniqueIndex:living,where:deleted_at IS NULL"`
		DeletedAt     gorm.DeletedAt
	}
	hookedLink struct {
		ID            uint
		ArticleID     uint `gorm:"uniqueIndex:pair"`
		PublicationID uint `gorm:"uniqueIndex:pair"`
		Note          string
	}
)

func (plainNote) TableName() string   { return "article_publications" }
func (softLink) TableName() string    { return "article_publications" }
func (historyLink) TableName() string { return "article_publications" }
func (hookedLink) TableName() string  { return "article_publications" }

func (l *hookedLink) BeforeCreate(*gorm.DB) error {
	l.Note = "by the hook"
	return nil
}

func (l *hookedLink) AfterCreate(tx *gorm.DB) error {
	if l.ID == 0 {
		return tx.AddError(gorm.ErrInvalidData)
	}
	return nil
}

// Doc and Label have composite keys.
type Doc struct {
	Tenant int     `gorm:"primaryKey;autoIncrement:false"`
	ID     int     `gorm:"primaryKey;autoIncrement:false"`
	Labels []Label `gorm:"many2many:doc_labels"`
}

// Label is its other side.
type Label struct {
	Tenant int    `gorm:"primaryKey;autoIncrement:false"`
	Name   string `gorm:"primaryKey"`
}

// Odd has names that need quoting.
type Odd struct {
	ID   uint   `gorm:"column:The ID;primaryKey"`
	Odds []*Odd "gorm:\"many2many:odd \\\"links\\\";joinForeignKey:From;joinReferences:select\""
}

// TableName is a key word, with a space.
func (Odd) TableName() string { return "order by" }

// Far is in a schema that search_path doesn't have.
type Far struct {
	ID    uint
	Nears []Near `gorm:"many2many:far_nears"`
}

// Near is its other side.
type Near struct{ ID uint }

// inSchema names tables in a schema.
type inSchema struct {
	schema.Namer
	name string
}

func (n inSchema) TableName(model string) string { return n.name + "." + n.Namer.TableName(model) }

func (n inSchema) JoinTableName(table string) string {
	return n.name + "." + n.Namer.JoinTableName(table)
}

// otherSchema is a schema of the test's own besides the one that it has.
func otherSchema(t testing.TB, db *gorm.DB) string {
	var random [8]byte
	_, _ = rand.Read(random[:])
	name := "other_" + hex.EncodeToString(random[:])
	exec(t, db, `CREATE SCHEMA `+name)
	t.Cleanup(func() { exec(t, db, `DROP SCHEMA `+name+` CASCADE`) })
	return name
}

var goldenCases = []golden{
	{
		name: "implicit", setup: seeded(`INSERT INTO article_publications (article_id, publication_id) VALUES (1, 3)`),
		call: append32, want: []string{"1|2", "1|3"},
	},
	{
		name: "touch", setup: func(t *testing.T, db *gorm.DB) {
			seed(t, db, 3)
			require.NoError(t, db.AutoMigrate(&Timed{}))
			exec(t, db, `INSERT INTO timeds VALUES (1, '2001-01-01')`)
		},
		call: func(db *gorm.DB) error {
			return db.Model(&Timed{ID: 1}).Association("Publications").Append(&Publication{ID: 1})
		},
		query: `SELECT timed_id, extract(year FROM updated_at) FROM timed_publications JOIN timeds ON id = timed_id`,
		want:  []string{"1|2016"},
	},
	{
		name: "other_side", setup: seeded(),
		call: func(db *gorm.DB) error {
			return db.Model(&Publication{ID: 1}).Association("Articles").Append(&Article{ID: 3}, &Article{ID: 2})
		},
		want: []string{"2|1", "3|1"},
	},
	{
		name: "composite_key",
		setup: func(t *testing.T, db *gorm.DB) {
			require.NoError(t, db.AutoMigrate(&Doc{}, &Label{}))
			exec(t, db, `INSERT INTO docs VALUES (1, 1)`)
			exec(t, db, `INSERT INTO labels VALUES (1, 'a,"b"'), (2, 'NULL')`)
		},
		call: func(db *gorm.DB) error {
			return db.Model(&Doc{1, 1, nil}).Association("Labels").Append(&Label{2, "NULL"}, &Label{1, `a,"b"`})
		},
		query: `SELECT * FROM doc_labels ORDER BY 1, 2, 3, 4`, want: []string{`1|1|1|a,"b"`, `1|1|2|NULL`},
	},
	{
		name: "join_model", setup: joined(&plainNote{}, `INSERT INTO article_publications VALUES (1, 3, 'old', 1)`),
		call:  append32,
		query: `SELECT article_id, publication_id, note, rank, created_at = updated_at AS fresh FROM article_publications ORDER BY 1, 2`,
		want:  []string{"1|2||7|true", "1|3|old|1"},
	},
	{
		name: "through", setup: joined(&plainNote{}),
		call: func(db *gorm.DB) error {
			return append32(m2msafe.With(db, m2msafe.Through(map[string]any{"Note": "given", "rank": 0})))
		},
		query: `SELECT article_id, publication_id, note, rank FROM article_publications ORDER BY 1, 2`,
		want:  []string{"1|2|given|0", "1|3|given|0"},
	},
	{
		name: "soft_delete_revive", setup: joined(&softLink{}, `INSERT INTO article_publications VALUES (1, 3, 'old', '2001-01-01', '2002-01-01')`),
		call:  append32,
		query: `SELECT article_id, publication_id, note, extract(year FROM updated_at) AS year, deleted_at FROM article_publications ORDER BY 1, 2`,
		want:  []string{"1|2||2016", "1|3|old|2016"},
	},
	{
		name: "soft_delete_refuse", options: []m2msafe.Option{m2msafe.DeletedLinks(m2msafe.Refuse)},
		setup: joined(&softLink{}, `INSERT INTO article_publications VALUES (1, 3, 'old', '2001-01-01', '2002-01-01')`),
		call:  append32, fails: m2msafe.ErrDeletedLink,
		query: `SELECT article_id, publication_id, deleted_at IS NULL AS live FROM article_publications`, want: []string{"1|3|false"},
	},
	{
		name: "partial_index", setup: joined(&historyLink{}, `INSERT INTO article_publications VALUES (10, 1, 3, '2002-01-01'), (11, 1, 2, NULL)`),
		call:  append32,
		query: `SELECT article_id, publication_id, deleted_at IS NULL AS live FROM article_publications ORDER BY 1, 2, 3`,
		want:  []string{"1|2|true", "1|3|false", "1|3|true"},
	},
	{
		name: "surrogate_id", setup: seeded(`DROP TABLE article_publications`,
			`CREATE TABLE article_publications (id serial PRIMARY KEY, publication_id bigint, article_id bigint, UNIQUE (publication_id, article_id))`,
			`INSERT INTO article_publications (publication_id, article_id) VALUES (3, 1)`),
		call:  append32,
		query: `SELECT article_id, publication_id, last_value FROM article_publications, article_publications_id_seq ORDER BY 1, 2`,
		want:  []string{"1|2|2", "1|3|2"},
	},
	{
		name: "no_unique_key", setup: seeded(`ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`, `INSERT INTO article_publications (article_id, publication_id) VALUES (1, 3)`),
		call: append32, want: []string{"1|2", "1|3"},
	},
	{
		name: "deferrable", setup: seeded(`ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`,
			`ALTER TABLE article_publications ADD UNIQUE (article_id, publication_id) DEFERRABLE INITIALLY DEFERRED`, `INSERT INTO article_publications (article_id, publication_id) VALUES (1, 3)`),
		call: append32, want: []string{"1|2", "1|3"},
	},
	{
		name: "join_hooks", setup: joined(&hookedLink{}, `INSERT INTO article_publications VALUES (9, 1, 3, 'old')`),
		call:  append32,
		query: `SELECT * FROM article_publications ORDER BY id`, want: []string{"1|1|2|by the hook", "9|1|3|old"},
	},
	{
		name: "other_schema", setup: func(t *testing.T, db *gorm.DB) {
			schema := otherSchema(t, db)
			db.NamingStrategy = inSchema{db.NamingStrategy, schema}
			require.NoError(t, db.AutoMigrate(&Far{}, &Near{}))
			exec(t, db, `INSERT INTO `+schema+`.fars VALUES (1)`)
			exec(t, db, `INSERT INTO `+schema+`.nears VALUES (2)`)
			exec(t, db, `CREATE VIEW seen AS SELECT far_id, near_id FROM `+schema+`.far_nears`)
		},
		call:  func(db *gorm.DB) error { return db.Model(&Far{ID: 1}).Association("Nears").Append(&Near{ID: 2}) },
		query: `SELECT * FROM seen`, want: []string{"1|2"},
	},
	{
		name: "quoted_names", setup: func(t *testing.T, db *gorm.DB) {
			require.NoError(t, db.AutoMigrate(&Odd{}))
			exec(t, db, `INSERT INTO "order by" VALUES (1), (2)`)
		},
		call: func(db *gorm.DB) error {
			return db.Model(&Odd{ID: 2}).Association("Odds").Append(&Odd{ID: 2}, &Odd{ID: 1})
		},
		query: `SELECT * FROM "odd ""links""" ORDER BY 1, 2`, want: []string{"2|1", "2|2"},
	},
	{
		name: "other_owner_table", setup: seeded(`CREATE TABLE archive (LIKE articles INCLUDING ALL)`,
			`DROP TABLE article_publications`, `CREATE TABLE article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`),
		call: func(db *gorm.DB) error {
			return db.Table("archive").Create(&Article{ID: 77, Publications: []Publication{{ID: 1}}}).Error
		},
		want: []string{"77|1"},
	},
	{
		name: "create", setup: seeded(),
		call: func(db *gorm.DB) error {
			return db.Create(&[]Article{{ID: 11, Publications: []Publication{{ID: 1}}}, {ID: 10, Publications: []Publication{{ID: 1}}}}).Error
		},
		want: []string{"10|1", "11|1"},
	},
	{
		name: "missing_target", setup: seeded(),
		call: func(db *gorm.DB) error {
			return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 9, Name: "new"}, &Publication{ID: 1})
		},
		want: []string{"1|1", "1|9"},
	},
	{
		name: "omit_targets", setup: seeded(), fails: m2msafe.ErrTargetNotStored,
		call: func(db *gorm.DB) error {
			return db.Omit("Publications.*").Create(&Article{ID: 4, Publications: []Publication{{ID: 9}, {ID: 1}}}).Error
		},
		want: []string{},
	},
	{
		name: "by_name", setup: storedTopics,
		call: func(db *gorm.DB) error {
			return db.Model(&Story{ID: 1}).Association("Topics").Append(&Topic{Name: "sql"}, &Topic{Name: "go"}, &Topic{Name: "sql"})
		},
		query: storyTopics, want: []string{"1|1|go", "1|2|sql"},
	},
	{
		name: "by_name_settled", setup: storedTopics,
		call: func(db *gorm.DB) error {
			hooks := &topicHooks{before: func(topic *Topic) {
				if topic.Name == "b" { // by another writer, on a connection of its own
					_ = db.Exec(`INSERT INTO topics (id, name) VALUES (10, 'b')`)
				}
			}}
			return db.WithContext(hooks.context()).Model(&Story{ID: 1}).Association("Topics").
				Append(&Topic{Name: "a"}, &Topic{Name: "b"}, &Topic{Name: "c"})
		},
		query: storyTopics, want: []string{"1|2|a", "1|4|c", "1|10|b"},
	},
	{
		name: "get_or_create", setup: storedTopics,
		call: func(db *gorm.DB) error {
			for _, name := range []string{"go", "sql"} {
				if _, err := m2msafe.GetOrCreate(db.Statement.Context, db, &Topic{Name: name}); err != nil {
					return err
				}
			}
			return nil
		},
		query: `SELECT id, name FROM topics ORDER BY 1`, want: []string{"1|go", "2|sql"},
	},
	{
		name: "get_or_create_at_once", setup: func(t *testing.T, db *gorm.DB) { members(t, db) },
		call: func(db *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(db.Statement.Context, db, &Membership{UserID: 1, GroupID: 2})
			return err
		},
		query: `SELECT user_id, group_id, role FROM memberships`, want: []string{"1|2|member"},
	},
	{
		name: "get_or_create_locked", setup: seeded(`CREATE TABLE loose (name text, note text)`),
		call: func(db *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(db.Statement.Context, db, &loose{Name: "go"},
				m2msafe.NaturalKey(&loose{}, "Name"), m2msafe.NoUniqueKey(m2msafe.Lock))
			return err
		},
		query: `SELECT name FROM loose`, want: []string{"go"},
	},
	{
		name: "link_keys", setup: seeded(),
		call: func(db *gorm.DB) error {
			_, err := m2msafe.LinkKeys(db.Statement.Context, db, &Article{}, "Publications", 1, 3, 2)
			return err
		},
		want: []string{"1|2", "1|3"},
	},
	{
		name: "link_pairs", setup: seeded(),
		call: func(db *gorm.DB) error {
			pairs := maps.All(map[uint]uint{1: 3})
			_, err := m2msafe.LinkPairs(db.Statement.Context, db, &Article{}, "Publications", pairs)
			return err
		},
		want: []string{"1|3"},
	},
	{
		name: "no_transaction", config: gorm.Config{SkipDefaultTransaction: true}, setup: seeded(),
		call: append32, want: []string{"1|2", "1|3"},
	},
	{
		name: "dry_run", setup: seeded(), logged: true,
		call: func(db *gorm.DB) error { return append32(db.Session(&gorm.Session{DryRun: true})) },
		want: []string{},
	}, {
		name: "dry_run_hooks", setup: joined(&hookedLink{}), logged: true,
		call:  func(db *gorm.DB) error { return append32(db.Session(&gorm.Session{DryRun: true})) },
		query: `SELECT * FROM article_publications`, want: []string{},
	},
	{
		name: "dry_run_no_table", setup: seeded(`DROP TABLE article_publications`), logged: true,
		call:  func(db *gorm.DB) error { return append32(db.Session(&gorm.Session{DryRun: true})) },
		query: `SELECT 1 WHERE false`, want: []string{},
	},
}
