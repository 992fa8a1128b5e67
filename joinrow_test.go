package m2msafe_test

import (
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// number deletes softly by a number, as types of other packages do: 0 is living.
type number int

func (number) QueryClauses(f *schema.Field) []clause.Interface {
	return []clause.Interface{clause.Where{Exprs: []clause.Expression{
		clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: f.DBName}, Value: 0},
	}}}
}

func (number) DeleteClauses(*schema.Field) []clause.Interface { return nil }

// riddle deletes softly by a condition that is no equality.
type riddle int

func (riddle) QueryClauses(*schema.Field) []clause.Interface {
	return []clause.Interface{clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1 = 1"}}}}
}

func (riddle) DeleteClauses(*schema.Field) []clause.Interface { return nil }

// unsure deletes softly by a value that can't be had.
type unsure int

func (unsure) QueryClauses(f *schema.Field) []clause.Interface {
	return []clause.Interface{clause.Where{Exprs: []clause.Expression{
		clause.Eq{Column: clause.Column{Name: f.DBName}, Value: failingValue{}},
	}}}
}

func (unsure) DeleteClauses(*schema.Field) []clause.Interface { return nil }

type failingValue struct{}

var errValue = errors.New("refused by the value")

func (failingValue) Value() (driver.Value, error) { return nil, errValue }

type (
	flagLink struct {
		ArticleID     uint
		PublicationID uint
		Note          string
		Dead          number
	}
	riddleLink struct {
		ArticleID     uint `gorm:"primaryKey"`
		PublicationID uint `gorm:"primaryKey"`
		Dead          riddle
	}
	unsureLink struct {
		ArticleID     uint `gorm:"primaryKey"`
		PublicationID uint `gorm:"primaryKey"`
		Dead          unsure
	}
	keylessSoft struct {
		ArticleID     uint
		PublicationID uint
		DeletedAt     gorm.DeletedAt
	}
)

func (flagLink) TableName() string    { return "article_publications" }
func (riddleLink) TableName() string  { return "article_publications" }
func (unsureLink) TableName() string  { return "article_publications" }
func (keylessSoft) TableName() string { return "article_publications" }

func TestASoftDeleteOfAnyPackageIsRevivedOrLeftAsHistory(t *testing.T) {
	for _, c := range []struct {
		name, ddl string
		locked    bool
		want      []string
		outcome   m2msafe.Outcome
	}{
		{"a key on the pair", `ALTER TABLE article_publications ADD UNIQUE (article_id, publication_id)`, false, []string{"old|0"}, m2msafe.Revived},
		{"a key on the pair and the flag", `ALTER TABLE article_publications ADD UNIQUE (article_id, dead, publication_id)`, false, []string{"|0", "old|5"}, m2msafe.Created},
		{"a late key on the pair and the flag", `ALTER TABLE article_publications ADD UNIQUE (article_id, dead, publication_id) DEFERRABLE`, true, []string{"|0", "old|5"}, m2msafe.Created},
		{"a key on the living", `CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE dead = 0`, false, []string{"|0", "old|5"}, m2msafe.Created},
		{"a key on the dead", `CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE dead = 1`, true, []string{"|0", "old|5"}, m2msafe.Created},
		{"a key on others", `CREATE UNIQUE INDEX ON article_publications (article_id, publication_id) WHERE note = '0'`, true, []string{"|0", "old|5"}, m2msafe.Created},
		{"no key", `SELECT 1`, true, []string{"|0", "old|5"}, m2msafe.Created},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, rec := recorded(t, &gorm.Config{})
			joined(&flagLink{}, c.ddl, `INSERT INTO article_publications VALUES (1, 2, 'old', 5)`)(t, db)
			rec.take()
			var report m2msafe.Report
			require.NoError(t, linkOne(m2msafe.With(db, m2msafe.ReportTo(&report)), 2))
			if assert.Len(t, report.Links(), 1) {
				assert.Equal(t, c.outcome, report.Links()[0].Outcome)
			}
			require.NoError(t, linkOne(m2msafe.With(db, m2msafe.ReportTo(&report)), 2))
			assert.Equal(t, m2msafe.Existing, report.Links()[1].Outcome)
			assert.Equal(t, c.outcome == m2msafe.Revived, len(report.Revived()) == 1)
			if c.locked {
				assert.Contains(t, kinds(rec.take()), "lock")
			} else {
				assert.NotContains(t, kinds(rec.take()), "lock")
			}
			assert.Equal(t, c.want, stored(t, db, `SELECT note, dead FROM article_publications ORDER BY dead`))
		})
	}
}

func TestASoftDeleteThatIsNotUnderstoodIsRefused(t *testing.T) {
	db := open(t)
	joined(&riddleLink{})(t, db)
	err := linkOne(db, 2)
	require.ErrorContains(t, err, "field Dead soft-deletes in a way that is not understood; use m2msafe.With(db, m2msafe.Off())")
	require.NoError(t, linkOne(m2msafe.With(db, m2msafe.Off()), 2))

	db = open(t)
	joined(&unsureLink{})(t, db)
	require.ErrorIs(t, linkOne(db, 2), errValue)
}

func TestTheRemedyOfASoftDeletedTableIsAPartialIndex(t *testing.T) {
	for model, want := range map[any]string{
		&keylessSoft{}: `("article_id", "publication_id") WHERE "deleted_at" IS NULL`,
		&flagLink{}:    `("article_id", "publication_id") WHERE "dead" = 0`,
	} {
		dsn := pgtest.DSN(t)
		db, again := connect(t, dsn, nil), connect(t, dsn, nil)
		require.NoError(t, db.Use(m2msafe.New(m2msafe.NoUniqueKey(m2msafe.Refuse))))
		joined(model)(t, db)
		err := linkOne(db, 2)
		var failed *m2msafe.LinkError
		require.ErrorAs(t, err, &failed)
		assert.Contains(t, failed.Advice, want)
		exec(t, db, failed.Advice[len("mend it with: "):])
		// The plan of db was made; a process that starts now looks again.
		require.NoError(t, again.Use(m2msafe.New(m2msafe.NoUniqueKey(m2msafe.Refuse))))
		require.NoError(t, again.SetupJoinTable(&Article{}, "Publications", model))
		require.NoError(t, linkOne(again, 2), "the remedy must help")
	}
}

// tokenLink has a column whose default is the database's, and hooks.
type tokenLink struct {
	ArticleID     uint   `gorm:"primaryKey"`
	PublicationID uint   `gorm:"primaryKey"`
	Token         string `gorm:"default:gen_random_uuid()"`
	After         int    `gorm:"-"`
}

func (tokenLink) TableName() string { return "article_publications" }

// hookCalls is what a test lets the hooks of tokenLink do and note.
type hookCalls struct {
	before, after []tokenLink
	token         map[uint]string
	meanwhile     func() // what another connection does before the write
	fail          error
}

func (l *tokenLink) BeforeCreate(tx *gorm.DB) error {
	calls := tx.Statement.Context.Value(hookCallsKey{}).(*hookCalls)
	l.Token = calls.token[l.PublicationID]
	calls.before = append(calls.before, *l)
	if calls.meanwhile != nil {
		calls.meanwhile()
	}
	return nil
}

func (l *tokenLink) AfterSave(tx *gorm.DB) error {
	calls := tx.Statement.Context.Value(hookCallsKey{}).(*hookCalls)
	calls.after = append(calls.after, *l)
	return calls.fail
}

type hookCallsKey struct{}

func TestHooksOfJoinRowsSeeTheNewOnesAndTheirDefaults(t *testing.T) {
	for name, tokens := range map[string]map[uint]string{
		"all by the database": {}, "all by the hook": {2: "t2", 3: "t3"}, "one by each": {2: "t2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			joined(&tokenLink{}, `INSERT INTO article_publications VALUES (1, 1, 'old')`)(t, db)
			calls := &hookCalls{token: tokens}
			tx := db.WithContext(contextWith(calls))
			var report m2msafe.Report
			err := m2msafe.With(tx, m2msafe.ReportTo(&report)).Model(&Article{ID: 1}).Association("Publications").
				Append(&Publication{ID: 3}, &Publication{ID: 1}, &Publication{ID: 2})
			require.NoError(t, err)
			assert.Len(t, calls.before, 2, "the stored link is none of theirs")
			assert.Len(t, calls.after, 2)
			assert.Len(t, report.Created(), 2)
			for _, row := range calls.after {
				want := stored(t, db, `SELECT token FROM article_publications WHERE publication_id = `+string(rune('0'+row.PublicationID)))
				assert.Equal(t, []string{row.Token}, want, "AfterSave must see what is stored")
				if tokens[row.PublicationID] != "" {
					assert.Equal(t, tokens[row.PublicationID], row.Token)
				} else {
					assert.Len(t, row.Token, 36)
				}
			}

			// Hooks are skipped where the caller says so; their error takes all back.
			require.NoError(t, linkOne(tx.Session(&gorm.Session{SkipHooks: true}), 2))
			assert.Len(t, calls.before, 2)
			exec(t, db, `DELETE FROM article_publications`)
			calls.fail = errValue
			require.ErrorIs(t, linkOne(tx, 2), errValue)
			assert.Empty(t, links(t, db))
		})
	}
}

func TestARowThatAnotherWriterInsertsMeanwhileIsNotCreatedHere(t *testing.T) {
	db := open(t)
	joined(&tokenLink{})(t, db)
	calls := &hookCalls{token: map[uint]string{2: "mine"}, meanwhile: func() {
		exec(t, db, `INSERT INTO article_publications VALUES (1, 2, 'theirs')`)
	}}
	var report m2msafe.Report
	require.NoError(t, linkOne(m2msafe.With(db.WithContext(contextWith(calls)), m2msafe.ReportTo(&report)), 2))
	assert.Len(t, calls.before, 1)
	assert.Empty(t, calls.after)
	assert.Len(t, report.Existing(), 1)
	assert.Equal(t, []string{"theirs"}, stored(t, db, `SELECT token FROM article_publications`))
}
