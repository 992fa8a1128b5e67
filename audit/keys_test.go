package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

const (
	pair    = "user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups"
	reverse = "CREATE INDEX by_group ON user_groups (group_id)"
)

// Keys that keep a pair apart, each in a way of PostgreSQL's own.
func TestSoundKeys(t *testing.T) {
	for name, statements := range map[string][]string{
		"with other columns in the index":       {"CREATE TABLE user_groups (" + pair + ", note text)", "CREATE UNIQUE INDEX k ON user_groups (user_id, group_id) INCLUDE (note)", reverse},
		"in the other order":                    {"CREATE TABLE user_groups (" + pair + ", PRIMARY KEY (group_id, user_id))", "CREATE INDEX by_user ON user_groups (user_id)"},
		"of living rows, whose NULLs are equal": {"CREATE TABLE user_groups (" + pair + ", deleted_at timestamp, UNIQUE NULLS NOT DISTINCT (user_id, group_id, deleted_at))", reverse},
		"a wider one beside it":                 {"CREATE TABLE user_groups (id bigint PRIMARY KEY, " + pair + ", UNIQUE (user_id, group_id), UNIQUE (user_id, group_id, id))", reverse},
		"of domains":                            {"CREATE DOMAIN user_key AS integer NOT NULL", "CREATE TABLE user_groups (user_id user_key REFERENCES users, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))", reverse},
		"of a partitioned table": {"CREATE TABLE user_groups (" + pair + ", PRIMARY KEY (user_id, group_id)) PARTITION BY HASH (group_id)",
			"CREATE TABLE user_groups_0 PARTITION OF user_groups FOR VALUES WITH (MODULUS 1, REMAINDER 0)", reverse},
		"beside views": {"CREATE TABLE user_groups (" + pair + ", PRIMARY KEY (user_id, group_id))", reverse,
			"CREATE VIEW users_groups AS SELECT user_id, group_id FROM user_groups", "CREATE MATERIALIZED VIEW groups_users AS SELECT user_id, group_id FROM user_groups"},
	} {
		t.Run(name, func(t *testing.T) {
			report := look(t, made(t, statements...), audit.Options{})
			require.Len(t, report.Tables, 1)
			require.Empty(t, audittest.Rules(report), "%+v", report.Findings)
		})
	}
}

// An exclusion constraint keeps pairs apart, and is no arbiter of ON CONFLICT.
func TestExclusionConstraint(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+", CONSTRAINT apart EXCLUDE USING btree (user_id WITH =, group_id WITH =))", reverse)
	report := look(t, db, audit.Options{})
	require.Equal(t, audit.Warning, report.Findings[0].Severity)
	require.Contains(t, report.Findings[0].Story, "apart keeps a pair from being stored twice")
	audittest.RoundTrip(t, db, "postgres", audit.Options{}, []string{"no-unique-key user_id,group_id"}, []int64{0})

	// One that has more than the pair says that a pair comes again.
	db = made(t, "CREATE TABLE user_groups ("+pair+", since date, CONSTRAINT apart EXCLUDE USING btree (user_id WITH =, group_id WITH =, since WITH =))", reverse,
		"INSERT INTO user_groups VALUES (1, 1, '2024-01-01'), (1, 1, '2025-01-01')")
	require.Empty(t, look(t, db, audit.Options{}).Tables, "it is for more than the pair")
	report = look(t, db, audit.Options{Tables: []string{"user_groups"}})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
	for _, f := range report.Findings {
		require.Equal(t, audit.Warning, f.Severity)
		require.Empty(t, f.Fix)
		require.Contains(t, f.Story, "with one since")
	}
}

// What others have put into the database does not run with the auditor's rights: a
// transaction that only reads may still COPY to a program.
func TestFunctionsOfOthersDoNotRun(t *testing.T) {
	db := made(t, "CREATE FUNCTION mine(timestamp) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM set_config(''m2msafe.ran'', ''yes'', false); RETURN $1 IS NULL; END'",
		"CREATE TABLE user_groups ("+pair+", deleted_at timestamp)", reverse, "CREATE UNIQUE INDEX p ON user_groups (user_id, group_id) WHERE mine(deleted_at)", "SET m2msafe.ran = 'no'")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"partial-unique-key user_id,group_id"}, audittest.Rules(report))
	require.Contains(t, report.Findings[0].Story, "functions that are not the database's own")
	var ran string
	require.NoError(t, db.QueryRow("SHOW m2msafe.ran").Scan(&ran))
	require.Equal(t, "no", ran)
}

// A CREATE INDEX CONCURRENTLY that failed leaves an index that costs each write: the fix
// takes it away.
func TestInvalidIndexes(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+", PRIMARY KEY (user_id, group_id))", reverse, "CREATE TABLE tags (id integer PRIMARY KEY, name text NOT NULL)", "CREATE UNIQUE INDEX by_name ON tags (name)")
	_, err := pgtest.Admin(t).Exec("UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('" + schemaOf(t, db) + ".by_group'::regclass, '" + schemaOf(t, db) + ".by_name'::regclass)")
	require.NoError(t, err)
	o := audit.Options{Tables: []string{"user_groups"}, Lookups: []string{"tags.name"}}
	report := look(t, db, o)
	require.Equal(t, []string{"no-reverse-index group_id", "lookup-column-not-unique name"}, audittest.Rules(report))
	for _, f := range report.Findings {
		for _, s := range f.Fix {
			audittest.Execute(t, db, s.SQL)
		}
	}
	require.Empty(t, audittest.Rules(look(t, db, o)))
	var left int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM pg_index WHERE NOT indisvalid").Scan(&left))
	require.Zero(t, left)
}

// A table that is published has to keep its primary key, for UPDATE and DELETE fail else.
func TestPublishedTable(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+", deleted_at timestamp, PRIMARY KEY (user_id, group_id))", reverse)
	name := "published_" + schemaOf(t, db)
	audittest.Execute(t, db, "CREATE PUBLICATION "+name+" FOR TABLE user_groups")
	t.Cleanup(func() {
		_, err := pgtest.Admin(t).Exec("DROP PUBLICATION IF EXISTS " + name)
		require.NoError(t, err)
	})
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"soft-delete-full-key user_id,group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "REPLICA IDENTITY")
	audittest.Execute(t, db, "DROP PUBLICATION "+name)
	audittest.RoundTrip(t, db, "postgres", audit.Options{}, audittest.Rules(report), []int64{0})
}
