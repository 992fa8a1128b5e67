package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// A column called after a view is none of a table that is only called alike.
func TestViewsThatNamesMean(t *testing.T) {
	for _, kind := range []string{"VIEW", "MATERIALIZED VIEW"} {
		db := database(t)
		audittest.Execute(t, db, groups, "CREATE TABLE accounts (id integer PRIMARY KEY)", "CREATE "+kind+" users AS SELECT * FROM accounts", "CREATE TABLE admin_users (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))", reverse,
			"INSERT INTO groups VALUES (1)", "INSERT INTO admin_users VALUES (1), (2)", "INSERT INTO user_groups VALUES (1, 1), (2, 1), (3, 1)")
		require.Empty(t, audittest.Rules(look(t, db, audit.Options{})), kind)
		audittest.Execute(t, db, "DROP "+kind+" users")
		require.Equal(t, []string{"dangling-links user_id", "no-foreign-key user_id"}, audittest.Rules(look(t, db, audit.Options{})))
	}
}

// A foreign table is as little of it.
func TestForeignTables(t *testing.T) {
	db := made(t, "DROP TABLE users", "CREATE TABLE admin_users (id integer PRIMARY KEY)", "INSERT INTO admin_users VALUES (1), (2)",
		"CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))", reverse, "INSERT INTO user_groups VALUES (1, 1), (2, 1), (3, 1)")
	name := "w_" + schemaOf(t, db)
	audittest.Execute(t, db, "CREATE FOREIGN DATA WRAPPER "+name, "CREATE SERVER "+name+" FOREIGN DATA WRAPPER "+name, "CREATE FOREIGN TABLE users (id integer) SERVER "+name)
	t.Cleanup(func() {
		_, err := pgtest.Admin(t).Exec("DROP FOREIGN DATA WRAPPER " + name + " CASCADE")
		require.NoError(t, err)
	})
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
}

// A name is looked for in all schemas of search_path, in their order, as the database does.
func TestSearchPath(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+")", reverse, `CREATE TABLE "User_Things" (user_id integer, group_id integer)`)
	home, other := schemaOf(t, db), another(t, db)
	audittest.Execute(t, db, "SET search_path = "+other+", "+home)
	known := audit.JoinTable{Name: "user_groups", Ends: [2]audit.End{{Columns: []string{"user_id"}, Table: "users", References: []string{"id"}}, {Columns: []string{"group_id"}, Table: "groups", References: []string{"id"}}}}
	for _, o := range []audit.Options{{Tables: []string{"user_groups"}}, {Joins: []audit.JoinTable{known}}} {
		report := look(t, db, o)
		require.Empty(t, report.Unseen)
		require.Equal(t, []string{"no-unique-key user_id,group_id"}, audittest.Rules(report))
		require.Equal(t, home+".user_groups", report.Findings[0].Table)
		require.True(t, report.Tables[0].Ends[0].Declared)
	}
	audittest.Execute(t, db, "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL, PRIMARY KEY (user_id, group_id))")
	require.Equal(t, []string{"no-reverse-index group_id"}, audittest.Rules(look(t, db, audit.Options{Tables: []string{"user_groups"}})), "the first of two")

	audittest.Execute(t, db, "SET search_path = "+home)
	for _, name := range []string{"User_Groups", "user_things"} {
		report := look(t, db, audit.Options{Tables: []string{name}})
		require.Equal(t, []audit.Unseen{{Table: name, Reason: "there is no such table, or no privilege on it"}}, report.Unseen)
	}

	audittest.Execute(t, db, "SET search_path = nothere")
	_, err := audit.Run(t.Context(), db, "postgres", audit.Options{})
	require.ErrorContains(t, err, `search_path is "nothere", and there is no such schema`)
	require.Len(t, look(t, db, audit.Options{Tables: []string{home + ".user_groups"}}).Tables, 1)
}

// Rows of partitions are estimated by each, analyzed or not.
func TestEstimateOfPartitions(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL) PARTITION BY RANGE (user_id)",
		"CREATE TABLE low PARTITION OF user_groups FOR VALUES FROM (0) TO (1000)", "CREATE TABLE high PARTITION OF user_groups FOR VALUES FROM (1000) TO (9000)",
		"INSERT INTO user_groups SELECT n, 1 FROM generate_series(0, 2999) AS n", "ANALYZE low")
	report := look(t, db, audit.Options{CountUpTo: 2000, Tables: []string{"user_groups"}})
	require.True(t, report.Tables[0].Estimated)
	require.InDelta(t, 3000, report.Tables[0].Rows, 1500)
	require.Contains(t, report.Findings[0].Story, "not counted")
	report = look(t, db, audit.Options{CountUpTo: 10_000, Tables: []string{"user_groups"}})
	require.False(t, report.Tables[0].Estimated)
	require.EqualValues(t, 3000, report.Tables[0].Rows)
}

// catalogue shows to nobody meanwhile.
func TestLockedTable(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups ("+pair+", deleted_at timestamp)", "CREATE UNIQUE INDEX ON user_groups (user_id, group_id) WHERE deleted_at IS NULL",
		"CREATE TABLE users_groups ("+pair+")", "INSERT INTO users_groups VALUES (1, 1), (1, 1)")
	other, err := pgtest.Admin(t).Begin()
	require.NoError(t, err)
	defer other.Rollback()
	_, err = other.Exec("LOCK TABLE " + schemaOf(t, db) + ".user_groups")
	require.NoError(t, err)
	started := time.Now()
	report := look(t, db, audit.Options{Timeout: 500 * time.Millisecond})
	require.Less(t, time.Since(started), 3*time.Second)
	require.Equal(t, []audit.Unseen{{Table: "user_groups", Reason: "another transaction has it locked for longer than 500ms"}}, report.Unseen)
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-reverse-index group_id"}, audittest.Rules(report))
	require.NoError(t, other.Rollback())
	require.Empty(t, look(t, db, audit.Options{}).Unseen)

	// Of an end that is locked the keys are known still, but for what needs the lock.
	audittest.Execute(t, db, "CREATE UNIQUE INDEX ON users (id) WHERE id > 3", "CREATE INDEX ON users_groups (group_id)")
	end, err := pgtest.Admin(t).Begin()
	require.NoError(t, err)
	defer end.Rollback()
	_, err = end.Exec("LOCK TABLE " + schemaOf(t, db) + ".users")
	require.NoError(t, err)
	report = look(t, db, audit.Options{Timeout: 500 * time.Millisecond})
	require.Empty(t, report.Unseen)
	require.Equal(t, []string{"no-reverse-index group_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
}
