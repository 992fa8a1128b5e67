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

// An app that makes what a link points at and then the link is in no deadlock with the
// foreign key that is being made.
func TestForeignKeyMeanwhile(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))", reverse)
	f := look(t, db, audit.Options{}).Findings[0]
	require.Equal(t, audit.NoForeignKey, f.Rule)
	require.NoError(t, while(t, db, f.Fix, "INSERT INTO users VALUES (99)", "INSERT INTO user_groups VALUES (1, 99, 1)"))
	require.Equal(t, []string{"1 99 1"}, linked(t, db))
}

// What policies hide in a table they would not in the one that keeps its rows.
func TestKeptRowsAreNotShown(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+")", reverse, "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)", "ALTER TABLE user_groups ENABLE ROW LEVEL SECURITY")
	schema := schemaOf(t, db)
	role := "anon_" + schema
	audittest.Execute(t, db, "CREATE ROLE "+role, "GRANT USAGE ON SCHEMA "+schema+" TO "+role, "ALTER DEFAULT PRIVILEGES IN SCHEMA "+schema+" GRANT ALL ON TABLES TO "+role)
	t.Cleanup(func() {
		_, err := pgtest.Admin(t).Exec("DROP OWNED BY " + role + "; DROP ROLE " + role)
		require.NoError(t, err)
	})
	for _, f := range look(t, db, audit.Options{Tables: []string{"user_groups"}}).Findings {
		require.NoError(t, execute(db, f.Fix))
	}
	var all, shown int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM m2msafe_removed_user_groups").Scan(&all))
	require.Equal(t, 1, all)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "SET ROLE "+role)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT count(*) FROM m2msafe_removed_user_groups").Scan(&shown))
	require.Zero(t, shown)
	_, err = conn.ExecContext(t.Context(), "RESET ROLE")
	require.NoError(t, err)
}
