package audittest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names: tables and columns that are called anything; new names are short enough, and
// taken by nobody.
func Names(t *testing.T, kind string, open Open) {
	mark, limit := `"`, 63
	if kind == "mysql" {
		mark, limit = "`", 64
	}
	quote := func(name string) string { return mark + strings.ReplaceAll(name, mark, mark+mark) + mark }
	long := strings.Repeat("l", limit)
	wide := strings.Repeat("é", limit/2)
	for name, of := range map[string][5]string{ // the ends' tables, the join table, its columns
		"reserved":         {"select", "order", "table", "from", "where"},
		"quotes":           {`it's`, "a\"b`c", "x\"`'y", "\"", "`"},
		"dots and spaces":  {"a.b", "c d", "e.f g", "h.i", " j"},
		"as long as it is": {long[1:] + "a", long[1:] + "b", long[1:] + "c", long[1:] + "d", long[1:] + "e"},
		"of two bytes":     {wide[2:] + "a", wide[2:] + "b", wide[2:] + "c", wide[2:] + "d", wide[2:] + "e"},
		"signs":            {"%s", "$1", "?", ":a", "@b"},
		"comments":         {"--", "/*", "a;b", "#", "*/"},
		"lines":            {"a\nb", "c\r\nd", "\ne;", "\nf", "\tg"},
		"case":             {"Users", "GROUPS", "UserGroups", "User_ID", "groupId"},
	} {
		if kind == "mysql" && name == "dots and spaces" {
			of[4] = "j" // no name ends in a space there
		}
		t.Run(name, func(t *testing.T) {
			db := open(t)
			q := make([]string, 5)
			for i := range of {
				q[i] = quote(of[i])
			}
			Execute(t, db,
				"CREATE TABLE "+q[0]+" (id integer PRIMARY KEY)", "CREATE TABLE "+q[1]+" (id integer PRIMARY KEY)",
				"CREATE TABLE "+q[2]+" ("+q[3]+" integer, "+q[4]+" integer)",
				"INSERT INTO "+q[0]+" VALUES (1)", "INSERT INTO "+q[1]+" VALUES (1)",
				"INSERT INTO "+q[2]+" VALUES (1, 1), (1, 1), (NULL, 1), (2, 1)")
			left := "nullable-unique-key " + of[3] + "," + of[4]
			o := Given(of[2], []string{of[3], of[0], "id"}, []string{of[4], of[1], "id"})
			want := []string{"dangling-links " + of[3], "duplicate-pairs " + of[3] + "," + of[4], "no-unique-key " + of[3] + "," + of[4],
				"no-foreign-key " + of[3], "no-foreign-key " + of[4], "no-reverse-index " + of[4]}
			RoundTrip(t, db, kind, o, want, []int64{1, 1, 4, 4, 4, 4}, left)
			if kind == "postgres" {
				// What the fixes would be called is there already.
				report := Run(t, db, kind, o)
				taken := report.Findings[1].Fix[0].SQL
				Execute(t, db, taken)
			}
			RoundTrip(t, db, kind, o, want, []int64{1, 1, 4, 4, 4, 4}, left)
		})
	}
}

// Large says that a table is above a limit, so that its rows are not counted: the fixes
// look for themselves.
func Large(t *testing.T, kind string, open Open, analyze string) {
	db := open(t)
	Execute(t, db, slices.Concat(ends, []string{"CREATE TABLE user_groups (user_id integer, group_id integer)",
		"INSERT INTO user_groups VALUES (1, 1), (1, 1), (1, 2), (2, 2), (NULL, 1), (1, 9)", analyze})...)
	o := known
	o.CountUpTo = 1
	want := []string{"no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"}
	any := []int64{anything, anything, anything, anything}
	RoundTrip(t, db, kind, o, want, any, "nullable-unique-key user_id,group_id")

	// Rows that say different things stay, and then there is no key.
	db = open(t)
	Execute(t, db, slices.Concat(ends, []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", status varchar(9))", back,
		"INSERT INTO user_groups VALUES (1, 1, 1, 'old'), (2, 1, 1, 'new'), (3, 1, 1, 'old'), (4, 2, 2, NULL), (5, 2, 2, NULL)", analyze})...)
	report := Run(t, db, kind, o)
	require.Equal(t, twice[1:], Rules(report))
	failed := false
	for _, s := range report.Findings[0].Fix {
		_, err := db.ExecContext(t.Context(), s.SQL)
		if failed = err != nil; failed {
			require.Contains(t, strings.ToUpper(s.SQL), "UNIQUE", err)
			break
		}
	}
	require.True(t, failed)
	require.Equal(t, []string{"user_groups[1 1 1 old]", "user_groups[2 1 1 new]", "user_groups[4 2 2 <nil>]"}, dump(t, db, report))
}
