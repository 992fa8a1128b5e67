package audit_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

const (
	users  = "CREATE TABLE users (id integer PRIMARY KEY)"
	groups = "CREATE TABLE groups (id integer PRIMARY KEY)"
	rows   = "INSERT INTO users SELECT generate_series(1, 9); INSERT INTO groups SELECT generate_series(1, 9)"
)

func made(t testing.TB, statements ...string) *sql.DB {
	db := database(t)
	audittest.Execute(t, db, append([]string{users, groups, rows}, statements...)...)
	return db
}

func look(t testing.TB, db *sql.DB, o audit.Options) *audit.Report {
	return audittest.Run(t, db, "postgres", o)
}

func TestColumnsThatAreGenerated(t *testing.T) {
	db := made(t, `CREATE TABLE user_groups (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, twice integer GENERATED ALWAYS AS (user_id * 2) STORED)`,
		"INSERT INTO user_groups (user_id, group_id) VALUES (1, 1), (1, 1), (2, 1)", "CREATE INDEX ON user_groups (group_id)")
	audittest.RoundTrip(t, db, "postgres", audit.Options{Tables: []string{"user_groups"}},
		[]string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, []int64{1, 3})
}

func TestNullsNotDistinct(t *testing.T) {
	db := made(t)
	var version int
	require.NoError(t, db.QueryRow("SELECT current_setting('server_version_num')::int").Scan(&version))
	if version < 150000 {
		t.Skip("PostgreSQL has it from 15 on")
	}
	audittest.Execute(t, db, "CREATE TABLE user_groups (user_id integer REFERENCES users, group_id integer REFERENCES groups, UNIQUE NULLS NOT DISTINCT (user_id, group_id))",
		"CREATE INDEX ON user_groups (group_id)")
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
}

func TestInvalidIndex(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)",
		"INSERT INTO user_groups VALUES (1, 1), (1, 1)", "CREATE INDEX ON user_groups (group_id)")
	_, err := db.Exec("CREATE UNIQUE INDEX CONCURRENTLY left_behind ON user_groups (user_id, group_id)")
	require.ErrorContains(t, err, "could not create unique index")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
	require.Contains(t, report.Findings[1].Story, "left_behind is invalid")
	for _, f := range report.Findings {
		for _, s := range f.Fix {
			audittest.Execute(t, db, s.SQL)
		}
	}
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
	var left int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM pg_class WHERE relname = 'left_behind' AND relnamespace = current_schema()::regnamespace").Scan(&left))
	require.Zero(t, left)
}

func TestPartitions(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer, group_id integer) PARTITION BY RANGE (user_id)",
		"CREATE TABLE user_groups_low PARTITION OF user_groups FOR VALUES FROM (0) TO (5)", "CREATE TABLE user_groups_high PARTITION OF user_groups FOR VALUES FROM (5) TO (1000)",
		"INSERT INTO user_groups VALUES (1, 1), (6, 1), (1, 1), (6, 1), (7, 11), (8, NULL)")
	want := []string{"dangling-links group_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"}
	audittest.RoundTrip(t, db, "postgres", audit.Options{}, want, []int64{1, 2, 6, 6, 6, 6}, "nullable-unique-key user_id,group_id")

	other := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, created_at date) PARTITION BY RANGE (created_at)")
	report := look(t, other, audit.Options{})
	require.Equal(t, audit.NoUniqueKey, report.Findings[0].Rule)
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "partitioned by columns that are not the pair's")
}

// A key that other tables refer to has to stay.
func TestKeyThatIsReferredTo(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups UNIQUE, deleted_at timestamp, PRIMARY KEY (user_id, group_id))",
		"CREATE TABLE seats (id integer PRIMARY KEY, user_id integer, group_id integer REFERENCES user_groups (group_id), FOREIGN KEY (user_id, group_id) REFERENCES user_groups)")
	report := look(t, db, audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"}))
	require.Equal(t, []string{"copied-unique-key group_id", "soft-delete-full-key user_id,group_id"}, audittest.Rules(report))
	for _, f := range report.Findings {
		require.Empty(t, f.Fix, f.Rule)
		require.Contains(t, f.Story, "seats", f.Rule)
	}
}

func TestForeignKeyThatCannotBe(t *testing.T) {
	db := made(t, "ALTER TABLE groups DROP CONSTRAINT groups_pkey", "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users ON DELETE SET NULL, group_id integer NOT NULL, PRIMARY KEY (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"no-foreign-key group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "id has no unique key in groups")

	db = made(t, "CREATE TABLE user_groups (user_id integer REFERENCES users ON DELETE SET NULL, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)")
	report = look(t, db, audit.Options{})
	require.Equal(t, []string{"nullable-unique-key user_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "ON DELETE SET NULL")
}

// The action of a new foreign key is that of the other end's.
func TestForeignKeyLikeTheOther(t *testing.T) {
	for action, want := range map[string]string{"": "groups\" (\"id\") NOT VALID", "ON DELETE RESTRICT": "ON DELETE RESTRICT NOT VALID", "ON DELETE CASCADE": "ON DELETE CASCADE NOT VALID"} {
		db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users "+action+", group_id integer NOT NULL, PRIMARY KEY (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)")
		report := look(t, db, audit.Options{})
		require.Equal(t, []string{"no-foreign-key group_id"}, audittest.Rules(report))
		require.Contains(t, report.Findings[0].Fix[0].SQL, want)
	}
}

func TestNamedTables(t *testing.T) {
	db := made(t, "CREATE TABLE orders (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, quantity integer, price integer, note text)",
		"CREATE TABLE pairs (x integer, y integer)", "CREATE TABLE lone (id integer PRIMARY KEY, note text)",
		"CREATE TABLE keyed (a text, b text, c text, PRIMARY KEY (b, c))")
	report := look(t, db, audit.Options{Tables: []string{"orders", "pairs", "lone", "gone", "keyed"}})
	require.Equal(t, []string{"orders named user_id>users.id group_id>groups.id", "pairs named x>. y>.", "keyed named b>. c>."}, audittest.Tables(report))
	require.Equal(t, []audit.Unseen{{Table: "lone", Reason: "its two ends could not be made out"}, {Table: "gone", Reason: "there is no such table, or no privilege on it"}}, report.Unseen)
	require.Equal(t, []string{"no-unique-key user_id,group_id", "no-reverse-index group_id", "no-unique-key x,y", "no-reverse-index y", "no-reverse-index c"}, audittest.Rules(report))
}

func schemaOf(t testing.TB, db *sql.DB) (schema string) {
	require.NoError(t, db.QueryRow("SELECT current_schema()").Scan(&schema))
	return schema
}

// asRole is a pool whose connection is a role's that may do no more than it is granted.
func asRole(t *testing.T, db *sql.DB, grants ...string) {
	schema := schemaOf(t, db)
	role := "role_of_" + schema
	audittest.Execute(t, db, "CREATE ROLE "+role, "GRANT USAGE ON SCHEMA "+schema+" TO "+role)
	t.Cleanup(func() {
		for _, s := range []string{"RESET ROLE", "DROP OWNED BY " + role, "DROP ROLE " + role} {
			_, err := db.ExecContext(context.Background(), s)
			require.NoError(t, err)
		}
	})
	for _, g := range grants {
		audittest.Execute(t, db, "GRANT "+g+" TO "+role)
	}
	audittest.Execute(t, db, "SET ROLE "+role)
}

func TestPrivileges(t *testing.T) {
	const table = "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL)"
	want := []string{"no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"}

	db := made(t, table)
	asRole(t, db)
	report := look(t, db, audit.Options{})
	require.Equal(t, want, audittest.Rules(report), "what the catalogue says")
	require.Equal(t, []audit.Unseen{{Table: "user_groups", Reason: "no privilege to read its rows"}}, report.Unseen)

	db = made(t, table, "INSERT INTO user_groups VALUES (1, 1), (1, 1), (99, 1)")
	asRole(t, db, "SELECT ON user_groups", "SELECT ON groups")
	report = look(t, db, audit.Options{})
	require.Equal(t, append([]string{"duplicate-pairs user_id,group_id"}, want...), audittest.Rules(report), "users can't be read, so that nobody knows what dangles")
	require.Contains(t, report.Findings[2].Story, "not counted")
	require.NotContains(t, report.Findings[3].Story, "not counted")

	db = made(t, table, "ALTER TABLE user_groups ENABLE ROW LEVEL SECURITY")
	asRole(t, db, "SELECT ON user_groups")
	report = look(t, db, audit.Options{})
	require.Equal(t, want, audittest.Rules(report))
	require.Equal(t, "row-level security hides rows from this role", report.Unseen[0].Reason)
}

func TestTimeout(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)",
		"CREATE TABLE users_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)", "INSERT INTO users_groups VALUES (1, 1), (1, 1)")
	other, err := pgtest.Admin(t).Begin()
	require.NoError(t, err)
	defer other.Rollback()
	_, err = other.Exec("LOCK TABLE " + schemaOf(t, db) + ".user_groups")
	require.NoError(t, err)
	report := look(t, db, audit.Options{Timeout: 300 * time.Millisecond})
	require.Equal(t, []audit.Unseen{{Table: "user_groups", Reason: "counting took longer than 300ms"}}, report.Unseen)
	require.Equal(t, []string{"no-unique-key user_id,group_id", "no-reverse-index group_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-reverse-index group_id"},
		audittest.Rules(report), "the others are looked at")

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = audit.Run(ctx, db, "postgres", audit.Options{})
	require.Error(t, err)
	require.Error(t, ctx.Err())
	require.NoError(t, db.Ping())
}

// Of a table that was looked at no lock is kept while others are.
func TestLocksAreNotKept(t *testing.T) {
	const table = " (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)"
	db := made(t, "CREATE TABLE user_groups"+table, "CREATE TABLE users_groups"+table)
	schema := schemaOf(t, db)
	var heard []string
	var locks int
	look(t, db, audit.Options{Progress: func(done, all int, table string) {
		heard = append(heard, fmt.Sprintf("%d/%d %s", done, all, table))
		if table == "users_groups" {
			require.NoError(t, pgtest.Admin(t).QueryRow("SELECT count(*) FROM pg_locks WHERE relation = '"+schema+".user_groups'::regclass").Scan(&locks))
		}
	}})
	require.Zero(t, locks)
	require.Equal(t, []string{"0/2 user_groups", "0/2 rows of user_groups", "0/2 duplicates in user_groups",
		"1/2 users_groups", "1/2 rows of users_groups", "1/2 duplicates in users_groups"}, heard)
}

// A server that goes away is no clean database, and no table that was not counted.
func TestLostConnection(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+")")
	_, err := audit.Run(t.Context(), db, "postgres", audit.Options{Progress: func(_, _ int, now string) {
		if now == "rows of user_groups" {
			_, err := pgtest.Admin(t).Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%m2msafe_audit%' AND pid <> pg_backend_pid() AND state = 'idle in transaction'")
			require.NoError(t, err)
		}
	}})
	require.ErrorContains(t, err, "the connection was lost while user_groups was looked at, run it again")
}

func TestErrors(t *testing.T) {
	db := database(t)
	_, err := audit.Run(t.Context(), db, "oracle", audit.Options{})
	require.ErrorIs(t, err, audit.ErrUnsupportedDatabase)
	_, err = audit.Run(t.Context(), db, "postgres", audit.Options{CountUpTo: -1})
	require.ErrorContains(t, err, "they take more than nothing")
	_, err = audit.Run(t.Context(), db, "postgres", audit.Options{Timeout: -1})
	require.ErrorContains(t, err, "they take more than nothing")
	_, err = audit.Run(t.Context(), db, "postgres", audit.Options{Joins: []audit.JoinTable{{Name: "user_groups"}}})
	require.ErrorContains(t, err, "user_groups has no columns at one of its ends")
	require.Len(t, look(t, made(t, "CREATE TABLE user_groups ("+pair+")"), audit.Options{Tables: []string{}}).Tables, 1, "none stands for all")
	closed, err := sql.Open("pgx", "host=127.0.0.1 port=1 user=somebody password=hush")
	require.NoError(t, err)
	defer closed.Close()
	_, err = audit.Run(t.Context(), closed, "postgres", audit.Options{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush")
}
