package audit_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

// A comment behind an index or a trigger does not take in what the statements of a script
// put behind it, nor does the comment of one made by the undo.
func TestCommentsBehindDefinitions(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL, UNIQUE (user_id, group_id))",
		"CREATE INDEX g ON user_groups (group_id) -- from the other end", "CREATE TABLE log (n integer)",
		"CREATE TRIGGER logs AFTER INSERT ON user_groups BEGIN INSERT INTO log VALUES (new.id); END -- for the boss",
		"CREATE UNIQUE INDEX some ON user_groups (user_id) WHERE group_id > 7 -- the odd ones",
		"INSERT INTO user_groups VALUES (1, 1, 1)")
	before := schema(t, db)
	want := []string{"no-foreign-key user_id", "no-foreign-key group_id"}
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	require.Equal(t, want, audittest.Rules(report))
	script := func(pick func(audit.Finding) []audit.Statement, findings ...audit.Finding) {
		var text strings.Builder
		for _, f := range findings {
			for _, s := range pick(f) {
				text.WriteString(s.SQL + ";\n")
			}
		}
		audittest.Execute(t, db, text.String())
	}
	script(func(f audit.Finding) []audit.Statement { return f.Fix }, report.Findings...)
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))
	require.Equal(t, before, schema(t, db))
	script(func(f audit.Finding) []audit.Statement { return f.Undo }, report.Findings[1], report.Findings[0])
	require.Equal(t, want, audittest.Rules(audittest.Run(t, db, "sqlite", audit.Options{})))
	require.Equal(t, before, schema(t, db))
}

// MariaDB refuses a foreign key between types that differ, so the type comes first.
func TestWiderColumnWithoutForeignKey(t *testing.T) {
	for name, table := range map[string]string{
		"both rules": "CREATE TABLE user_groups (user_id bigint NOT NULL, group_id integer NOT NULL REFERENCES groups (id), PRIMARY KEY (user_id, group_id))",
		"both ends":  "CREATE TABLE user_groups (user_id bigint NOT NULL, group_id bigint NOT NULL, PRIMARY KEY (user_id, group_id), KEY (group_id))",
	} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1)", table, "INSERT INTO user_groups VALUES (1, 1), (2, 1)")
			report := audittest.Run(t, db, "mysql", audit.Options{})
			require.Subset(t, audittest.Rules(report), []string{"key-types-differ user_id", "no-foreign-key user_id"})
			rows := make([]int64, len(report.Findings))
			for i, f := range report.Findings {
				require.NotEmpty(t, f.Fix, f.Rule)
				rows[i] = f.Rows
			}
			audittest.RoundTrip(t, db, "mysql", audit.Options{}, audittest.Rules(report), rows)
		})
	}
}

// asUser is a connection to the database of another's, as one who may do what is granted.
func asUser(t *testing.T, db *sql.DB, address string, grants ...string) *sql.DB {
	var database string
	require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
	user := "few_" + database
	audittest.Execute(t, db, "CREATE USER "+user+"@'127.0.0.1' IDENTIFIED BY 'hush'")
	for _, g := range grants {
		audittest.Execute(t, db, "GRANT "+g+" TO "+user+"@'127.0.0.1'")
	}
	return open(t, "mysql", user+":hush"+address[strings.Index(address, "@tcp"):])
}

// The server shows a role the tables on which it has a privilege. What it does not show may
// refer to the rows that are too many.
func TestRolesThatAreNotShownAll(t *testing.T) {
	want := []string{"dangling-links user_id", "duplicate-pairs user_id,group_id"}
	for name, tc := range map[string]struct {
		grants  []string // DB is the database
		removes bool
		says    string
	}{
		"tables":                            {[]string{"SELECT ON DB.users", "SELECT ON DB.groups", "SELECT ON DB.user_groups"}, false, "privileges on single tables"},
		"tables, and some of them to write": {[]string{"SELECT, INSERT, DELETE ON DB.users", "SELECT ON DB.groups", "ALL ON DB.user_groups"}, false, "privileges on single tables"},
		"the database, but not to read":     {[]string{"INSERT ON DB.*", "SELECT ON DB.users", "SELECT ON DB.groups", "SELECT ON DB.user_groups"}, false, "privileges on single tables"},
		"another database":                  {[]string{"SELECT ON DB_other.*", "SELECT ON DB.users", "SELECT ON DB.groups", "SELECT ON DB.user_groups"}, false, "privileges on single tables"},
		"the database":                      {[]string{"SELECT ON DB.*"}, true, "this role was not shown that"},
		"all databases":                     {[]string{"SELECT ON *.*"}, true, ""},
		"all databases, and more":           {[]string{"SELECT, REFERENCES ON *.*"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			address := dsn(t)
			db := open(t, "mysql", address)
			var database string
			require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
			audittest.Execute(t, db, users, groups, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
				"CREATE TABLE user_groups (id integer PRIMARY KEY, user_id integer NOT NULL, group_id integer NOT NULL)",
				"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 9, 1)",
				"CREATE TABLE seats (link_id integer REFERENCES user_groups (id) ON DELETE SET NULL)")
			var grants []string
			for _, g := range tc.grants {
				grants = append(grants, strings.ReplaceAll(g, "DB", database))
			}
			few := asUser(t, db, address, grants...)
			report := audittest.Run(t, few, "mysql", audit.Options{Tables: []string{"user_groups"}})
			require.Equal(t, want, audittest.Rules(report)[:2])
			for _, f := range report.Findings[:2] {
				if !tc.removes {
					require.Empty(t, f.Fix)
					require.Contains(t, f.Story, tc.says)
					continue
				}
				require.Contains(t, f.Story, "No row goes that a row of seats refers to")
				require.Contains(t, f.Fix[1].SQL, "DELETE")
				if tc.says == "" {
					require.NotContains(t, f.Fix[1].Why, "this role was not shown")
				}
				require.Contains(t, f.Fix[1].Why, tc.says)
			}
			for _, f := range report.Findings {
				for _, s := range f.Fix {
					require.True(t, tc.removes || !strings.HasPrefix(s.SQL, "DELETE"), s.SQL)
				}
			}
		})
	}
}

// To a role that may only read, MariaDB does not show what a foreign key does when the row
// is deleted that it refers to. Rows that may hang on a link keep it.
func TestActionsThatAreNotShown(t *testing.T) {
	for grant, says := range map[string]string{"SELECT": "ON DELETE (what, this role is not shown)", "SELECT, REFERENCES": "ON DELETE CASCADE"} {
		t.Run(grant, func(t *testing.T) {
			address := dsn(t)
			db := open(t, "mysql", address)
			var database string
			require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
			audittest.Execute(t, db, users, groups, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
				"CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+")", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 1, 1)",
				"CREATE TABLE seats (link_id integer REFERENCES user_groups (id) ON DELETE CASCADE)", "INSERT INTO seats VALUES (2)")
			reader := asUser(t, db, address, grant+" ON *.*")
			report := audittest.Run(t, reader, "mysql", audit.Options{Tables: []string{"user_groups"}})
			require.Equal(t, audit.DuplicatePairs, report.Findings[0].Rule)
			for _, s := range report.Findings[0].Fix {
				audittest.Execute(t, db, s.SQL)
			}
			var links, seats int
			require.NoError(t, db.QueryRow("SELECT (SELECT max(id) FROM user_groups), (SELECT count(*) FROM seats)").Scan(&links, &seats))
			require.Equal(t, []int{2, 1}, []int{links, seats})

			other := database + "_other"
			audittest.Execute(t, db, "INSERT INTO user_groups VALUES (1, 1, 1)", "CREATE DATABASE "+other,
				"CREATE TABLE "+other+".seats (link_id integer, FOREIGN KEY (link_id) REFERENCES "+database+".user_groups (id) ON DELETE CASCADE, second_id integer, FOREIGN KEY (second_id) REFERENCES "+database+".user_groups (id))")
			report = audittest.Run(t, reader, "mysql", audit.Options{Tables: []string{"user_groups"}})
			require.Equal(t, audit.DuplicatePairs, report.Findings[0].Rule)
			require.Empty(t, report.Findings[0].Fix)
			require.Contains(t, report.Findings[0].Story, "Rows of "+other+".seats refer to this table's "+says)
		})
	}
}

// A join table of which a role is shown nothing is not there for it, unless it is named.
func TestJoinThatIsNotShown(t *testing.T) {
	address := dsn(t)
	db := open(t, "mysql", address)
	var database string
	require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
	audittest.Execute(t, db, users, groups, "CREATE TABLE user_groups ("+pair+")")
	few := asUser(t, db, address, "SELECT ON "+database+".users", "SELECT ON "+database+".groups")
	report := audittest.Run(t, few, "mysql", audit.Options{})
	require.Empty(t, report.Tables)
	require.Empty(t, report.Findings)
	require.Empty(t, report.Unseen)
	report = audittest.Run(t, few, "mysql", audit.Options{Tables: []string{"user_groups"}})
	require.Equal(t, []audit.Unseen{{Table: "user_groups", Reason: "there is no such table, or no privilege on it"}}, report.Unseen)
}
