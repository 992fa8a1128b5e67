package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// ends are the tables that the join tables of these tests refer to.
var ends = []string{
	"CREATE TABLE users (id bigint PRIMARY KEY, name text)",
	"CREATE TABLE groups (id bigint PRIMARY KEY, name text)",
	"INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 9) AS i",
	"INSERT INTO groups SELECT i, 'g' || i FROM generate_series(1, 9) AS i",
}

const (
	toUsers  = "user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE"
	toGroups = "group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE"
)

func TestDefects(t *testing.T) {
	cases := map[string]struct {
		made []string
		want []audit.Rule
		rows []int64
	}{
		"no unique key": {
			made: []string{"CREATE TABLE user_groups (" + toUsers + ", " + toGroups + ")", "CREATE INDEX ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES (1, 1), (1, 2)"},
			want: []audit.Rule{audit.NoUniqueKey}, rows: []int64{2},
		},
		"duplicates": {
			made: []string{"CREATE TABLE user_groups (" + toUsers + ", " + toGroups + ")", "CREATE INDEX ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES (1, 1), (1, 2), (1, 1), (2, 2), (1, 1)"},
			want: []audit.Rule{audit.DuplicatePairs, audit.NoUniqueKey}, rows: []int64{2, 5},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			db := database(t, append(ends, tc.made...)...)
			before := run(t, db, audit.Options{})
			require.Equal(t, tc.want, rules(before), "%+v", before)
			for i, f := range before.Findings {
				require.Equal(t, tc.rows[i], f.Rows, "%+v", f)
			}
			undo := mend(t, db, before)
			require.Empty(t, run(t, db, audit.Options{}).Findings)
			for _, s := range undo {
				execute(t, db, s.SQL)
			}
			after := run(t, db, audit.Options{})
			require.Equal(t, tc.want, rules(after))
		})
	}
}
