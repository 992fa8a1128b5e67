package audittest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// careful is a schema in which rows look as if they were too many, and nobody but its
// owner knows: no fix may remove one.
type careful struct {
	name string
	on   []string
	ends []string // in the place of the usual ones
	made []string
	want []string
	// says is in the story of the first finding.
	says string
	opts audit.Options
	// fits is what the app can write when all fixes have run, refused what it can't.
	fits, refused string
	left          []string // what is found then, if that is asked
	removes       bool     // rows go if nothing refers to them, and here something does
}

const bare = "user_id integer NOT NULL, group_id integer NOT NULL"

var (
	named = audit.Options{Tables: []string{"user_groups"}}
	known = Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"})
	twice = []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}
)

var carefully = []careful{
	{
		name: "a key on more than the pair",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", role varchar(9) NOT NULL, PRIMARY KEY (user_id, group_id, role))", back,
			"INSERT INTO user_groups VALUES (1, 1, 'a'), (1, 1, 'b')"},
		opts: named, want: twice, says: "with several: then this is no fault",
	}, {
		name: "a key on more than the pair, by models",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", role varchar(9) NOT NULL, UNIQUE (role, group_id, user_id))", back, forth,
			"INSERT INTO user_groups VALUES (1, 1, 'a'), (1, 1, 'b')"},
		opts: known, want: twice, says: "with several: then this is no fault",
	}, {
		name: "a key on the pair and a time", // which is a mistake as often as not
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", created_at varchar(30) NOT NULL, PRIMARY KEY (user_id, group_id, created_at))", back,
			"INSERT INTO user_groups VALUES (1, 1, '2023'), (1, 1, '2024')"},
		want: twice, says: "with one created_at",
	}, {
		name: "a key on a flag's rows", on: partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", active boolean NOT NULL)", back,
			"CREATE UNIQUE INDEX one ON user_groups (user_id, group_id) WHERE active", "INSERT INTO user_groups VALUES (1, 1, false), (1, 1, true), (1, 1, false)"},
		want: []string{"duplicate-pairs user_id,group_id", "partial-unique-key user_id,group_id"}, says: "Rows that differ in active may be meant to be there beside each other",
	}, {
		name: "rows of one pair in several states",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", is_active boolean NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, NULL), (2, 1, 1, true)"},
		want: twice, says: "differ in is_active",
	}, {
		name: "rows of one pair that count",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", quantity integer NOT NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 2), (2, 1, 1, 3)"},
		opts: named, want: twice, says: "By quantity rows of one pair may be a history",
	}, {
		name: "rows of one pair that say different things",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", note varchar(9))", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'a'), (2, 1, 1, 'b'), (3, 2, 2, ''), (4, 2, 2, NULL)"},
		want: twice, says: "Rows of 2 pairs differ in note.",
	}, {
		name: "rows of one pair that differ in the last digit of a number",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", share float)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 16777215), (2, 1, 1, 16777212)"},
		want: twice, says: "differ in share",
	}, {
		name: "a name that means something else",
		made: []string{"CREATE TABLE user_groups (" + bare + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (7001, 1), (7002, 2), (7003, 3)"},
		want: []string{"dangling-links user_id", "no-foreign-key user_id", "no-foreign-key group_id"}, says: "does so in most rows, it may well be so",
	}, {
		name: "a name that means something else, in rows that were not counted",
		made: []string{"CREATE TABLE user_groups (" + bare + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (2, 1)", "ANALYZE{user_groups}"},
		opts: audit.Options{CountUpTo: 1}, want: []string{"no-foreign-key user_id", "no-foreign-key group_id"}, says: "If some do, the fix fails",
	}, {
		name: "a deletion that its type does not tell",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", is_deleted varchar(1) NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 'Y'), (1, 1, 'N')"},
		want: []string{"soft-delete-no-key user_id,group_id"}, says: "can't be told from the type of is_deleted",
	}, {
		name: "a deletion that the models don't know",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", deleted_at timestamp NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, '2024-01-02 03:04:05'), (2, 1, 1, NULL)"},
		opts: audit.Options{Joins: []audit.JoinTable{{Name: "user_groups", Ends: known.Joins[0].Ends, SoftDelete: []string{}}}},
		want: []string{"soft-delete-no-key user_id,group_id"}, says: "Rows are deleted by deleted_at",
	}, {
		name: "a lookup in one of several",
		made: []string{"CREATE TABLE tags (id integer PRIMARY KEY, tenant integer NOT NULL, name varchar(100) NOT NULL, UNIQUE (tenant, name))"},
		opts: Lookup("tags.name"), want: []string{"lookup-column-not-unique name"}, says: "with one tenant",
	},
}

// Careful: what a fix would have to guess it does not do. All that is there is there still
// when all fixes have run.
func Careful(t *testing.T, kind string, open Open) {
	for _, c := range slices.Concat(carefully, carefulRoles, carefulKeys) {
		if c.on != nil && !slices.Contains(c.on, kind) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			if c.ends == nil {
				c.ends = ends
			}
			for _, s := range slices.Concat(c.ends, c.made) {
				Execute(t, db, analyze(kind, s))
			}
			report := Run(t, db, kind, c.opts)
			require.Equal(t, c.want, Rules(report), "%+v", report.Findings)
			require.Contains(t, strings.ToLower(report.Findings[0].Story), strings.ToLower(c.says))
			stored := dump(t, db, report)
			for _, f := range report.Findings {
				for _, s := range f.Fix {
					if !c.removes {
						require.NotContains(t, strings.ReplaceAll(s.SQL, "ON DELETE", ""), "DELETE", f.Rule)
					}
					Execute(t, db, s.SQL)
				}
			}
			left := dump(t, db, report)
			require.Len(t, left, len(stored))
			for i := range left { // a fix may have added a column
				require.Contains(t, left[i], strings.TrimSuffix(stored[i], "]"))
			}
			if c.left != nil {
				require.Equal(t, c.left, Rules(Run(t, db, kind, c.opts)))
			}
			if c.fits != "" {
				Execute(t, db, c.fits)
			}
			if c.refused != "" {
				_, err := db.ExecContext(t.Context(), c.refused)
				require.Error(t, err, c.refused)
			}
		})
	}
}

// analyze is the statement that has an engine estimate rows, for ANALYZE{table}.
func analyze(kind, statement string) string {
	table, ok := strings.CutPrefix(statement, "ANALYZE{")
	switch {
	case !ok:
		return statement
	case kind == "mysql":
		return "ANALYZE TABLE " + strings.TrimSuffix(table, "}")
	}
	return "ANALYZE " + strings.TrimSuffix(table, "}")
}

// Hanging: rows of other tables do not go with the rows that are removed: of a pair the row
// stays that they refer to, and so does a link to nothing.
func Hanging(t *testing.T, kind string, open Open) {
	for _, action := range []string{"CASCADE", "SET NULL"} {
		t.Run(action, func(t *testing.T) {
			db := open(t)
			Execute(t, db, slices.Concat(ends, []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + bare + ")", back, forth,
				"CREATE TABLE seats (number integer PRIMARY KEY, link_id integer NULL REFERENCES user_groups (id) ON DELETE " + action + ")",
				"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 9, 2), (4, 9, 3), (5, 2, 2), (6, 2, 1), (7, 3, 3), (8, 3, 3)",
				"INSERT INTO seats VALUES (1, 2), (2, 3), (3, NULL), (4, 7), (5, 8)"})...)
			report := Run(t, db, kind, known)
			require.Equal(t, []string{"dangling-links user_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id"}, Rules(report))
			for _, f := range report.Findings[:2] {
				for _, s := range f.Fix {
					Execute(t, db, s.SQL)
				}
			}
			require.Contains(t, report.Findings[0].Story, "No row goes that a row of seats refers to")
			require.Contains(t, report.Findings[1].Story, "No row goes that a row of seats refers to")
			require.Contains(t, report.Findings[1].Story, "what a row of seats refers to, or else the one with the lowest id")
			require.Equal(t, []string{"user_groups[2 1 1]", "user_groups[3 9 2]", "user_groups[5 2 2]", "user_groups[6 2 1]", "user_groups[7 3 3]", "user_groups[8 3 3]"}, dump(t, db, report))
			var seats, hanging int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*), count(link_id) FROM seats").Scan(&seats, &hanging))
			require.Equal(t, []int{5, 4}, []int{seats, hanging})
			after := Run(t, db, kind, known)
			require.Equal(t, Rules(report), Rules(after))
			require.EqualValues(t, 1, after.Findings[0].Rows)
			require.EqualValues(t, 1, after.Findings[1].Rows)
		})
	}
}
