package audit_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

// state is what there is in a test's schema: columns, constraints, indexes, and the rows of
// user_groups.
func state(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	for _, query := range []string{
		"SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attcollation FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid " +
			"WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0",
		"SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND conparentid = 0",
		"SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace",
		"SELECT CAST(u AS text) FROM user_groups u",
	} {
		rows, err := db.Query(query)
		require.NoError(t, err)
		from := len(all)
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			all = append(all, text)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		slices.Sort(all[from:])
	}
	return all
}

// A fix may end at any of its statements. Its whole undo brings back what was there.
func TestUndoOfAPart(t *testing.T) {
	for name, tc := range map[string]struct {
		made []string
		want []string
	}{
		"rows too many, to nothing and with NULL": {[]string{
			"CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer REFERENCES users, group_id integer, note text)",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, NULL, 1), (4, 2, 99), (5, 3, 1)",
			"ALTER TABLE user_groups ADD CONSTRAINT g FOREIGN KEY (group_id) REFERENCES groups NOT VALID",
		}, []string{"dangling-links group_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key group_id", "no-reverse-index group_id"}},
		"a key of all rows": {[]string{
			"CREATE TABLE user_groups (" + pair + ", deleted_at timestamp, PRIMARY KEY (user_id, group_id))", "INSERT INTO user_groups VALUES (1, 1)",
		}, []string{"soft-delete-full-key user_id,group_id", "no-reverse-index group_id"}},
		"an index of all rows": {[]string{
			"CREATE TABLE user_groups (" + pair + ", deleted_at timestamp)", "CREATE UNIQUE INDEX u ON user_groups (user_id, group_id)",
		}, []string{"soft-delete-full-key user_id,group_id", "no-reverse-index group_id"}},
		"a deferrable key": {[]string{
			"CREATE TABLE user_groups (" + pair + ", note text, CONSTRAINT k UNIQUE NULLS NOT DISTINCT (user_id, group_id) INCLUDE (note) DEFERRABLE)", "CREATE INDEX ON user_groups (group_id)",
		}, []string{"deferrable-unique-key user_id,group_id"}},
		"a partial key": {[]string{
			"CREATE TABLE user_groups (" + pair + ")", "CREATE UNIQUE INDEX p ON user_groups (user_id, group_id) WHERE user_id > 3", "CREATE INDEX ON user_groups (group_id)",
		}, []string{"partial-unique-key user_id,group_id"}},
		"another type": {[]string{
			`CREATE TABLE user_groups (user_id varchar(9) COLLATE "C" NOT NULL, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))`, "CREATE INDEX ON user_groups (group_id)",
			"INSERT INTO user_groups VALUES ('1', 1)",
		}, []string{"key-types-differ user_id", "no-foreign-key user_id"}},
		"partitions": {[]string{
			"CREATE TABLE user_groups (" + pair + ", note text) PARTITION BY HASH (user_id)",
			"CREATE TABLE ug0 PARTITION OF user_groups FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "CREATE TABLE ug1 PARTITION OF user_groups FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
			"ALTER TABLE user_groups ADD CONSTRAINT k UNIQUE (user_id, group_id) INCLUDE (note) DEFERRABLE", "CREATE UNIQUE INDEX n ON user_groups (user_id)", "CREATE INDEX ON user_groups (group_id)",
		}, []string{"copied-unique-key user_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			for k := 0; ; k++ {
				db := made(t, tc.made...)
				before := state(t, db)
				report := look(t, db, audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"}))
				require.Equal(t, tc.want, audittest.Rules(report))
				var fix, undo []audit.Statement
				for _, f := range report.Findings {
					require.NotEmpty(t, f.Fix, f.Rule)
					fix, undo = append(fix, f.Fix...), slices.Concat(f.Undo, undo)
				}
				if k > len(fix) {
					require.Greater(t, k, 1)
					return
				}
				require.NoError(t, execute(db, fix[:k]))
				for range 2 { // and once more
					for _, s := range undo {
						_, err := db.Exec(s.SQL)
						require.NoError(t, err, "after %d of %d: %s", k, len(fix), s.SQL)
					}
					require.Equal(t, before, state(t, db), "after %d of %d", k, len(fix))
				}
			}
		})
	}
}

// DROP INDEX CONCURRENTLY that has waited too long leaves the index, and leaves it invalid.
func TestUndoOfHalfADrop(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, deleted_at timestamp)",
		"CREATE UNIQUE INDEX u ON user_groups (user_id, group_id)", "CREATE INDEX ON user_groups (group_id)")
	before := state(t, db)
	f := look(t, db, audit.Options{}).Findings[0]
	require.Equal(t, audit.SoftDeleteFullKey, f.Rule)
	require.NoError(t, execute(db, f.Fix[:1]))
	audittest.Execute(t, db, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'u'::regclass")
	require.NoError(t, execute(db, f.Undo))
	require.Equal(t, before, state(t, db))
}

// Without its last part an index of partitions would be taken away with all of them.
func TestIndexThatLacksAPartition(t *testing.T) {
	db := made(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups) PARTITION BY HASH (user_id)",
		"CREATE TABLE ug0 PARTITION OF user_groups FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "CREATE TABLE ug1 PARTITION OF user_groups FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
		"CREATE INDEX ON user_groups (group_id)", "CREATE UNIQUE INDEX u ON ONLY user_groups (user_id, group_id)",
		"CREATE UNIQUE INDEX u0 ON ug0 (user_id, group_id)", "ALTER INDEX u ATTACH PARTITION u0")
	report := look(t, db, audit.Options{})
	require.Equal(t, []string{"no-unique-key user_id,group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, fmt.Sprintf(`ALTER INDEX "%s"."u" ATTACH PARTITION`, schemaOf(t, db)))
	audittest.Execute(t, db, "CREATE UNIQUE INDEX u1 ON ug1 (user_id, group_id)", "ALTER INDEX u ATTACH PARTITION u1")
	require.Empty(t, audittest.Rules(look(t, db, audit.Options{})))
}
