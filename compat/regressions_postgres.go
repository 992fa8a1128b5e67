package compat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

// regressionsPostgres are those that PostgreSQL has shown. The races run on
// SQLite too, whose one writer has no deadlocks.
var regressionsPostgres = []behaviour{
	{"writers of all kinds meet in one owner", raced(raceKinds)},
	{"writers of all kinds meet in one owner, without a unique key", raced(raceKindsNoUniqueKey)},
	{"what a join model's hook sets is stored as stock GORM stores it", only("PostgreSQL has interval and jsonb alone", hookTypes)},
	{"a join column of another type than the target's key", joinColumnType},
	{"a role that may not read the join table is told before anything fails", mayNotRead},
	{"a target that is linked already is not locked", linkedNotLocked},
	{"a plan of DDL that is rolled back is not kept", rolledBackPlan},
}

// kindsOf are the ways of adding targets to article 1 that the races mix: an
// Append, a Save, an update and an Append in one transaction, an Append that
// updates the targets. Writer n uses the n-th.
func kindsOf(db *gorm.DB, article uint, writer int, targets []Publication) error {
	owner := &Article{ID: article}
	switch writer % 4 {
	case 0:
		return db.Model(owner).Association("Publications").Append(targets)
	case 1:
		return db.Save(&Article{ID: article, Title: "saved", Publications: targets}).Error
	case 2:
		return db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Model(owner).Update("title", "updated").Error; err != nil {
				return err
			}
			return tx.Model(&Article{ID: article}).Association("Publications").Append(targets)
		})
	default:
		return db.Session(&gorm.Session{FullSaveAssociations: true}).Model(owner).Association("Publications").Append(targets)
	}
}

// fifteen adds articles, one a round, and publications up to 15.
func fifteen(t testing.TB, db *gorm.DB) (ids []uint) {
	t.Helper()
	for id := range uint(15) {
		ids = append(ids, id+1)
	}
	for range 10 {
		exec(t, db, `INSERT INTO publications (name, updated_at) VALUES ('more', ?)`, past)
	}
	for range raceRounds - 3 {
		exec(t, db, `INSERT INTO articles (title, updated_at) VALUES ('more', ?)`, past)
	}
	return ids
}

// Before, 1 to 6 % of the calls failed (40P01): some took the owner before its
// join rows, others after.
func raceKinds(t testing.TB, db *gorm.DB) (problems []string) {
	ids, unlocked := fifteen(t, seed(t, db)), kin(db)
	for round := range raceRounds {
		problems = append(problems, rush(func(writer int) error {
			call := func() error { return kindsOf(db, uint(round+1), writer, publications(ids...)) }
			if unlocked { // the owner comes behind its join rows, but for a caller who has it before
				return untilKept(call)
			}
			return elsewhere(db, call)
		})...)
	}
	return append(problems, counted(t, db, "article_publications", articlePair, raceRounds*15)...)
}

// Before, 60 % of the calls failed (40P01).
func raceKindsNoUniqueKey(t testing.TB, db *gorm.DB) (problems []string) {
	unguarded(t, db)
	rides(t, db)
	fifteen(t, db)
	for round := range raceRounds {
		problems = append(problems, rush(func(writer int) error {
			return elsewhere(db, func() error { return kindsOf(db, uint(round+1), writer, publications(uint(writer+1))) })
		})...)
	}
	return append(problems, counted(t, db, "article_publications", articlePair, raceRounds*raceWriters)...)
}

// only runs a test on PostgreSQL, and says why not on others.
func only(why string, run func(*testing.T, Engine)) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		can(t, e, why)
		run(t, e)
	}
}

// Stay is a join model whose hook sets what has an encoding of its own.
type Stay struct {
	ArticleID     uint           `gorm:"primaryKey"`
	PublicationID uint           `gorm:"primaryKey"`
	Length        time.Duration  `gorm:"type:interval"`
	Facts         map[string]any `gorm:"type:jsonb"`
}

// TableName is the join table's.
func (Stay) TableName(n schema.Namer) string { return pairTable(n) }

// BeforeCreate sets the columns.
func (s *Stay) BeforeCreate(*gorm.DB) error {
	s.Length = time.Duration(s.PublicationID)*90*time.Minute + 1500*time.Millisecond
	s.Facts = map[string]any{"id": s.PublicationID, "list": []int{1, 2}, "text": `a "b" \ {c}`, "none": nil}
	return nil
}

// Before, the database was given the duration as a number of nanoseconds, and
// for the map there was no text: the call failed.
func hookTypes(t *testing.T, e Engine) {
	if e.Untyped != "" || strings.HasSuffix(e.Name, "-pq") {
		t.Skip("stock GORM fails: the driver has no text for a map whose parameter has no type to it")
	}
	var stored [2][]string
	for i, opts := range [][]m2msafe.Option{{m2msafe.Off()}, nil} {
		db := e.Open(t, fmt.Sprint("database ", i), &gorm.Config{Logger: logger.Discard})
		require.NoError(t, db.Use(m2msafe.New(opts...)))
		require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", &Stay{}))
		require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", &Stay{}))
		seed(t, db)
		require.NoError(t, link(db, 1, 1, 2, 3))
		require.NoError(t, link(db, 1, 3, 4))
		stored[i] = rows(t, db, `SELECT publication_id, length::text, facts::text FROM article_publications ORDER BY 1`)
	}
	require.Len(t, stored[0], 4)
	require.Equal(t, stored[0], stored[1])
}

// Dossier is an owner whose join table has text where its target has a uuid.
type Dossier struct {
	ID     uint
	Sheets []*Sheet `gorm:"many2many:dossier_sheets"`
}

// Sheet is the target.
type Sheet struct {
	ID   string `gorm:"type:uuid"`
	Name string
}

// Before, the link statement compared uuid with text, which PostgreSQL has no
// operator for (42883).
func joinColumnType(t *testing.T, e Engine) {
	switch {
	case e.Dialect == "sqlite":
		t.Skip("SQLite has no uuid")
	case e.Dialect == "mysql" && !mariaDB(e.Stock(t)):
		t.Skip("of the MySQL family MariaDB alone has uuid")
	}
	const a, b, c, d = "0b8e3f1c-7a30-4a52-9d2c-111111111111", "0b8e3f1c-7a30-4a52-9d2c-222222222222", "0b8e3f1c-7a30-4a52-9d2c-333333333333", "0b8e3f1c-7a30-4a52-9d2c-444444444444"
	for name, key := range map[string]string{"with a unique key": ", PRIMARY KEY (dossier_id, sheet_id)", "without": ""} {
		t.Run(name, func(t *testing.T) {
			var stored [2][]string
			for i, opts := range [][]m2msafe.Option{{m2msafe.Off()}, nil} {
				db := e.Open(t, fmt.Sprint("database ", i), &gorm.Config{Logger: logger.Discard})
				if key == "" {
					unguarded(t, db)
				}
				require.NoError(t, db.Use(m2msafe.New(opts...)))
				require.NoError(t, db.AutoMigrate(&Dossier{}, &Sheet{}))
				exec(t, db, `DROP TABLE dossier_sheets`)
				exec(t, db, `CREATE TABLE dossier_sheets (dossier_id bigint, sheet_id text`+key+`)`)
				require.NoError(t, db.Create(&Dossier{Sheets: []*Sheet{{ID: a, Name: "a"}, {ID: b, Name: "b"}}}).Error)
				require.NoError(t, db.Model(&Dossier{ID: 1}).Association("Sheets").Append(&Sheet{ID: c, Name: "c"}))
				require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
					require.NoError(t, tx.Create(&Dossier{}).Error)
					require.NoError(t, tx.Model(&Dossier{ID: 2}).Association("Sheets").Append(&Sheet{ID: a}, &Sheet{ID: d, Name: "d"}))
					usable(t, tx)
					return nil
				}))
				stored[i] = append(rows(t, db, `SELECT * FROM dossier_sheets ORDER BY 1, 2`), rows(t, db, `SELECT * FROM sheets ORDER BY 1`)...)
			}
			require.Len(t, stored[0], 9)
			require.Equal(t, stored[0], stored[1])
		})
	}
}

// Before, the link statement itself failed (42501), and the caller's transaction
// with it.
func mayNotRead(t *testing.T, e Engine) {
	switch e.Dialect {
	case "sqlite":
		t.Skip("SQLite has no roles")
	case "mysql":
		t.Skip("a user of the MySQL family sees no keys of a table that it may not read, and a statement that fails aborts no transaction there: nothing is asked ahead")
	}
	db := seeded(t, e)
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1) // SET ROLE is the connection's
	schema := one(t, db, `SELECT current_schema()`)
	role := fmt.Sprintf("may_not_read_%s_%d", schema, time.Now().UnixNano())
	exec(t, db, `CREATE ROLE `+role)
	t.Cleanup(func() {
		exec(t, db, `RESET ROLE`)
		exec(t, db, `DROP OWNED BY `+role)
		exec(t, db, `DROP ROLE `+role)
	})
	for _, grant := range []string{"USAGE ON SCHEMA " + schema, "USAGE ON ALL SEQUENCES IN SCHEMA " + schema,
		"SELECT, INSERT, UPDATE ON articles, publications", "INSERT ON article_publications"} {
		exec(t, db, `GRANT `+grant+` TO `+role)
	}
	exec(t, db, `SET ROLE `+role)
	told := func(err error) {
		t.Helper()
		var failed *m2msafe.LinkError
		require.ErrorAs(t, err, &failed)
		require.ErrorContains(t, err, "GRANT SELECT")
	}
	told(link(db, 1, 2))
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		exec(t, tx, `UPDATE articles SET title = 'kept' WHERE id = 1`)
		told(link(tx, 1, 2))
		usable(t, tx)
		told(tx.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{Name: "new"}))
		usable(t, tx)
		return nil
	}))
	exec(t, db, `RESET ROLE`)
	require.Equal(t, "kept", one(t, db, `SELECT title FROM articles WHERE id = 1`))
	require.Equal(t, "5", tally(t, db, "publications"))
	require.Empty(t, linked(t, db))
}

// Before, it waited for the lock (55P03 after lock_timeout). Stock GORM does not.
func linkedNotLocked(t *testing.T, e Engine) {
	patience := `SET innodb_lock_wait_timeout = 1`
	switch {
	case !e.concurrent():
		t.Skip("SQLite has no row locks")
	case e.NoLocks != "":
		t.Skip(e.NoLocks)
	case e.postgres():
		patience = `SET LOCAL lock_timeout = '500ms'`
	}
	db := library(t, e.DB(t), 1, 3)
	if e.postgres() {
		exec(t, db, `SELECT setval('`+tableOf(db, "books")+`_id_seq', 3)`)
	}
	require.NoError(t, db.Model(&Reader{ID: 1}).Association("Books").Append(booksOf(2, 0)))
	holder := db.Begin()
	defer holder.Rollback()
	exec(t, holder, `SELECT * FROM books WHERE id = 1 FOR UPDATE`)
	targets := []*Book{{ID: 3}, {Title: "new"}, {ID: 9, Title: "nine"}}
	if !e.postgres() {
		targets = targets[:2] // before a key is taken for missing, all pairs are read behind locks
	}
	for _, target := range targets {
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			exec(t, tx, patience)
			return tx.Model(&Reader{ID: 1}).Association("Books").Append(&Book{ID: 1}, target)
		}))
	}
	require.Equal(t, fmt.Sprint(2+len(targets)), tally(t, db, "reader_books"))
}

// Before, the plan with the index outlived it: the next call's ON CONFLICT named
// a key that was not there (42P10), which aborted the caller's transaction.
func rolledBackPlan(t *testing.T, e Engine) {
	switch e.Dialect {
	case "sqlite":
		t.Skip("SQLite lets nobody link beside the DDL")
	case "mysql":
		t.Skip("the MySQL family commits at each DDL: there is none to roll back")
	}
	db := seed(t, e.DB(t), `CREATE TABLE article_publications ({pair})`)
	err := db.Transaction(func(tx *gorm.DB) error {
		exec(t, tx, `CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id)`)
		require.NoError(t, link(tx, 1, 1))
		return errHook
	})
	require.ErrorIs(t, err, errHook)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 1, 1, 2))
		usable(t, tx)
		return link(tx, 1, 1)
	}))
	require.Equal(t, []string{"1|1", "1|2"}, linked(t, db))
}
