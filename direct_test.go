package m2msafe_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// Owners of which each asks for more than one statement.
type (
	// HookedOwner hears of its updates.
	HookedOwner struct {
		ID           uint
		Publications []*Publication `gorm:"many2many:hooked_owner_publications"`
	}
	// VersionedOwner counts its updates, as optimistic locking does.
	VersionedOwner struct {
		ID           uint
		UpdatedAt    time.Time
		Version      version
		Publications []*Publication `gorm:"many2many:versioned_owner_publications"`
	}
	// NamedOwner is referred to by its name.
	NamedOwner struct {
		ID           uint
		Name         string `gorm:"unique"`
		UpdatedAt    time.Time
		Publications []*Publication `gorm:"many2many:named_owner_publications;foreignKey:Name"`
	}
	// TwofoldOwner has two relations.
	TwofoldOwner struct {
		ID           uint
		Title        string
		Publications []*Publication `gorm:"many2many:twofold_owner_publications"`
		Articles     []*Article     `gorm:"many2many:twofold_owner_articles"`
	}
	// NestedTarget holds something itself.
	NestedTarget struct {
		ID       uint
		Chapters []Chapter
	}
	// Chapter is what it holds.
	Chapter struct {
		ID             uint
		NestedTargetID uint
	}
	// NestingOwner links it.
	NestingOwner struct {
		ID      uint
		Targets []*NestedTarget `gorm:"many2many:nesting_owner_targets"`
	}
	version int64
)

// AfterUpdate wants to hear.
func (*HookedOwner) AfterUpdate(*gorm.DB) error { return nil }

// UpdateClauses is what optimistic locking has.
func (version) UpdateClauses(field *schema.Field) []clause.Interface {
	return []clause.Interface{counted{field}}
}

type counted struct{ field *schema.Field }

func (counted) Name() string               { return "" }
func (counted) Build(clause.Builder)       {}
func (counted) MergeClause(*clause.Clause) {}

func (c counted) ModifyStatement(stmt *gorm.Statement) {
	stmt.SetColumn(c.field.DBName, gorm.Expr(c.field.DBName+" + 1"), true)
}

// one appends publication 2 to an owner's relation.
func one(owner any) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		return db.Model(owner).Association("Publications").Append(&Publication{ID: 2})
	}
}

// Each reason for which an Append of stored rows is more than one statement; the
// outcome is the same.
func TestWhyAnAppendIsMoreThanOneStatement(t *testing.T) {
	linkUpdate := []string{"BEGIN", "link", "UPDATE", "COMMIT"}
	around := []string{"BEGIN", "link", "COMMIT"}
	for _, c := range []struct {
		name  string
		join  any // join model of articles
		setup string
		call  func(*gorm.DB) error
		want  []string
		table string // where the link is, if not article_publications
	}{
		{name: "none", call: one(&Article{ID: 1}), want: []string{"link"}},
		{name: "none, with an update time", call: one(&Timed{ID: 1}), want: []string{"link"}, table: "timed_publications"},
		{name: "the owner has hooks", call: one(&HookedOwner{ID: 1}), want: around, table: "hooked_owner_publications"},
		{name: "the owner has hooks, which are skipped", call: func(db *gorm.DB) error {
			return one(&HookedOwner{ID: 1})(db.Session(&gorm.Session{SkipHooks: true}))
		}, want: []string{"link"}, table: "hooked_owner_publications"},
		{name: "other columns are written", call: func(db *gorm.DB) error {
			return db.Select("Title", "Publications").Updates(&Article{ID: 1, Title: "new", Publications: []Publication{{ID: 2}}}).Error
		}, want: []string{"BEGIN", "UPDATE articles", "link", "COMMIT"}},
		{name: "the update selects all", call: func(db *gorm.DB) error {
			return db.Updates(&Article{ID: 1, Title: "new", Publications: []Publication{{ID: 2}}}).Error
		}, want: []string{"BEGIN", "UPDATE articles", "link", "COMMIT"}},
		{name: "the update selects the relation alone", call: func(db *gorm.DB) error {
			return db.Select("Publications").Updates(&Article{ID: 1, Title: "not written", Publications: []Publication{{ID: 2}}}).Error
		}, want: []string{"link"}},
		{name: "two relations are saved", call: func(db *gorm.DB) error {
			return db.Select("Publications", "Articles").Updates(&TwofoldOwner{ID: 1, Publications: []*Publication{{ID: 2}}, Articles: []*Article{{ID: 2}}}).Error
		}, want: []string{"BEGIN", "link", "link", "COMMIT"}, table: "twofold_owner_publications"},
		{name: "an Append to several owners, which GORM makes one by one", call: func(db *gorm.DB) error {
			return db.Model(&[]Article{{ID: 1}}).Association("Publications").Append(&Publication{ID: 2})
		}, want: []string{"link"}},
		{name: "the owner is given as a value", call: func(db *gorm.DB) error {
			return db.Select("Publications").Updates(Article{ID: 1, Publications: []Publication{{ID: 2}}}).Error
		}, want: around},
		{name: "the owner is given as a value, with an update time", call: func(db *gorm.DB) error {
			return db.Select("Publications").Updates(Timed{ID: 1, Publications: []*Publication{{ID: 2}}}).Error
		}, want: []string{"BEGIN", "link", "UPDATE timeds", "COMMIT"}, table: "timed_publications"},
		{name: "the update has conditions", call: func(db *gorm.DB) error {
			return db.Where("title <> ''").Select("Publications").Updates(&Article{ID: 1, Publications: []Publication{{ID: 2}}}).Error
		}, want: around},
		{name: "events", call: func(db *gorm.DB) error {
			return one(&Article{ID: 1})(m2msafe.With(db, m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { return nil })))
		}, want: around},
		{name: "FullSaveAssociations", call: func(db *gorm.DB) error {
			return one(&Article{ID: 1})(db.Session(&gorm.Session{FullSaveAssociations: true}))
		}, want: []string{"BEGIN", "INSERT publications", "link", "COMMIT"}},
		{name: "hooks of the join row", join: &hookedLink{}, call: one(&Article{ID: 1}),
			want: []string{"BEGIN", "find", "link", "find", "COMMIT"}},
		{name: "no unique key", setup: `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`,
			call: one(&Article{ID: 1}), want: []string{"BEGIN", "lock", "link", "COMMIT"}},
		{name: "a target without a key", call: func(db *gorm.DB) error {
			exec(t, db, `SELECT setval('publications_id_seq', 1); DELETE FROM publications WHERE id = 2`)
			return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{Name: "new"})
		}, want: []string{"SELECT", "BEGIN", "INSERT publications", "link", "COMMIT"}},
		{name: "a target that is not stored", setup: `DELETE FROM publications WHERE id = 2`, call: one(&Article{ID: 1}),
			want: []string{"link", "BEGIN", "INSERT publications", "link", "COMMIT"}},
		{name: "the update names its table", call: func(db *gorm.DB) error {
			return db.Table("articles").Select("Publications").Updates(&Article{ID: 1, Publications: []Publication{{ID: 2}}}).Error
		}, want: around},
		{name: "the update joins", call: func(db *gorm.DB) error {
			return db.Joins("Owner").Select("Publications").Updates(&Article{ID: 1, Publications: []Publication{{ID: 2}}}).Error
		}, want: around},
		{name: "a link that is soft-deleted", join: &softLink{}, setup: `INSERT INTO article_publications VALUES (1, 2, 'old', '2001-01-01', '2002-01-01')`, call: one(&Article{ID: 1}),
			want: []string{"link", "BEGIN", "link", "find", "link", "COMMIT"}}, // it is revived by an UPDATE behind a WITH
		{name: "a field that adds to each update", call: one(&VersionedOwner{ID: 1}), want: linkUpdate, table: "versioned_owner_publications"},
		{name: "an update time, and the relation refers to another key", call: one(&NamedOwner{ID: 1, Name: "n1"}), want: linkUpdate, table: "named_owner_publications"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, rec := recorded(t, &gorm.Config{})
			if c.join != nil {
				require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", c.join))
				require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", c.join))
			}
			seed(t, db, 3)
			require.NoError(t, db.AutoMigrate(&Timed{}, &HookedOwner{}, &VersionedOwner{}, &NamedOwner{}, &TwofoldOwner{}))
			exec(t, db, `INSERT INTO timeds VALUES (1, '2001-01-01'); INSERT INTO hooked_owners VALUES (1); INSERT INTO versioned_owners VALUES (1, '2001-01-01', 1);
				INSERT INTO named_owners VALUES (1, 'n1', '2001-01-01'); INSERT INTO twofold_owners VALUES (1, '')`)
			if c.setup != "" {
				exec(t, db, c.setup)
			}
			rec.take()
			require.NoError(t, c.call(db))
			var sent []string
			for _, kind := range withoutPlan(rec.take()) {
				if kind == "UPDATE versioned_owners" || kind == "UPDATE named_owners" {
					kind = "UPDATE"
				}
				sent = append(sent, kind)
			}
			assert.Equal(t, c.want, sent)
			table := c.table
			if table == "" {
				table = "article_publications"
			}
			assert.Equal(t, []string{"2"}, stored(t, db, `SELECT publication_id FROM `+table))
			if table == "timed_publications" {
				assert.Equal(t, []string{"2016"}, stored(t, db, `SELECT extract(year FROM updated_at) FROM timeds`))
			}
		})
	}
}

// As in stock GORM, it is the model's field that is saved, not the values'.
func TestTheValuesOfAnUpdateAreNotItsOwner(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	seed(t, db, 3)
	bare, full := Article{ID: 1}, Article{ID: 1, Publications: []Publication{{ID: 2}}}
	rec.take()
	require.NoError(t, db.Model(&bare).Select("Publications").Updates(&full).Error)
	assert.Equal(t, []string{"BEGIN", "COMMIT"}, withoutPlan(rec.take()))
	assert.Empty(t, links(t, db))
	rec.take()
	require.NoError(t, db.Model(&full).Select("Publications").Updates(&bare).Error)
	assert.Equal(t, []string{"BEGIN", "link", "COMMIT"}, withoutPlan(rec.take()))
	assert.Equal(t, []string{"1|2"}, links(t, db))
}

func TestAppendInADryRunLinksNothing(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{DryRun: false})
	seed(t, db, 3)
	require.NoError(t, linkOne(db, 1))
	rec.take()
	require.NoError(t, linkOne(db.Session(&gorm.Session{DryRun: true}), 2))
	assert.Equal(t, []string{"BEGIN", "COMMIT"}, kinds(rec.take()), "of GORM's own")
	assert.Equal(t, []string{"1|1"}, links(t, db))
}

// What hangs on the targets is not saved by an Append, whose Select names the
// relation alone; so it does not stand in the way of one statement.
func TestWhatATargetHoldsIsLeftAloneByAppend(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	require.NoError(t, db.AutoMigrate(&NestedTarget{}, &Chapter{}, &NestingOwner{}))
	exec(t, db, `INSERT INTO nested_targets VALUES (1); INSERT INTO nesting_owners VALUES (1)`)
	add := func() error {
		return db.Model(&NestingOwner{ID: 1}).Association("Targets").Append(&NestedTarget{ID: 1, Chapters: []Chapter{{}}})
	}
	require.NoError(t, add())
	exec(t, db, `DELETE FROM nesting_owner_targets`)
	rec.take()
	require.NoError(t, add())
	assert.Equal(t, []string{"link"}, kinds(rec.take()))
	assert.Equal(t, []string{"1"}, stored(t, db, `SELECT count(*) FROM nesting_owner_targets`))
	assert.Equal(t, []string{"0"}, stored(t, db, `SELECT count(*) FROM chapters`))
}

// A callback of somebody else's may count on the transaction; one that only
// watches does not.
func TestOtherPluginsCallbacksGetTheirTransaction(t *testing.T) {
	for name, want := range map[string][]string{
		"app:audit":          {"BEGIN", "link", "COMMIT"},
		"otel:before:update": {"link"},
		"gorm:db_resolver":   {"link"},
	} {
		t.Run(name, func(t *testing.T) {
			db, rec := recorded(t, &gorm.Config{})
			seed(t, db, 3)
			ran := 0
			require.NoError(t, db.Callback().Update().Before("gorm:update").Register(name, func(*gorm.DB) { ran++ }))
			require.NoError(t, linkOne(db, 1))
			rec.take()
			require.NoError(t, linkOne(db, 2))
			assert.Equal(t, want, kinds(rec.take()))
			assert.Equal(t, 2, ran)
		})
	}
}

// Writers on one owner, whose update time each of them moves: the update meets
// a row that others have updated since the statement began.
func TestManyWritersMoveOneOwnersUpdateTime(t *testing.T) {
	db := open(t)
	seed(t, db, 80)
	require.NoError(t, db.AutoMigrate(&Timed{}))
	exec(t, db, `INSERT INTO timeds VALUES (1, '2001-01-01')`)
	exec(t, db, `CREATE TABLE moves (at timestamptz)`)
	exec(t, db, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO moves VALUES (NEW.updated_at); RETURN NEW; END $$`)
	exec(t, db, `CREATE TRIGGER note AFTER UPDATE ON timeds FOR EACH ROW EXECUTE FUNCTION note()`)
	var group sync.WaitGroup
	errs := make([]error, 8)
	for w := range errs {
		group.Go(func() {
			for i := range 20 { // half of it is linked already
				id := uint(w*10+i/2) + 1
				errs[w] = errors.Join(errs[w], db.Model(&Timed{ID: 1}).Association("Publications").Append(&Publication{ID: id}))
			}
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.Equal(t, []string{"80"}, stored(t, db, `SELECT count(*) FROM timed_publications`))
	assert.Equal(t, []string{"80"}, stored(t, db, `SELECT count(*) FROM moves`), "one move a link")
	assert.Equal(t, []string{"0"}, stored(t, db, `SELECT count(*) FROM timeds WHERE updated_at < (SELECT min(at) FROM moves)`))
}

func TestAnUpdateTimeThatIsOmittedStays(t *testing.T) {
	db := open(t)
	seed(t, db, 3)
	require.NoError(t, db.AutoMigrate(&Timed{}))
	exec(t, db, `INSERT INTO timeds VALUES (1, '2001-01-01')`)
	for i, omit := range []func(*gorm.DB) *gorm.DB{
		func(db *gorm.DB) *gorm.DB { return db.Omit("UpdatedAt") },
		func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{SkipHooks: true}) },
	} {
		owner := &Timed{ID: 1}
		require.NoError(t, omit(db).Model(owner).Association("Publications").Append(&Publication{ID: uint(i + 1)}))
		assert.Zero(t, owner.UpdatedAt)
		assert.Equal(t, []string{"2001"}, stored(t, db, `SELECT extract(year FROM updated_at) FROM timeds`))
	}
	assert.Equal(t, []string{"2"}, stored(t, db, `SELECT count(*) FROM timed_publications`))
}

// The owner goes away, or a target, after the statement has looked: the foreign
// key's error is settled by the second entrance, and its caller sees what
// happened.
func TestARowThatGoesAwayMeanwhileIsFoundOut(t *testing.T) {
	for _, gone := range []string{"articles", "publications"} {
		t.Run(gone, func(t *testing.T) {
			db, rec := recorded(t, &gorm.Config{})
			seed(t, db, 3)
			require.NoError(t, linkOne(db, 1))
			// The trigger runs between the look and the check of the foreign key.
			exec(t, db, fmt.Sprintf(`CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				DELETE FROM article_publications; DELETE FROM %s WHERE id IN (1, 3) AND id = CASE '%[1]s' WHEN 'articles' THEN 1 ELSE 3 END; RETURN NEW; END $$`, gone))
			exec(t, db, `CREATE TRIGGER away BEFORE INSERT ON article_publications FOR EACH ROW EXECUTE FUNCTION away()`)
			rec.take()
			err := linkOne(db, 3)
			assert.Equal(t, []string{"link", "BEGIN", "link", "ROLLBACK"}, kinds(rec.take()))
			require.ErrorIs(t, err, gorm.ErrForeignKeyViolated)
			var known *m2msafe.LinkError
			require.ErrorAs(t, err, &known)
		})
	}
}

func TestStatementsWithNothingToLinkAllocateNothingMore(t *testing.T) {
	db := open(t)
	seed(t, db, 1)
	stock := m2msafe.With(db, m2msafe.Off())
	article := &Article{ID: 1, Title: "a"}
	dry := func(db *gorm.DB) func() {
		tx := db.Session(&gorm.Session{DryRun: true})
		return func() {
			if err := tx.Model(article).Select("Title").Updates(article).Error; err != nil {
				panic(err)
			}
		}
	}
	// The least of many: the race detector has pools forget at random.
	least := func(db *gorm.DB) float64 {
		run, allocs := dry(db), []float64{}
		for range 200 {
			allocs = append(allocs, testing.AllocsPerRun(1, run))
		}
		return slices.Min(allocs)
	}
	bare := connect(t, pgtest.DSN(t), nil)
	assert.Equal(t, least(bare), least(db))
	assert.Equal(t, least(bare), least(stock))
}
