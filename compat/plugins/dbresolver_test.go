package plugins

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"

	"github.com/m2msafe/m2msafe"
)

// resolved are the databases of an app with dbresolver: what gorm.Open was given,
// a source with its replica, and a second source with its own, which is that of
// stories and of whoever names it. All have the same tables.
type resolved map[string]*database

func newResolved(t *testing.T) resolved {
	r := resolved{}
	for _, name := range []string{"opened", "source", "replica", "second", "second_replica"} {
		r[name] = newDatabase(t, name)
	}
	return r
}

// open opens all of them, with new plugins and the tables as at first.
func (r resolved) open(t *testing.T, config gorm.Config, use func(*gorm.DB, gorm.Plugin)) *gorm.DB {
	t.Helper()
	db := r["opened"].open(t, &config)
	of := func(name string) []gorm.Dialector { return []gorm.Dialector{r[name].dialector()} }
	use(db, dbresolver.Register(dbresolver.Config{Sources: of("source"), Replicas: of("replica")}).
		Register(dbresolver.Config{Sources: of("second"), Replicas: of("second_replica")}, "second", &Story{}))
	for _, d := range r {
		d.fill(t)
		d.kinds()
	}
	return db
}

// sent is what each database was sent, if anything.
func (r resolved) sent() map[string][]string {
	all := map[string][]string{}
	for name, d := range r {
		if kinds := d.kinds(); len(kinds) > 0 {
			all[name] = kinds
		}
	}
	return all
}

// links are the links of each database that has any.
func (r resolved) links(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for name, d := range r {
		if links := d.links(t); len(links) > 0 {
			all[name] = links
		}
	}
	return all
}

// to appends a target to an owner, each time to a copy of it.
func to[Owner any](owner Owner, target Publication) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		owner, target := owner, target
		return db.Model(&owner).Association("Publications").Append(&target)
	}
}

// by makes a call through clauses.
func by(call func(*gorm.DB) error, marks ...clause.Expression) func(*gorm.DB) error {
	return func(db *gorm.DB) error { return call(db.Clauses(marks...)) }
}

// within makes it in a transaction.
func within(call func(*gorm.DB) error, marks ...clause.Expression) func(*gorm.DB) error {
	return func(db *gorm.DB) error { return db.Clauses(marks...).Transaction(call) }
}

// getOrCreate finds or inserts a copy of a row.
func getOrCreate[Row any](row Row, opts ...m2msafe.Option) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		row := row
		_, err := m2msafe.GetOrCreate(context.Background(), db, &row, opts...)
		return err
	}
}

// Where a call's statements go, all of them: the plan's and the lookup's too.
func TestDBResolver(t *testing.T) {
	article, story, reader := Article{ID: 1}, Story{ID: 1}, Reader{ID: 1}
	stored, named, missing, fresh := Publication{ID: 2}, Publication{Name: "p2"}, Publication{ID: 9, Name: "new"}, Publication{Name: "new"}
	second, write, read := dbresolver.Use("second"), dbresolver.Write, dbresolver.Read

	direct := []string{"catalogue", "link"}
	byName := []string{"catalogue", "BEGIN", "find", "link", "COMMIT"}
	created := []string{"catalogue", "BEGIN", "find", "INSERT publications", "link", "COMMIT"}
	notStored := []string{"catalogue", "link", "BEGIN", "INSERT publications", "link", "COMMIT"}
	several := []string{"catalogue", "find", "find", "BEGIN", "INSERT publications", "find", "find", "COMMIT"}
	around := []string{"BEGIN", "catalogue", "link", "COMMIT"}
	r := newResolved(t)
	for _, c := range []struct {
		name string
		call func(*gorm.DB) error
		at   string
		want []string
		link string
	}{
		{"stored rows", to(article, stored), "source", direct, "article 1 p2"},
		{"the second entrance", to(reader, stored), "source", around, "reader 1 p2"},
		{"a stored name", to(article, named), "source", byName, "article 1 p2"},
		{"a new target", to(article, fresh), "source", created, "article 1 new"},
		{"a target that is not stored", to(article, missing), "source", notStored, "article 1 new"},
		{"a map", func(db *gorm.DB) error {
			return db.Model(&Article{ID: 1}).Association("Publications").Append(map[string]any{"name": "new"})
		}, "source", []string{"BEGIN", "catalogue", "find", "SAVEPOINT", "INSERT publications", "COMMIT", "catalogue", "link"}, "article 1 new"},
		{"LinkKeys", func(db *gorm.DB) error {
			_, err := m2msafe.LinkKeys(context.Background(), db, &Article{}, "Publications", 1, 2)
			return err
		}, "source", direct, "article 1 p2"},
		{"Create", func(db *gorm.DB) error { return db.Create(&Article{Publications: []Publication{stored}}).Error },
			"source", []string{"BEGIN", "INSERT articles", "catalogue", "link", "COMMIT"}, "article 2 p2"},
		{"Save", func(db *gorm.DB) error { return db.Save(&Article{ID: 1, Publications: []Publication{stored}}).Error },
			"source", []string{"BEGIN", "UPDATE articles", "catalogue", "link", "COMMIT"}, "article 1 p2"},

		{"a model of another source: stored rows", to(story, stored), "second", direct, "story 1 p2"},
		{"a model of another source: a new target", to(story, fresh), "second",
			[]string{"catalogue", "BEGIN", "find", "INSERT publications", "link", "UPDATE stories", "COMMIT"}, "story 1 new"},

		{"Use: stored rows", by(to(article, stored), second), "second", direct, "article 1 p2"},
		{"Use: the second entrance", by(to(reader, stored), second), "second", around, "reader 1 p2"},
		{"Use: a stored name", by(to(article, named), second), "second", byName, "article 1 p2"},
		{"Use: a new target", by(to(article, fresh), second), "second", created, "article 1 new"},
		{"Use: a target that is not stored", by(to(article, missing), second), "second", notStored, "article 1 new"},
		{"Write", by(to(article, stored), write), "source", direct, "article 1 p2"},
		{"Write: the second entrance", by(to(reader, stored), write), "source", around, "reader 1 p2"},
		{"Read, as an update is none", by(to(article, stored), read), "source", direct, "article 1 p2"},
		{"Read: the second entrance", by(to(reader, stored), read), "source", around, "reader 1 p2"},

		// A Transaction is begun where the db stands: dbresolver does not choose.
		{"a transaction", within(to(article, stored)), "opened", around, "article 1 p2"},
		{"a transaction of Write", within(to(article, stored), write), "source", around, "article 1 p2"},
		{"a transaction of Use", within(to(article, stored), second, write), "second", around, "article 1 p2"},
		{"a transaction of Use: a new target", within(to(article, fresh), second, write), "second", []string{"BEGIN", "catalogue", "SAVEPOINT", "find", "INSERT publications", "link", "COMMIT"}, "article 1 new"},
		{"a transaction on the replica, if that is asked for", within(to(article, stored), read), "replica", around, "article 1 p2"},

		{"GetOrCreate: stored", getOrCreate(named), "source", []string{"catalogue", "upsert"}, ""},
		{"GetOrCreate: new", getOrCreate(fresh), "source", []string{"catalogue", "upsert"}, ""},
		{"GetOrCreate: by several statements", getOrCreate(missing), "source", several, ""},
		{"GetOrCreate: a model of another source", getOrCreate(Story{ID: 9}), "second", []string{"catalogue", "upsert"}, ""},
		{"GetOrCreate, Use: new", by(getOrCreate(fresh), second), "second", []string{"catalogue", "upsert"}, ""},
		{"GetOrCreate, Use: by several statements", by(getOrCreate(missing), second), "second", several, ""},
		{"GetOrCreate, Use: revived", by(getOrCreate(Topic{Name: "dead"}, m2msafe.DeletedTargets(m2msafe.Revive)), second), "second",
			[]string{"catalogue", "find", "BEGIN", "UPDATE topics", "COMMIT"}, ""},
		{"GetOrCreate, Use: without a unique key", by(getOrCreate(Article{Title: "new"}, m2msafe.NaturalKey(&Article{}, "Title"), m2msafe.NoUniqueKey(m2msafe.Lock)), second), "second",
			[]string{"catalogue", "BEGIN", "lock", "find", "INSERT articles", "COMMIT"}, ""},
	} {
		for mode, config := range map[string]gorm.Config{"": {}, " (SkipDefaultTransaction)": {SkipDefaultTransaction: true}, " (PrepareStmt)": {PrepareStmt: true}} {
			t.Run(c.name+mode, func(t *testing.T) {
				inEachOrder(t, func(t *testing.T, use func(*gorm.DB, gorm.Plugin)) {
					db := r.open(t, config, use)
					require.NoError(t, c.call(db))
					sent := r.sent()
					if mode != "" { // which decides how, not where
						require.Len(t, sent, 1, "%v", sent)
						require.Contains(t, sent, c.at)
					} else {
						require.Equal(t, map[string][]string{c.at: c.want}, sent)
					}
					want := map[string][]string{}
					if c.link != "" {
						want[c.at] = []string{c.link}
					}
					require.Equal(t, want, r.links(t))
				})
			})
		}
	}
}

// What GORM reads goes to the replica as ever, in and after a call of the
// plugin's too, and dbresolver's logger says where the link went.
func TestDBResolverBesideTheLink(t *testing.T) {
	r := resolved{"source": newDatabase(t, "source"), "replica": newDatabase(t, "replica")}
	inEachOrder(t, func(t *testing.T, use func(*gorm.DB, gorm.Plugin)) {
		var log lines
		db := r["source"].open(t, &gorm.Config{Logger: logger.New(&log, logger.Config{LogLevel: logger.Info})})
		use(db, dbresolver.Register(dbresolver.Config{
			Replicas: []gorm.Dialector{r["replica"].dialector()}, TraceResolverMode: true,
		}))
		for _, d := range r {
			d.fill(t)
			d.kinds()
		}
		article := Article{ID: 1}
		publications := db.Model(&article).Association("Publications")
		require.NoError(t, publications.Append(&Publication{ID: 2}))
		require.Equal(t, map[string][]string{"source": {"catalogue", "link"}}, r.sent())
		require.Len(t, log, 1)
		require.Contains(t, log[0], "[source] WITH m2m_new")

		require.Zero(t, publications.Count(), "the replica does not follow")
		require.NoError(t, publications.Error)
		require.NoError(t, db.Find(&[]Article{}).Error)
		require.Equal(t, map[string][]string{"replica": {"SELECT", "SELECT"}}, r.sent())
	})
}

// lines is a logger.Writer that keeps what it is told.
type lines []string

func (l *lines) Printf(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }
