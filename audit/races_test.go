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

// Somebody unlinks the row that was to stay, and commits while the fix waits: the other row
// of the pair stays in its place.
func TestRowThatStaysIsRemovedMeanwhile(t *testing.T) {
	for name, table := range map[string]string{
		"with a key":    "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)",
		"without a key": "CREATE TABLE user_groups (id integer, user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)",
	} {
		for _, inTransaction := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", in a transaction"}[inTransaction], func(t *testing.T) {
				db := made(t, table, "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 2, 1)")
				report := look(t, db, audit.Options{Tables: []string{"user_groups"}})
				require.Equal(t, audit.DuplicatePairs, report.Findings[0].Rule)
				fix := report.Findings[0].Fix

				other, err := pgtest.Admin(t).Begin()
				require.NoError(t, err)
				defer other.Rollback()
				_, err = other.Exec("DELETE FROM " + schemaOf(t, db) + ".user_groups WHERE id = 1")
				require.NoError(t, err)
				var pid int
				conn, err := db.Conn(t.Context()) // a pool may not give one out again that is in a transaction
				require.NoError(t, err)
				require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
				mended := make(chan error, 1)
				go func() {
					statements := []string{fix[0].SQL, fix[1].SQL}
					if inTransaction {
						statements = []string{"BEGIN", fix[0].SQL, fix[1].SQL, "COMMIT"}
					}
					for _, s := range statements {
						if _, err := conn.ExecContext(t.Context(), s); err != nil {
							mended <- err
							return
						}
					}
					mended <- nil
				}()
				// Unlocked, the statement waits for no one where it has chosen the row of id 2.
				for end := time.Now().Add(5 * time.Second); !waits(t, pid) && len(mended) == 0 && time.Now().Before(end); {
					time.Sleep(10 * time.Millisecond)
				}
				require.NoError(t, other.Commit())
				require.NoError(t, <-mended)
				require.NoError(t, conn.Close())
				require.Equal(t, []string{"2 1 1", "3 2 1"}, linked(t, db))
				require.Contains(t, fix[1].Why, "writers of the table wait meanwhile")
				require.NotContains(t, audittest.Rules(look(t, db, audit.Options{Tables: []string{"user_groups"}})), "duplicate-pairs user_id,group_id")
			})
		}
	}

	// Who sees the database as it was when the transaction began would not see the removal.
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL)", "INSERT INTO user_groups VALUES (1, 1), (1, 1)")
	fix := look(t, db, audit.Options{}).Findings[0].Fix
	audittest.Execute(t, db, fix[0].SQL, "SET default_transaction_isolation = 'repeatable read'")
	_, err := db.Exec(fix[1].SQL)
	require.ErrorContains(t, err, "READ COMMITTED")
}

// Somebody gives a seat to a link while the fix waits: the link stays, and so the seat.
func TestRowComesToHangMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		rows, seat string
		rule       audit.Rule
		left       []string
	}{
		"a link to nothing":  {"(1, 1, 1), (2, 99, 1), (3, 98, 1), (4, 2, 1), (5, 3, 1)", "2", audit.DanglingLinks, []string{"1 1 1", "2 99 1", "4 2 1", "5 3 1"}},
		"a row too many":     {"(1, 1, 1), (2, 1, 1), (3, 1, 1)", "3", audit.DuplicatePairs, []string{"3 1 1"}},
		"the one that stays": {"(1, 1, 1), (2, 1, 1)", "1", audit.DuplicatePairs, []string{"1 1 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			db := made(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL REFERENCES groups)",
				"CREATE TABLE seats (link_id integer REFERENCES user_groups ON DELETE CASCADE)", "INSERT INTO user_groups VALUES "+tc.rows)
			report := look(t, db, audit.Options{Tables: []string{"user_groups"}})
			require.Equal(t, tc.rule, report.Findings[0].Rule)
			other, err := pgtest.Admin(t).Begin()
			require.NoError(t, err)
			defer other.Rollback()
			_, err = other.Exec("INSERT INTO " + schemaOf(t, db) + ".seats VALUES (" + tc.seat + ")")
			require.NoError(t, err)
			var pid int
			require.NoError(t, db.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
			mended := make(chan error, 1)
			go func() { mended <- execute(db, report.Findings[0].Fix) }()
			for end := time.Now().Add(5 * time.Second); !waits(t, pid) && len(mended) == 0 && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			require.NoError(t, other.Commit())
			require.NoError(t, <-mended)
			require.Equal(t, tc.left, linked(t, db))
			var seats int
			require.NoError(t, db.QueryRow("SELECT count(*) FROM seats").Scan(&seats))
			require.Equal(t, 1, seats)
		})
	}
}

// waits says whether a server's process waits for a lock.
func waits(t *testing.T, pid int) (waiting bool) {
	require.NoError(t, pgtest.Admin(t).QueryRow("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", pid).Scan(&waiting))
	return waiting
}

// linked are the rows that are there.
func linked(t *testing.T, db *sql.DB) (all []string) {
	rows, err := db.Query("SELECT concat_ws(' ', id, user_id, group_id) FROM user_groups ORDER BY 1")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var row string
		require.NoError(t, rows.Scan(&row))
		all = append(all, row)
	}
	require.NoError(t, rows.Err())
	return all
}

// A table's name can't end the block.
func TestNamesThatLookLikeQuotes(t *testing.T) {
	db := made(t, `CREATE TABLE "a$m2msafe$; b$m2msafe2$" (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)`,
		`CREATE INDEX ON "a$m2msafe$; b$m2msafe2$" (group_id)`, `INSERT INTO "a$m2msafe$; b$m2msafe2$" VALUES (1, 1), (1, 1)`)
	audittest.RoundTrip(t, db, "postgres", audit.Options{Tables: []string{"a$m2msafe$; b$m2msafe2$"}}, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, []int64{1, 2})
}
