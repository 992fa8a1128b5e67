package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// What docs/audit.md says of a step that waits: who only reads waits behind it, unless
// lock_timeout ends it; and it leaves nothing that the next fix does not mend.
func TestStepsThatWait(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer REFERENCES users, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id))", "CREATE INDEX ON user_groups (group_id)")
	table := schemaOf(t, db) + ".user_groups"
	report := look(t, db, audit.Options{})
	require.Equal(t, audit.NullableUniqueKey, report.Findings[0].Rule)
	other, err := pgtest.Admin(t).Begin()
	require.NoError(t, err)
	defer other.Rollback()
	_, err = other.Exec("SELECT FROM " + table)
	require.NoError(t, err)

	reader := database(t)
	audittest.Execute(t, reader, "SET lock_timeout = '100ms'")
	read := func() error { _, err := reader.Exec("SELECT FROM " + table); return err }
	require.NoError(t, read())
	mended := make(chan error, 1)
	go func() { mended <- execute(db, report.Findings[0].Fix) }()
	require.Eventually(t, func() bool { return read() != nil }, 10*time.Second, 10*time.Millisecond)
	require.ErrorContains(t, read(), "55P03")
	require.NoError(t, other.Rollback())
	require.NoError(t, <-mended)

	db = made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL, note integer)")
	report = look(t, db, audit.Options{})
	want := []string{"no-unique-key user_id,group_id", "no-foreign-key group_id", "no-reverse-index group_id"}
	require.Equal(t, want, audittest.Rules(report))
	other, err = pgtest.Admin(t).Begin()
	require.NoError(t, err)
	defer other.Rollback()
	_, err = other.Exec("INSERT INTO " + schemaOf(t, db) + ".user_groups VALUES (1, 1)")
	require.NoError(t, err)
	audittest.Execute(t, db, "SET lock_timeout = '100ms'")
	for _, f := range report.Findings {
		require.ErrorContains(t, execute(db, f.Fix), "55P03", f.Rule)
	}
	require.NoError(t, other.Commit())
	var invalid int
	count := "SELECT count(*) FROM pg_index WHERE indrelid = 'user_groups'::regclass AND NOT indisvalid"
	require.NoError(t, db.QueryRow(count).Scan(&invalid))
	require.Equal(t, 2, invalid)
	report = look(t, db, audit.Options{})
	require.Equal(t, want, audittest.Rules(report))
	for _, f := range report.Findings {
		require.NoError(t, execute(db, f.Fix), f.Rule)
	}
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
	require.NoError(t, db.QueryRow(count).Scan(&invalid))
	require.Zero(t, invalid)
}
