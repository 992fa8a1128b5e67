package m2msafe_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// AuditedUser and AuditedTag are joined by a model with soft deletion, whose column has a
// name that only the model tells.
type AuditedUser struct {
	ID   uint
	Tags []AuditedTag `gorm:"many2many:audited_links"`
}

// AuditedTag is known by its name, which the database keeps no two rows from having.
type AuditedTag struct {
	ID    uint
	Label string `m2msafe:"naturalKey"`
}

// AuditedLink is the join row.
type AuditedLink struct {
	AuditedUserID uint           `gorm:"primaryKey"`
	AuditedTagID  uint           `gorm:"primaryKey;index"`
	Gone          gorm.DeletedAt `gorm:"column:gone"`
}

func found(r *audit.Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, f.Severity.String()+" "+string(f.Rule)+" "+f.Table+" "+f.Relation)
	}
	return all
}

func TestAudit(t *testing.T) {
	db := open(t)
	seed(t, db, 3)
	const both = "Article.Publications, Publication.Articles"

	report, err := m2msafe.Audit(t.Context(), db, &Article{}, &Publication{}, &Article{})
	require.NoError(t, err)
	require.Equal(t, []string{"note no-reverse-index article_publications " + both}, found(report), "what AutoMigrate leaves out")
	require.Len(t, report.Tables, 1)
	require.Equal(t, both, report.Tables[0].Relation)

	exec(t, db, `ALTER TABLE article_publications DROP CONSTRAINT article_publications_pkey`)
	exec(t, db, `INSERT INTO article_publications VALUES (1, 1), (1, 1)`)
	exec(t, db, `CREATE TABLE bare_articles (article_id bigint REFERENCES articles, publication_id bigint REFERENCES publications)`)
	report, err = m2msafe.Audit(t.Context(), db, &Article{})
	require.NoError(t, err)
	require.Equal(t, []string{
		"error duplicate-pairs article_publications Article.Publications",
		"error no-unique-key article_publications Article.Publications",
		"note no-reverse-index article_publications Article.Publications",
	}, found(report))

	report, err = m2msafe.Audit(t.Context(), db)
	require.NoError(t, err)
	require.Len(t, report.Tables, 2, "without models it looks for itself")
}

func TestAuditOfWhatModelsKnow(t *testing.T) {
	cases := map[string]struct {
		use  func(db *gorm.DB)
		want []string
	}{
		"without the plugin": {func(*gorm.DB) {}, []string{"warning soft-delete-full-key audited_links AuditedUser.Tags", "warning lookup-column-not-unique audited_tags "}},
		"with it":            {func(db *gorm.DB) { _ = db.Use(m2msafe.New()) }, []string{"note soft-delete-full-key audited_links AuditedUser.Tags", "warning lookup-column-not-unique audited_tags "}},
		"with it, refusing": {func(db *gorm.DB) { _ = db.Use(m2msafe.New(m2msafe.DeletedLinks(m2msafe.Refuse))) },
			[]string{"warning soft-delete-full-key audited_links AuditedUser.Tags", "warning lookup-column-not-unique audited_tags "}},
		"with another natural key": {func(db *gorm.DB) { _ = db.Use(m2msafe.New(m2msafe.NaturalKey(&AuditedTag{}, "ID"))) },
			[]string{"note soft-delete-full-key audited_links AuditedUser.Tags"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			db := connect(t, pgtest.DSN(t), nil)
			tc.use(db)
			require.NoError(t, db.SetupJoinTable(&AuditedUser{}, "Tags", &AuditedLink{}))
			require.NoError(t, db.AutoMigrate(&AuditedUser{}, &AuditedTag{}))
			report, err := m2msafe.Audit(t.Context(), db, &AuditedUser{})
			require.NoError(t, err)
			require.Equal(t, tc.want, found(report))
			require.Equal(t, []string{"gone"}, report.Tables[0].SoftDelete)
		})
	}
}

func TestAuditThatCannotLook(t *testing.T) {
	db := open(t)
	report, err := m2msafe.Audit(t.Context(), db, &Article{})
	require.NoError(t, err, "the others would be looked at")
	require.Equal(t, []audit.Unseen{{Table: "article_publications", Reason: "there is no such join table, or no privilege on it: run the migration"}}, report.Unseen)

	_, err = m2msafe.Audit(t.Context(), nil, &Article{})
	require.ErrorIs(t, err, gorm.ErrInvalidDB)
	_, err = m2msafe.Audit(t.Context(), db, 7)
	require.ErrorContains(t, err, "m2msafe: int: unsupported data type")

	other := db.Session(&gorm.Session{})
	other.Dialector = renamed{db.Dialector}
	_, err = m2msafe.Audit(t.Context(), other, &Article{})
	require.ErrorIs(t, err, m2msafe.ErrUnsupportedDatabase)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m2msafe.Audit(ctx, db, &Article{})
	require.ErrorIs(t, err, context.Canceled)
}

// apart is a table in a schema of its own.
type apart struct {
	ID       uint
	Articles []Article `gorm:"many2many:audit_apart.links"`
}

func (apart) TableName() string { return "audit_apart.aparts" }

func TestAuditInAnotherSchema(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE SCHEMA audit_apart`)
	t.Cleanup(func() { exec(t, db, `DROP SCHEMA audit_apart CASCADE`) })
	seed(t, db, 2)
	exec(t, db, `CREATE TABLE audit_apart.aparts (id bigint PRIMARY KEY)`)
	exec(t, db, `CREATE TABLE audit_apart.links (apart_id bigint NOT NULL, article_id bigint NOT NULL REFERENCES articles (id), PRIMARY KEY (apart_id, article_id))`)
	report, err := m2msafe.Audit(t.Context(), db, &apart{})
	require.NoError(t, err)
	require.Equal(t, []string{"warning no-foreign-key audit_apart.links apart.Articles", "note no-reverse-index audit_apart.links apart.Articles"}, found(report))
	for _, f := range report.Findings {
		for _, s := range f.Fix {
			exec(t, db, s.SQL)
		}
	}
	report, err = m2msafe.Audit(t.Context(), db, &apart{})
	require.NoError(t, err)
	require.Empty(t, found(report))
}

// Whatever the db is in the middle of, the audit looks by a connection of its own.
func TestAuditOfAnyDB(t *testing.T) {
	const want = "note no-reverse-index article_publications Article.Publications"
	for name, use := range map[string]func(t *testing.T, db *gorm.DB, f func(db *gorm.DB)){
		"a dry run": func(_ *testing.T, db *gorm.DB, f func(db *gorm.DB)) { f(db.Session(&gorm.Session{DryRun: true})) },
		"prepared statements": func(_ *testing.T, db *gorm.DB, f func(db *gorm.DB)) {
			f(db.Session(&gorm.Session{PrepareStmt: true}))
		},
		"conditions that are left from another call": func(_ *testing.T, db *gorm.DB, f func(db *gorm.DB)) {
			f(db.Model(&Article{}).Where("id = ?", 7).Limit(1).Session(&gorm.Session{}))
		},
		"a transaction": func(t *testing.T, db *gorm.DB, f func(db *gorm.DB)) {
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				require.NoError(t, tx.Exec("UPDATE articles SET id = id").Error)
				f(tx)
				return tx.Exec("SELECT 1").Error // it is as it was
			}))
		},
		"a transaction of prepared statements": func(t *testing.T, db *gorm.DB, f func(db *gorm.DB)) {
			require.NoError(t, db.Session(&gorm.Session{PrepareStmt: true}).Transaction(func(tx *gorm.DB) error { f(tx); return nil }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			seed(t, db, 2)
			use(t, db, func(db *gorm.DB) {
				report, err := m2msafe.Audit(t.Context(), db, &Article{})
				require.NoError(t, err)
				require.Equal(t, []string{want}, found(report))
			})
			var rows int64
			require.NoError(t, db.Model(&Article{}).Count(&rows).Error)
			require.EqualValues(t, 2, rows)
		})
	}
}

// A transaction that has the pool's only connection leaves none for the audit, which says
// so and does not wait for ever.
func TestAuditWithoutAConnection(t *testing.T) {
	db := open(t)
	seed(t, db, 2)
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		_, err := m2msafe.Audit(t.Context(), tx, &Article{})
		require.ErrorContains(t, err, "a connection of its own")
		return nil
	}))
	_, err = m2msafe.Audit(t.Context(), db, &Article{})
	require.NoError(t, err)
}

// The README's.
func _(ctx context.Context, db *gorm.DB) error {
	report, err := m2msafe.Audit(ctx, db, &User{}, &Group{})
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Println(f.Severity, f.Table, f.Title, f.Rows)
		for _, s := range f.Fix {
			fmt.Println(s.SQL)
		}
	}
	return nil
}
