package audit_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

// Without the index that logical replication tells rows by, it refuses to update and delete
// them.
func TestReplicaIdentityStays(t *testing.T) {
	for name, index := range map[string]string{
		"an index":     "CREATE UNIQUE INDEX told ON user_groups (user_id, group_id)",
		"a constraint": "ALTER TABLE user_groups ADD CONSTRAINT told UNIQUE (user_id, group_id)",
	} {
		t.Run(name, func(t *testing.T) {
			db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, deleted_at timestamp)",
				"CREATE INDEX ON user_groups (group_id)", index)
			report := look(t, db, audit.Options{})
			require.Equal(t, []string{"soft-delete-full-key user_id,group_id"}, audittest.Rules(report))
			require.NotEmpty(t, report.Findings[0].Fix, "it can go as long as it is nobody's identity")

			audittest.Execute(t, db, "ALTER TABLE user_groups REPLICA IDENTITY USING INDEX told")
			report = look(t, db, audit.Options{})
			require.Equal(t, []string{"soft-delete-full-key user_id,group_id"}, audittest.Rules(report))
			require.Empty(t, report.Findings[0].Fix)
			require.Contains(t, report.Findings[0].Story, "another REPLICA IDENTITY first")
		})
	}
}

// A fix that fails half way leaves its CHECK behind. The next one takes it away, and so
// nothing is left in the end.
func TestCheckThatWasLeft(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer REFERENCES users, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"nullable-unique-key user_id"}, audittest.Rules(report))
	audittest.Execute(t, db, "INSERT INTO user_groups VALUES (NULL, 1)")
	checks := func() (n int) {
		require.NoError(t, db.QueryRow("SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = 'user_groups'::regclass").Scan(&n))
		return n
	}
	require.ErrorContains(t, execute(db, report.Findings[0].Fix), "violated by some row")
	require.Equal(t, 1, checks())
	require.ErrorContains(t, execute(db, report.Findings[0].Fix), "violated by some row", "the same file once more")
	require.Equal(t, 1, checks())

	report = look(t, db, audit.Options{})
	require.Equal(t, []string{"nullable-unique-key user_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, `remove the rows WHERE "user_id" IS NULL`)
	audittest.Execute(t, db, "DELETE FROM user_groups WHERE user_id IS NULL")
	report = look(t, db, audit.Options{})
	require.NoError(t, execute(db, report.Findings[0].Fix))
	require.Zero(t, checks())
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
}

// execute runs statements up to the first that fails.
func execute(db *sql.DB, statements []audit.Statement) error {
	for _, s := range statements {
		if _, err := db.Exec(s.SQL); err != nil {
			return err
		}
	}
	return nil
}

// A foreign key sees the rows of the table alone, and not those of tables that inherit.
func TestForeignKeyToATableWithHeirs(t *testing.T) {
	db := made(t, "CREATE TABLE guests () INHERITS (users)", "INSERT INTO guests VALUES (77)",
		"CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL, PRIMARY KEY (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)",
		"INSERT INTO user_groups VALUES (1, 1), (77, 1)")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"no-foreign-key user_id", "no-foreign-key group_id"}, audittest.Rules(report), "a guest is a user")
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "Tables inherit from users, and a foreign key would refuse links to their rows.")
	require.NoError(t, execute(db, report.Findings[1].Fix))
	require.Equal(t, []string{"no-foreign-key user_id"}, audittest.Rules(look(t, db, audit.Options{})))
}
