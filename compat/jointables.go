package compat

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

var joinTables = slices.Concat(keyedTables, unkeyedTables, []behaviour{
	{"a unique key on one column of the pair is not the pair's", narrowerKey},
	{"a partial index that has nothing to do with soft delete", partialKey},
	{"an index that failed to build is no unique key", invalidKey},
	{"a deferrable constraint", deferrable(
		`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (article_id, publication_id) DEFERRABLE)`)},
	{"a constraint initially deferred", deferrable(
		`CREATE TABLE article_publications ({pair}, PRIMARY KEY (article_id, publication_id) DEFERRABLE INITIALLY DEFERRED)`)},
	{"a deferrable constraint beside a unique index", deferrable(
		`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (article_id, publication_id) DEFERRABLE, UNIQUE (publication_id, article_id))`)},
	{"an index dropped after the first call is missed", droppedKey},
	{"an index made after the first call does no harm", addedKey},
	{"a table that was refused is looked at again", refusedThenKeyed},
	{"no join table is an error that says so", noTable},
	{"a pool of one connection is enough", oneConnection},
}, mendings, tableNames, strangeNames, softDeletes, softDeleteRaces, livingKeys)

// keyedTables have a unique key on the pair, so that NoUniqueKey(Refuse) has
// nothing to refuse.
var keyedTables = []behaviour{
	{"the table that GORM makes", keyed("")},
	{"a surrogate id and a unique pair", keyed("",
		`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (article_id, publication_id))`)},
	{"a surrogate id and a unique pair in the other order", keyed("",
		`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (publication_id, article_id))`)},
	{"a surrogate id and a unique index", keyed("",
		`CREATE TABLE article_publications (id {id}, {pair})`,
		`CREATE UNIQUE INDEX pair ON article_publications (publication_id DESC, article_id)`)},
	{"a wider deferrable constraint beside the pair's key", keyed("PostgreSQL has deferrable unique constraints alone",
		`CREATE TABLE article_publications (id {id}, {pair}, kind text, UNIQUE (article_id, publication_id, kind) DEFERRABLE, UNIQUE (article_id, publication_id))`)},
	{"two unique keys on the pair", keyed("",
		`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (publication_id, article_id), UNIQUE (article_id, publication_id))`)},
	{"a wider unique key beside the pair's", keyed("",
		`CREATE TABLE article_publications (id {id}, {pair}, kind text DEFAULT 'x', UNIQUE (article_id, kind, publication_id), UNIQUE (article_id, publication_id))`)},
	{"columns that may be NULL", keyed("",
		`CREATE TABLE article_publications (id {id}, article_id bigint, publication_id bigint, UNIQUE (article_id, publication_id))`)},
	{"a unique key with NULLS NOT DISTINCT", keyed("PostgreSQL has NULLS NOT DISTINCT alone",
		`CREATE TABLE article_publications (id {id}, {pair}, UNIQUE NULLS NOT DISTINCT (article_id, publication_id))`)},
	{"a unique key with INCLUDE columns", keyed("PostgreSQL has INCLUDE alone",
		`CREATE TABLE article_publications (id {id}, {pair}, note text, UNIQUE (article_id, publication_id) INCLUDE (note, id))`)},
	{"a table partitioned by hash", partitioned(
		[]string{`CREATE TABLE article_publications ({pair}, PRIMARY KEY (article_id, publication_id)) PARTITION BY HASH (publication_id)`,
			`CREATE TABLE even PARTITION OF article_publications FOR VALUES WITH (MODULUS 2, REMAINDER 0)`,
			`CREATE TABLE odd PARTITION OF article_publications FOR VALUES WITH (MODULUS 2, REMAINDER 1)`},
		`CREATE TABLE article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id)) PARTITION BY HASH (publication_id) PARTITIONS 2`)},
	{"a table partitioned by range, with a surrogate id", partitioned(
		[]string{`CREATE TABLE article_publications (id bigserial, {pair}, UNIQUE (publication_id, article_id)) PARTITION BY RANGE (article_id)`,
			`CREATE TABLE ones PARTITION OF article_publications FOR VALUES FROM (0) TO (2)`,
			`CREATE TABLE others PARTITION OF article_publications DEFAULT`},
		`CREATE TABLE article_publications (id bigint AUTO_INCREMENT, article_id bigint, publication_id bigint, PRIMARY KEY (id, article_id), UNIQUE (publication_id, article_id))
			PARTITION BY RANGE (article_id) (PARTITION ones VALUES LESS THAN (2), PARTITION others VALUES LESS THAN MAXVALUE)`)},
	{"an identity column", keyed("PostgreSQL has identity columns alone",
		`CREATE TABLE article_publications (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {pair}, UNIQUE (article_id, publication_id))`)},
	{"a generated column", keyed("",
		`CREATE TABLE article_publications ({pair}, both_ids bigint GENERATED ALWAYS AS (article_id * 100 + publication_id) STORED, PRIMARY KEY (article_id, publication_id))`)},
	{"a table WITHOUT ROWID", keyed("sqlite",
		`CREATE TABLE article_publications ({pair}, PRIMARY KEY (article_id, publication_id)) WITHOUT ROWID`)},
	{"names in another case than the models'", keyed("sqlite",
		`CREATE TABLE Article_Publications (ID {id}, Article_ID integer, PUBLICATION_ID integer, UNIQUE (ARTICLE_ID, Publication_Id))`)},
	{"a STRICT table", keyed("sqlite",
		`CREATE TABLE article_publications (article_id integer, publication_id integer, PRIMARY KEY (article_id, publication_id)) STRICT`)},
}

// unkeyedTables have none.
var unkeyedTables = []behaviour{
	{"no unique key at all", unkeyed("",
		`CREATE TABLE article_publications (id {id}, {pair})`)},
	{"an index that is not unique", unkeyed("",
		`CREATE TABLE article_publications (id {id}, {pair})`,
		`CREATE INDEX pair ON article_publications (article_id, publication_id)`)},
	{"a wider unique key", unkeyed("",
		`CREATE TABLE article_publications (id {id}, {pair}, kind text, UNIQUE (article_id, publication_id, kind))`)},
	{"a unique index on an expression", unkeyed("",
		`CREATE TABLE article_publications (id {id}, {pair})`,
		`CREATE UNIQUE INDEX pair ON article_publications (article_id, abs(publication_id))`)},
}

// can skips what an engine can't show; only is "" for all engines, "sqlite", or
// why it is PostgreSQL alone.
func can(t *testing.T, e Engine, only string) {
	t.Helper()
	switch {
	case only == "sqlite" && e.Dialect != "sqlite":
		t.Skip("SQLite has such tables alone")
	case only != "" && only != "sqlite" && !e.postgres():
		t.Skip(only)
	}
}

// linkInTurns makes links, most of them stored already, from both sides and in
// transactions, and looks for one row each.
func linkInTurns(t *testing.T, db *gorm.DB) {
	t.Helper()
	require.NoError(t, link(db, 1, 2, 1))
	require.NoError(t, link(db, 1, 1, 3, 2))
	require.NoError(t, db.Model(&Publication{ID: 3}).Association("Articles").Append([]*Article{{ID: 1}, {ID: 2}}))
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(tx, 2, 3))
		return link(tx, 2, 3, 4)
	}))
	require.Equal(t, []string{"1|1", "1|2", "1|3", "2|3", "2|4"}, linked(t, db))
}

// Stock GORM passes it, but for the counter, which moves with each row that it
// does not insert.
func keyed(only string, ddl ...string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		can(t, e, only)
		log := new(logbook)
		db := seed(t, e.With(t, &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Warn})},
			m2msafe.NoUniqueKey(m2msafe.Refuse)), ddl...)
		linkInTurns(t, db)
		if len(ddl) > 0 && strings.Contains(ddl[0], "(id ") {
			require.Equal(t, "5", counter(t, db, "article_publications"))
		}
		require.Empty(t, log.lines)
	}
}

// partitioned is keyed by PostgreSQL's DDL or the MySQL family's, which has no foreign
// keys in such tables.
func partitioned(postgres []string, mysql string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		switch e.Dialect {
		case "sqlite":
			t.Skip("SQLite has no partitions")
		case "mysql":
			keyed("", mysql)(t, e)
		default:
			keyed("", postgres...)(t, e)
		}
	}
}

// Stock GORM stores a link as often as it is appended.
func unkeyed(only string, ddl ...string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		can(t, e, only)
		log := new(logbook)
		db := seed(t, e.With(t, &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Warn})}), ddl...)
		turns := takesTurns(t, db)
		if turns {
			require.NoError(t, link(db, 1, 1))
			require.NoError(t, link(db, 1, 1))
			require.Len(t, log.lines, 1, "one warning a relation")
			require.Len(t, log.having("CREATE UNIQUE INDEX"), 1)
			for _, name := range []string{tableOf(db, "article_publications"), "article_id", "publication_id"} {
				require.Len(t, log.having(name), 1)
			}
			linkInTurns(t, db)
			require.LessOrEqual(t, len(log.lines), 2, "one warning a relation: %q", log.lines)
		}

		refusing := m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Refuse))
		for _, targets := range [][]Publication{publications(1), publications(4, 5), publications(99), {{Name: "new"}}} {
			err := refusing.Model(&Article{ID: 1}).Association("Publications").Append(targets)
			require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
			var failed *m2msafe.LinkError
			require.ErrorAs(t, err, &failed)
			require.Contains(t, failed.Error(), "CREATE UNIQUE INDEX")
		}
		require.NoError(t, refusing.Transaction(func(tx *gorm.DB) error {
			require.ErrorIs(t, link(tx, 1, 4), m2msafe.ErrNoUniqueKey)
			return tx.Create(&Publication{Name: "after"}).Error
		}))
		require.Len(t, linked(t, db), map[bool]int{true: 5}[turns])
		require.Equal(t, "6", one(t, db, `SELECT COUNT(*) FROM publications`))
	}
}

// Stock GORM swallows the conflict: no error, no link.
func narrowerKey(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (id {id}, {pair}, UNIQUE (article_id))`)
	if !takesTurns(t, db) {
		return
	}
	for range 2 {
		require.NoError(t, link(db, 1, 2))
	}
	require.ErrorIs(t, link(db, 1, 2, 3), gorm.ErrDuplicatedKey)
	require.NoError(t, link(db, 2, 2))
	require.Equal(t, []string{"1|2", "2|2"}, linked(t, db))
}

// Stock GORM stores the link again where the predicate does not cover it.
func partialKey(t *testing.T, e Engine) {
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (id {id}, {pair}, kind text NOT NULL DEFAULT 'a')`,
		`CREATE UNIQUE INDEX pair ON article_publications (article_id, publication_id) WHERE kind = 'b'`,
		`INSERT INTO article_publications (article_id, publication_id, kind) VALUES (1, 1, 'a'), (1, 2, 'b')`)
	if !takesTurns(t, db) {
		return
	}
	for range 2 {
		require.NoError(t, link(db, 1, 1, 2, 3))
	}
	require.Equal(t, []string{"1|1|a", "1|2|b", "1|3|a"},
		rows(t, db, `SELECT article_id, publication_id, kind FROM article_publications ORDER BY 2`))
}

// Stock GORM stores the link again.
func invalidKey(t *testing.T, e Engine) {
	can(t, e, "PostgreSQL alone builds indexes that may fail and stay")
	db := seed(t, e.DB(t), `CREATE TABLE article_publications (id {id}, {pair})`,
		`INSERT INTO article_publications (article_id, publication_id) VALUES (3, 3), (3, 3)`)
	require.Error(t, db.Exec(native(db, `CREATE UNIQUE INDEX CONCURRENTLY pair ON article_publications (article_id, publication_id)`)).Error)
	require.ErrorIs(t, link(m2msafe.With(db, m2msafe.NoUniqueKey(m2msafe.Refuse)), 1, 1), m2msafe.ErrNoUniqueKey)
	if !takesTurns(t, db) {
		return
	}
	require.NoError(t, link(db, 3, 3))
	exec(t, db, `DELETE FROM article_publications`)
	linkInTurns(t, db)
}

// deferrable is a table whose unique key is checked late, and takes part in
// every ON CONFLICT that its columns fit. Stock GORM fails (55000).
func deferrable(ddl string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		can(t, e, "PostgreSQL has deferrable unique constraints alone")
		log := new(logbook)
		db := seed(t, e.With(t, &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Warn})}), ddl)
		if !takesTurns(t, db) {
			return
		}
		linkInTurns(t, db)
		require.LessOrEqual(t, len(log.lines), 2, "one warning a relation: %q", log.lines)
	}
}

// Stock GORM passes this too, where there is a unique key.
func oneConnection(t *testing.T, e Engine) {
	for name, ddl := range map[string][]string{
		"with a unique key":    nil,
		"without a unique key": {`CREATE TABLE article_publications (id {id}, {pair})`},
	} {
		t.Run(name, func(t *testing.T) {
			db := seed(t, e.DB(t), ddl...)
			if ddl != nil && !takesTurns(t, db) {
				return
			}
			pool, err := db.DB()
			require.NoError(t, err)
			pool.SetMaxOpenConns(1)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			linkInTurns(t, db.WithContext(ctx))
			require.NoError(t, db.WithContext(ctx).Model(&Article{ID: 3}).Association("Publications").Append(&Publication{ID: 99}, &Publication{Name: "new"}))
			require.Len(t, linked(t, db), 7)
		})
	}
}

// Stock GORM gives the database's error, and leaves it to the reader.
func noTable(t *testing.T, e Engine) {
	db := seeded(t, e)
	exec(t, db, `DROP TABLE article_publications`)
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.ErrorIs(t, link(tx, 1, 1), m2msafe.ErrNoJoinTable)
		return tx.Create(&Publication{Name: "after"}).Error
	}))
	exec(t, db, `CREATE TABLE article_publications (article_id bigint, publication_id bigint, PRIMARY KEY (article_id, publication_id))`)
	linkInTurns(t, db)
}
