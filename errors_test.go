package m2msafe_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

func TestALinkErrorIsOneLineWithWhatFailed(t *testing.T) {
	cause, lines := errors.New("the cause"), "c\r\n"
	for _, c := range []struct {
		err  m2msafe.LinkError
		want string
	}{
		{m2msafe.LinkError{}, "links not written"},
		{m2msafe.LinkError{Err: m2msafe.ErrDeletedLink}, "link is soft-deleted"},
		{m2msafe.LinkError{Owner: []any{7}}, "links not written; owner 7"},
		{m2msafe.LinkError{Owner: []any{7, "en"}, Targets: [][]any{{"a"}, {[]byte{1, 255}}}}, `links not written; owner (7, "en"); target "a", 01ff`},
		{m2msafe.LinkError{Owner: []any{code("a\nb"), &lines, uuid{0xab, 15: 1}, (*string)(nil), sql.NullInt64{Int64: 7, Valid: true}, true, 1.5, past}},
			`links not written; owner ("a\nb", "c\r\n", ab000000000000000000000000000001, NULL, "7", true, 1.5, 2001-02-03T04:05:06Z)`},
		{m2msafe.LinkError{Owner: []any{struct{ A string }{"d\ne"}}}, `links not written; owner "{d\ne}"`},
		{m2msafe.LinkError{Targets: [][]any{{1}, {2}, {3}, {4}, {5}}}, "links not written; target 1, 2, 3, 4, 5"},
		{m2msafe.LinkError{Targets: [][]any{{1}, {2}, {3}, {4}, {5}, {6}, {7}}}, "links not written; target 1, 2, 3, 4, 5 and 2 more"},
		{m2msafe.LinkError{Cause: cause, Advice: "help"}, "links not written: the cause (help)"},
	} {
		c.err.Relation, c.err.JoinTable = "A.Bs", "a_bs"
		assert.EqualError(t, &c.err, "m2msafe: A.Bs (join table a_bs): "+c.want)
	}
	both := &m2msafe.LinkError{Err: m2msafe.ErrNoUniqueKey, Cause: cause}
	assert.ErrorIs(t, both, m2msafe.ErrNoUniqueKey)
	assert.ErrorIs(t, both, cause)
	assert.NotErrorIs(t, both, gorm.ErrDuplicatedKey)
}

// Types of keys.
type (
	code string
	uuid [16]byte
)

var past = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

func TestOutcomesHaveNames(t *testing.T) {
	assert.Equal(t, "existing created revived unknown",
		m2msafe.Existing.String()+" "+m2msafe.Created.String()+" "+m2msafe.Revived.String()+" "+m2msafe.Outcome(0).String())
}

// booking is a join row with a second unique key.
type booking struct {
	ArticleID     uint `gorm:"primaryKey"`
	PublicationID uint `gorm:"primaryKey"`
	Seat          int  `gorm:"unique"`
}

func (booking) TableName() string { return "article_publications" }

func TestTheErrorsOfALink(t *testing.T) {
	for _, c := range []struct {
		name    string
		setup   func(*testing.T, *gorm.DB)
		call    func(db *gorm.DB) error
		is      []error
		owner   []any
		targets [][]any
	}{
		{
			"an owner without a key", seeded(),
			func(db *gorm.DB) error {
				return db.Updates(&Article{Title: "x", Publications: []Publication{{ID: 1}}}).Error
			},
			[]error{m2msafe.ErrOwnerNotSaved}, nil, nil,
		}, {
			"an owner that is not stored", seeded(),
			func(db *gorm.DB) error {
				return db.Model(&Article{ID: 40}).Association("Publications").Append(&Publication{ID: 1})
			},
			[]error{m2msafe.ErrOwnerNotStored, gorm.ErrForeignKeyViolated}, []any{uint(40)}, nil,
		}, {
			"a target that is not stored, under Omit", seeded(),
			func(db *gorm.DB) error {
				return db.Omit("Publications.*").Create(&Article{ID: 9, Publications: []Publication{{ID: 2}, {ID: 70}, {ID: 71}}}).Error
			},
			[]error{m2msafe.ErrTargetNotStored, gorm.ErrForeignKeyViolated}, []any{uint(9)}, [][]any{{uint(70)}, {uint(71)}},
		}, {
			"a target without a key, under Omit", seeded(),
			func(db *gorm.DB) error {
				return db.Omit("Publications.*").Create(&Article{ID: 9, Publications: []Publication{{Name: "x"}}}).Error
			},
			[]error{m2msafe.ErrZeroReference}, []any{uint(9)}, [][]any{{uint(0)}},
		}, {
			"a target whose unique value is another's", seeded(`CREATE UNIQUE INDEX ON publications (name)`),
			func(db *gorm.DB) error {
				return db.Model(&Article{ID: 1}).Association("Publications").Append(&Publication{ID: 70, Name: "p1"})
			},
			[]error{m2msafe.ErrTargetNotStored, gorm.ErrForeignKeyViolated}, []any{uint(1)}, [][]any{{uint(70)}},
		}, {
			"a nil target", seeded(),
			func(db *gorm.DB) error { return db.Create(&Publication{Articles: []*Article{{ID: 1}, nil}}).Error },
			[]error{m2msafe.ErrInvalidTarget}, nil, nil,
		}, {
			"another unique key", joined(&booking{}, `INSERT INTO article_publications VALUES (3, 3, 7)`),
			func(db *gorm.DB) error {
				return linkOne(m2msafe.With(db, m2msafe.Through(booking{Seat: 7})), 1)
			},
			[]error{gorm.ErrDuplicatedKey}, []any{uint(1)}, nil,
		}, {
			"a check of the join table", seeded(`ALTER TABLE article_publications ADD CHECK (article_id < publication_id)`),
			func(db *gorm.DB) error { return linkOne(db, 1) },
			[]error{gorm.ErrCheckConstraintViolated}, []any{uint(1)}, nil,
		}, {
			"a required column", joined(&plainNote{}, `ALTER TABLE article_publications ADD COLUMN must int NOT NULL`),
			func(db *gorm.DB) error { return linkOne(db, 1) },
			nil, []any{uint(1)}, nil,
		}, {
			"several owners", seeded(`ALTER TABLE article_publications ADD CHECK (article_id < publication_id)`),
			func(db *gorm.DB) error {
				return db.Create(&[]Article{{ID: 8, Publications: []Publication{{ID: 1}}}, {ID: 9, Publications: []Publication{{ID: 1}}}}).Error
			},
			[]error{gorm.ErrCheckConstraintViolated}, nil, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			c.setup(t, db)
			before := links(t, db)
			err := c.call(db)
			var failed *m2msafe.LinkError
			require.ErrorAs(t, err, &failed)
			for _, is := range c.is {
				assert.ErrorIs(t, err, is)
			}
			for _, sentinel := range []error{gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated, gorm.ErrCheckConstraintViolated} {
				if errors.Is(err, sentinel) {
					assert.Contains(t, c.is, sentinel)
				}
			}
			assert.Equal(t, c.owner, failed.Owner)
			assert.Equal(t, c.targets, failed.Targets)
			assert.Equal(t, before, links(t, db), "something was written")
		})
	}
}

func TestGORMsSentinelIsFoundUnderTranslateError(t *testing.T) {
	db := connect(t, pgtest.DSN(t), &gorm.Config{TranslateError: true, Logger: newLogbook()})
	require.NoError(t, db.Use(m2msafe.New()))
	joined(&booking{}, `INSERT INTO article_publications VALUES (3, 3, 7)`)(t, db)
	err := linkOne(m2msafe.With(db, m2msafe.Through(booking{Seat: 7})), 1)
	var failed *m2msafe.LinkError
	require.ErrorAs(t, err, &failed)
	assert.ErrorIs(t, err, gorm.ErrDuplicatedKey)
}
