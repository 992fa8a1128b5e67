package audit_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// Somebody points a link at something, or makes what it points at, and commits while the fix
// waits: the link stays.
func TestLinkComesToPointMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		write []string
		left  []string
	}{
		"the link is changed":     {[]string{"UPDATE user_groups SET user_id = 4 WHERE id = 1"}, []string{"1 4 1", "3 1 1", "4 2 1", "5 3 1"}},
		"the end is made":         {[]string{"INSERT INTO users VALUES (99)"}, []string{"1 99 1", "3 1 1", "4 2 1", "5 3 1"}},
		"the end, and then a row": {[]string{"INSERT INTO users VALUES (99)", "UPDATE user_groups SET group_id = 2 WHERE id = 1"}, []string{"1 99 2", "3 1 1", "4 2 1", "5 3 1"}},
		"a row, for an end":       {[]string{"INSERT INTO users VALUES (50)", "UPDATE user_groups SET user_id = 50 WHERE id = 1"}, []string{"1 50 1", "3 1 1", "4 2 1", "5 3 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups)",
				"INSERT INTO user_groups VALUES (1, 99, 1), (2, 98, 1), (3, 1, 1), (4, 2, 1), (5, 3, 1)")
			fix := look(t, db, audit.Options{Tables: []string{"user_groups"}}).Findings[0].Fix
			// The ends are locked first, so what is written then waits for nobody.
			require.NoError(t, while(t, db, fix, tc.write[0], tc.write[1:]...))
			require.Equal(t, tc.left, linked(t, db))
			require.Contains(t, fix[1].Why, "writers of the table wait meanwhile")
			require.Contains(t, fix[1].Why, "and so do those of users")
		})
	}
}

// An app that writes the link first may be in a deadlock with the fix: whichever PostgreSQL
// ends, nothing is half done.
func TestDeadlockLeavesNothingHalfDone(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups)",
		"INSERT INTO user_groups VALUES (1, 99, 1), (3, 1, 1), (4, 2, 1)")
	fix := look(t, db, audit.Options{Tables: []string{"user_groups"}}).Findings[0].Fix
	other, err := pgtest.Admin(t).Conn(t.Context())
	require.NoError(t, err)
	defer other.Close()
	for _, s := range []string{"BEGIN", "SET LOCAL search_path = " + schemaOf(t, db), "UPDATE user_groups SET group_id = 2 WHERE id = 3"} {
		_, err = other.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	var pid int
	require.NoError(t, db.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
	mended := make(chan error, 1)
	go func() { mended <- execute(db, fix) }()
	require.Eventually(t, func() bool { return waits(t, pid) }, 5*time.Second, 10*time.Millisecond)
	_, late := other.ExecContext(t.Context(), "INSERT INTO users VALUES (99)")
	_, err = other.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	failed := <-mended
	var kept int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM m2msafe_removed_user_groups").Scan(&kept))
	if failed != nil { // the fix was ended, and the app has its row
		require.ErrorContains(t, failed, "40P01")
		require.NoError(t, late)
		require.Equal(t, []string{"1 99 1", "3 1 2", "4 2 1"}, linked(t, db))
		require.Zero(t, kept)
		return
	}
	require.ErrorContains(t, late, "40P01")
	require.Equal(t, []string{"3 1 1", "4 2 1"}, linked(t, db))
	require.Equal(t, 1, kept)
	audittest.Execute(t, db, "DROP TABLE m2msafe_removed_user_groups")
}

// An app that makes what a link points at and then the link is in no deadlock with the
// foreign key that is being made.
func TestForeignKeyMeanwhile(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))", reverse)
	f := look(t, db, audit.Options{}).Findings[0]
	require.Equal(t, audit.NoForeignKey, f.Rule)
	require.NoError(t, while(t, db, f.Fix, "INSERT INTO users VALUES (99)", "INSERT INTO user_groups VALUES (1, 99, 1)"))
	require.Equal(t, []string{"1 99 1"}, linked(t, db))
}

// while runs a fix while another connection is in a transaction with the first of some
// statements done, and runs the others once the fix waits; or has ended.
func while(t *testing.T, db *sql.DB, fix []audit.Statement, first string, then ...string) error {
	t.Helper()
	other, err := pgtest.Admin(t).Conn(t.Context())
	require.NoError(t, err)
	defer other.Close()
	run := func(s string) {
		_, err := other.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	run("BEGIN")
	defer run("ROLLBACK")
	run("SET LOCAL search_path = " + schemaOf(t, db))
	run(first)
	var pid int
	require.NoError(t, db.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
	mended := make(chan error, 1)
	go func() { mended <- execute(db, fix) }()
	for end := time.Now().Add(5 * time.Second); !waits(t, pid) && len(mended) == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, s := range then {
		run(s)
	}
	run("COMMIT")
	return <-mended
}
