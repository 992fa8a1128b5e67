package m2msafe_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// outcomes are links in short: the target's key and what became of it.
func outcomes(links []m2msafe.Link) map[any]string {
	short := map[any]string{}
	for _, l := range links {
		short[l.TargetKey[len(l.TargetKey)-1]] = l.Outcome.String()
	}
	return short
}

func TestLinkKeysLinksWithoutLoading(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	members(t, db)
	exec(t, db, `INSERT INTO memberships VALUES (1, 2, 'admin')`)
	_, err := m2msafe.LinkKeys(t.Context(), db, &User{}, "Groups", 2, 1)
	require.NoError(t, err)
	rec.take()

	links, err := m2msafe.LinkKeys(t.Context(), db, &User{}, "Groups", 1, 1, 2, uint(1), 3)
	require.NoError(t, err)
	assert.Equal(t, map[any]string{uint(1): "created", uint(2): "existing", uint(3): "created"}, outcomes(links))
	assert.Len(t, links, 3)
	for _, l := range links {
		assert.Equal(t, "User.Groups", l.Relation)
		assert.Equal(t, []any{uint(1)}, l.OwnerKey)
	}
	assert.Equal(t, []string{"link"}, kinds(rec.take()))
	assert.Equal(t, []string{"1|1|member", "1|2|admin", "1|3|member", "2|1|member"}, memberships(t, db))

	links, err = m2msafe.LinkKeys(t.Context(), db, &User{}, "Groups", 3)
	require.NoError(t, err)
	assert.Empty(t, links)
}

func TestLinkKeysFollowsTheOptionsOfItsSession(t *testing.T) {
	events := 0
	db := open(t, m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { events++; return nil }))
	members(t, db)
	var report m2msafe.Report
	with := m2msafe.With(db, m2msafe.Through(Membership{Role: "admin"}), m2msafe.ReportTo(&report))
	links, err := m2msafe.LinkKeys(t.Context(), with, &User{}, "Groups", 1, 2)
	require.NoError(t, err)
	assert.Len(t, links, 1)
	assert.Len(t, report.Created(), 1, "the caller's report hears of it too")
	assert.Equal(t, 1, events)
	assert.Equal(t, []string{"1|2|admin"}, memberships(t, db))

	db = open(t)
	joined(&softLink{}, `INSERT INTO article_publications VALUES (1, 2, 'old', now(), now())`)(t, db)
	_, err = m2msafe.LinkKeys(t.Context(), m2msafe.With(db, m2msafe.DeletedLinks(m2msafe.Refuse)), &Article{}, "Publications", 1, 2)
	require.ErrorIs(t, err, m2msafe.ErrDeletedLink)
	links, err = m2msafe.LinkKeys(t.Context(), db, &Article{}, "Publications", 1, 2)
	require.NoError(t, err)
	assert.Equal(t, map[any]string{uint(2): "revived"}, outcomes(links))
}

func TestLinkKeysOfSeveralColumns(t *testing.T) {
	db := open(t)
	require.NoError(t, db.AutoMigrate(&Doc{}, &Label{}))
	exec(t, db, `INSERT INTO docs VALUES (1, 5)`)
	exec(t, db, `INSERT INTO labels VALUES (1, 'a'), (2, 'b')`)
	links, err := m2msafe.LinkKeys(t.Context(), db, &Doc{}, "Labels", []any{1, 5}, []any{1, "a"}, []any{2, "b"})
	require.NoError(t, err)
	assert.Equal(t, map[any]string{"a": "created", "b": "created"}, outcomes(links))
	assert.Equal(t, []string{"1|5|1|a", "1|5|2|b"}, stored(t, db, `SELECT * FROM doc_labels ORDER BY 1, 2, 3`))

	// References that are no primary keys are given as they are referred to.
	require.NoError(t, db.SetupJoinTable(&Page{}, "Words", &PageWord{}))
	require.NoError(t, db.AutoMigrate(&Page{}, &Word{}))
	exec(t, db, `INSERT INTO pages (slug) VALUES ('home')`)
	exec(t, db, `INSERT INTO words (text) VALUES ('hello')`)
	_, err = m2msafe.LinkKeys(t.Context(), db, &Page{}, "Words", "home", "hello")
	require.NoError(t, err)
	assert.Equal(t, []string{"home|hello"}, stored(t, db, `SELECT * FROM page_words`))
}

func TestLinkKeysRefuses(t *testing.T) {
	db := open(t)
	members(t, db)
	require.NoError(t, db.AutoMigrate(&Doc{}, &Label{}))
	for _, c := range []struct {
		name     string
		model    any
		relation string
		owner    any
		target   any
		want     error
		says     string
	}{
		{"no model", 42, "Groups", 1, 1, m2msafe.ErrOption, "not a pointer to a model"},
		{"nil", nil, "Groups", 1, 1, m2msafe.ErrOption, "not a pointer to a model"},
		{"another relation", &User{}, "Members", 1, 1, m2msafe.ErrOption, `no many-to-many relation "Members"`},
		{"a column", &User{}, "Name", 1, 1, m2msafe.ErrOption, `no many-to-many relation "Name"`},
		{"too many columns", &User{}, "Groups", 1, []any{1, 2}, m2msafe.ErrOption, "a key of a Group has 1 columns, not 2"},
		{"too few columns", &Doc{}, "Labels", 1, []any{1, "a"}, m2msafe.ErrOption, "a key of a Doc has 2 columns, not 1"},
		{"a key of another type", &User{}, "Groups", 1, "one", m2msafe.ErrOption, `"one" is no ID of a Group`},
		{"a key that does not fit", &User{}, "Groups", 1, -1, m2msafe.ErrOption, "-1 is no ID of a Group: it does not fit"},
		{"an owner without a key", &User{}, "Groups", 0, 1, m2msafe.ErrOwnerNotSaved, "save the User first"},
		{"an owner that is not stored", &User{}, "Groups", 9, 1, m2msafe.ErrOwnerNotStored, "owner 9"},
		{"a target that is not stored", &User{}, "Groups", 1, 9, m2msafe.ErrTargetNotStored, "target 9"},
		{"a target without a key", &User{}, "Groups", 1, 0, m2msafe.ErrZeroReference, "ID of the Group has no value"},
		{"a nil key", &User{}, "Groups", 1, nil, m2msafe.ErrZeroReference, "ID of the Group has no value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := db.Transaction(func(tx *gorm.DB) error {
				links, err := m2msafe.LinkKeys(t.Context(), tx, c.model, c.relation, c.owner, 1, c.target)
				require.ErrorIs(t, err, c.want)
				require.ErrorContains(t, err, c.says)
				assert.Empty(t, links)
				return tx.Exec(`SELECT 1`).Error
			})
			require.NoError(t, err, "the caller's transaction goes on")
			assert.Empty(t, memberships(t, db))
		})
	}
	_, err := m2msafe.LinkKeys(t.Context(), connect(t, pgtest.DSN(t), nil), &User{}, "Groups", 1, 1)
	require.ErrorIs(t, err, m2msafe.ErrNotInUse)
	_, err = m2msafe.LinkKeys(t.Context(), m2msafe.With(db, nil), &User{}, "Groups", 1, 1)
	require.ErrorIs(t, err, m2msafe.ErrOption)
	assert.Equal(t, []string{"0"}, stored(t, db, `SELECT count(*) FROM groups WHERE id > 3`), "nothing is created")
}
