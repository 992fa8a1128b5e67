package audit_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

const bare = "user_id integer NOT NULL, group_id integer NOT NULL"

// mend applies all fixes of a report.
func mend(t *testing.T, db *sql.DB, r *audit.Report) {
	t.Helper()
	for _, f := range r.Findings {
		for _, s := range f.Fix {
			audittest.Execute(t, db, s.SQL)
		}
	}
}

// What the server joins is no link to nothing, whatever a cast would say of it.
func TestLinksThatTheServerJoins(t *testing.T) {
	for name, tc := range map[string]struct {
		key, keys, column, values string
		dangling                  int
	}{
		"a text of a number":                {"integer", "(1), (5), (6)", "varchar(20)", `('1', 1), ('5.0', 1), ('+5', 1), ('6\n', 1), ('05', 1), ('x', 1), ('y', 1)`, 2},
		"a number of a text":                {"varchar(10)", "('007'), ('1')", "integer", "(7, 1), (1, 1), (2, 1)", 1},
		"a UUID without its dashes":         {"uuid", "('12345678-1234-1234-1234-123456789abc')", "char(36)", "('12345678123412341234123456789abc', 1), ('12345678-1234-1234-1234-123456789ABC', 1), ('x', 1)", 1},
		"a text of a decimal":               {"decimal(10,2)", "(1), (2)", "varchar(10)", "('1.00', 1), ('2', 1), ('3', 1)", 1},
		"a decimal of a text":               {"varchar(10)", "('1'), ('2.0')", "decimal(10,2)", "(1, 1), (2, 1), (3, 1)", 1},
		"a date as a number":                {"date", "('2024-01-02')", "integer", "(20240102, 1), (5, 1)", 1},
		"types that have no =":              {"uuid", "('12345678-1234-1234-1234-123456789abc')", "integer", "(5, 1)", 1},
		"collations that have no =":         {"varchar(20) COLLATE utf8mb4_general_ci", "('a'), ('b')", "varchar(20) COLLATE utf8mb4_unicode_ci", "('A', 1), ('b', 1), ('c', 1)", 1},
		"sets of characters that have no =": {"varchar(20) COLLATE latin1_swedish_ci", "('a'), ('b')", "varchar(20) COLLATE latin2_general_ci", "('A', 1), ('b', 1), ('c', 1)", 1},
		"a wider set of characters":         {"varchar(20) COLLATE latin1_bin", "('e'), ('f')", "varchar(20) COLLATE utf8mb4_unicode_ci", "('é', 1), ('F', 1), ('g', 1)", 1},
		"the other collation's end":         {"varchar(20) COLLATE utf8mb4_general_nopad_ci", "('a'), ('b')", "varchar(20) COLLATE utf8mb4_bin", "('a ', 1), ('B', 1), ('c', 1)", 1},
		"a text of any length":              {"varchar(20)", "('a'), ('b')", "text", "('A', 1), ('c', 1)", 1},
		"bytes":                             {"varchar(20) COLLATE utf8mb4_general_ci", "('a'), ('b')", "varbinary(20)", "('a', 1), ('B', 1), ('c', 1)", 1},
		"a text of bytes":                   {"varbinary(20)", "('a'), ('b')", "varchar(20)", "('a', 1), ('c', 1)", 1},
		"an enumeration of a number":        {"integer", "(1), (2)", "enum('1', '7')", "('1', 1), ('7', 1)", 0}, // which is the second value
	} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO `groups` VALUES (1)", "CREATE TABLE people (id "+tc.key+" PRIMARY KEY)", "INSERT INTO people VALUES "+tc.keys,
				"CREATE TABLE group_people (n integer AUTO_INCREMENT PRIMARY KEY, person_id "+tc.column+" NOT NULL, group_id integer NOT NULL REFERENCES groups (id))",
				"INSERT INTO group_people (person_id, group_id) VALUES "+tc.values)
			o := audittest.Given("group_people", []string{"person_id", "people", "id"}, []string{"group_id", "groups", "id"})
			report := audittest.Run(t, db, "mysql", o)
			require.Empty(t, report.Unseen)
			var before, after int
			require.NoError(t, db.QueryRow("SELECT count(*) FROM group_people").Scan(&before))
			if tc.dangling > 0 {
				f := report.Findings[0]
				require.Equal(t, audit.DanglingLinks, f.Rule)
				require.EqualValues(t, tc.dangling, f.Rows)
				for _, s := range f.Fix {
					audittest.Execute(t, db, s.SQL)
				}
			}
			require.NotContains(t, audittest.Rules(audittest.Run(t, db, "mysql", o)), "dangling-links person_id")
			require.NoError(t, db.QueryRow("SELECT count(*) FROM group_people").Scan(&after))
			require.Equal(t, tc.dangling, before-after)
		})
	}
}

const rewards = "CREATE TABLE badges (user_id integer)"

// What a trigger does with rows that are removed nobody can take back.
func TestTriggersMariaDB(t *testing.T) {
	for name, tc := range map[string]struct {
		when    string
		removes bool
	}{"when a row is deleted": {"AFTER DELETE", false}, "when one is inserted": {"BEFORE INSERT", true}} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", rewards, "INSERT INTO badges VALUES (1)",
				"CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+")", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)",
				"CREATE TRIGGER takes_back "+tc.when+" ON user_groups FOR EACH ROW DELETE FROM badges WHERE user_id = 1")
			report := audittest.Run(t, db, "mysql", audit.Options{})
			require.Equal(t, audit.DuplicatePairs, report.Findings[0].Rule)
			require.Equal(t, tc.removes, report.Findings[0].Fix != nil)
			if !tc.removes {
				require.Contains(t, report.Findings[0].Story, "takes_back")
			}
		})
	}
}

// Triggers are shown to who may make them; of others the statement that removes rows says
// that they are not.
func TestTriggersThatAreNotShown(t *testing.T) {
	for grant, shown := range map[string]bool{"SELECT ON DB.*": false, "SELECT, TRIGGER ON DB.*": true, "SELECT, TRIGGER ON *.*": true, "TRIGGER ON DB.user_groups": true, "TRIGGER ON DB.badges": false} {
		for _, trigger := range []bool{true, false} {
			t.Run(grant, func(t *testing.T) {
				address := dsn(t)
				db := open(t, "mysql", address)
				var database string
				require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
				audittest.Execute(t, db, users, groups, rewards, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
					"CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+")", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)")
				if trigger {
					audittest.Execute(t, db, "CREATE TRIGGER takes_back AFTER DELETE ON user_groups FOR EACH ROW DELETE FROM badges")
				}
				few := asUser(t, db, address, "SELECT ON "+database+".*", strings.ReplaceAll(grant, "DB", database))
				f := audittest.Run(t, few, "mysql", audit.Options{}).Findings[0]
				require.Equal(t, audit.DuplicatePairs, f.Rule)
				if trigger && shown {
					require.Empty(t, f.Fix)
					return
				}
				require.Contains(t, f.Fix[1].SQL, "DELETE")
				require.Equal(t, !shown, strings.Contains(f.Fix[1].Why, "triggers"), f.Fix[1].Why)
			})
		}
	}
}

// What is joined as a number is not any more as a text: then it would point at nothing.
func TestNumberForText(t *testing.T) {
	db := openMariaDB(t)
	audittest.Execute(t, db, "CREATE TABLE users (id varchar(10) PRIMARY KEY)", groups, "INSERT INTO users VALUES ('007'), ('1')", "INSERT INTO `groups` VALUES (1)",
		"CREATE TABLE user_groups ("+bare+", PRIMARY KEY (user_id, group_id))", "INSERT INTO user_groups VALUES (7, 1), (1, 1)")
	o := audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"})
	report := audittest.Run(t, db, "mysql", o)
	require.Equal(t, []string{"key-types-differ user_id", "no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"}, audittest.Rules(report))
	require.Contains(t, report.Findings[0].Story, "7 with 007")
	mend(t, db, report)
	var joined int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM user_groups AS j JOIN users AS e ON e.id = j.user_id").Scan(&joined))
	require.Equal(t, 2, joined)
	require.Equal(t, audittest.Rules(report)[:2], audittest.Rules(audittest.Run(t, db, "mysql", o)))
}

// A MODIFY makes a plain column of a generated one.
func TestGeneratedPair(t *testing.T) {
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
		"CREATE TABLE user_groups (id integer AUTO_INCREMENT PRIMARY KEY, doc json, user_id bigint GENERATED ALWAYS AS (json_value(doc, '$.u')) STORED, group_id integer GENERATED ALWAYS AS (json_value(doc, '$.g')) STORED, UNIQUE (user_id, group_id), KEY (group_id))",
		`INSERT INTO user_groups (doc) VALUES ('{"u": 1, "g": 1}')`)
	report := audittest.Run(t, db, "mysql", audit.Options{})
	require.Subset(t, audittest.Rules(report), []string{"nullable-unique-key user_id,group_id", "key-types-differ user_id"})
	for _, f := range report.Findings {
		if f.Rule == audit.NullableUniqueKey || f.Rule == audit.KeyTypesDiffer {
			require.Empty(t, f.Fix)
			require.Contains(t, f.Story, "user_id is a generated column")
		}
	}
}

// The server changes neither columns nor unique keys of a table that keeps its history, so
// no row is removed for the sake of such a key.
func TestSystemVersioning(t *testing.T) {
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
		"CREATE TABLE user_groups ("+bare+") WITH SYSTEM VERSIONING", "INSERT INTO user_groups VALUES (1, 1), (1, 1), (9, 1)",
		"CREATE TABLE groups_users (user_id bigint NOT NULL, group_id integer, UNIQUE (user_id, group_id)) WITH SYSTEM VERSIONING")
	report := audittest.Run(t, db, "mysql", audit.Options{Tables: []string{"user_groups", "groups_users"}})
	versioned, waits, none := "is WITH SYSTEM VERSIONING", "There can't be one as long as", ""
	for i, want := range [][2]string{
		{"dangling-links user_id", versioned}, {"duplicate-pairs user_id,group_id", versioned}, {"no-unique-key user_id,group_id", "It can't be made before"},
		{"no-foreign-key user_id", waits}, {"no-foreign-key group_id", none}, {"no-reverse-index group_id", none},
		{"key-types-differ user_id", versioned}, {"no-foreign-key user_id", waits}, {"no-foreign-key group_id", none}, {"nullable-unique-key group_id", versioned}, {"no-reverse-index group_id", none},
	} {
		require.Equal(t, want[0], audittest.Rules(report)[i])
		require.Equal(t, want[1] == none && i != 5 && i != 10, report.Findings[i].Fix != nil, want)
		require.Contains(t, report.Findings[i].Story, want[1])
	}
	require.Len(t, report.Findings, 11)
	mend(t, db, report)
}

// A TEXT can't be a foreign key's: the type is mended before.
func TestTextForKey(t *testing.T) {
	db := openMariaDB(t)
	audittest.Execute(t, db, "CREATE TABLE posts (id varchar(50) PRIMARY KEY)", "CREATE TABLE tags (id varchar(50) PRIMARY KEY)", "INSERT INTO posts VALUES ('p1'), ('p2')", "INSERT INTO tags VALUES ('t1')",
		"CREATE TABLE post_tags (post_id text NOT NULL, tag_id text NOT NULL)", "INSERT INTO post_tags VALUES ('p1', 't1'), ('p1', 't1'), ('p2', 't1'), ('p1', 'zz')")
	audittest.RoundTrip(t, db, "mysql", audit.Options{}, []string{"dangling-links tag_id", "key-types-differ post_id", "key-types-differ tag_id",
		"duplicate-pairs post_id,tag_id", "no-unique-key post_id,tag_id", "no-foreign-key post_id", "no-foreign-key tag_id", "no-reverse-index tag_id"}, []int64{1, 4, 4, 1, 4, 4, 4, 4})
}

// A table has one column that numbers its rows. Where that is no key, a number may stand
// twice.
func TestNumberThatIsNoKey(t *testing.T) {
	for name, rows := range map[string]string{"each once": "(1, 1, 1), (2, 1, 1), (3, 2, 1)", "one twice": "(1, 1, 1), (2, 1, 1), (2, 2, 1)"} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1)",
				"CREATE TABLE user_groups (id integer NOT NULL AUTO_INCREMENT, "+pair+", KEY (id))", "INSERT INTO user_groups VALUES "+rows)
			audittest.RoundTrip(t, db, "mysql", audit.Options{}, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, []int64{1, 3})
		})
	}
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
		"CREATE TABLE user_groups (id integer NOT NULL AUTO_INCREMENT, "+pair+", KEY (id))", "INSERT INTO user_groups VALUES (2, 1, 1), (2, 1, 1)")
	for _, s := range audittest.Run(t, db, "mysql", audit.Options{}).Findings[0].Fix {
		audittest.Execute(t, db, s.SQL)
	}
	var left int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM user_groups").Scan(&left))
	require.Equal(t, 2, left, "nothing tells them apart, so none goes")
}

// Two foreign keys on one column have one index.
func TestForeignKeyTwice(t *testing.T) {
	for name, tc := range map[string]struct{ key, want string }{
		"an index that goes with them": {"", "no-unique-key user_id,group_id"},
		"a key that goes":              {", UNIQUE one (user_id), UNIQUE (group_id, user_id)", "copied-unique-key user_id"},
	} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1)",
				"CREATE TABLE user_groups ("+pair+", FOREIGN KEY (user_id) REFERENCES users (id)"+tc.key+")", "INSERT INTO user_groups VALUES (1, 1), (2, 1)")
			audittest.RoundTrip(t, db, "mysql", audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"}), []string{tc.want}, []int64{2})
		})
	}
}

// By some indexes no rows of the other end are found.
func TestIndexesThatAreNotUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		key, engine string
		want        []string
	}{
		"ignored":       {"PRIMARY KEY (user_name, group_name), KEY g (group_name) IGNORED", "MyISAM", []string{"no-reverse-index group_name"}},
		"a unique one":  {"id integer AUTO_INCREMENT PRIMARY KEY, UNIQUE (user_name, group_name) IGNORED, KEY (user_name), KEY (group_name)", "MyISAM", nil},
		"words":         {"PRIMARY KEY (user_name, group_name), FULLTEXT (group_name)", "MyISAM", []string{"no-reverse-index group_name"}},
		"one that does": {"PRIMARY KEY (user_name, group_name), FULLTEXT (group_name), KEY (group_name)", "MyISAM", nil},
		"a hash of two": {"PRIMARY KEY (user_name, group_name), KEY (group_name)", "MEMORY", []string{"no-reverse-index user_name"}},
		"a tree of two": {"PRIMARY KEY (user_name, group_name) USING BTREE, KEY (group_name)", "MEMORY", nil},
	} {
		t.Run(name, func(t *testing.T) {
			db := openMariaDB(t)
			audittest.Execute(t, db, "CREATE TABLE users (name varchar(20) PRIMARY KEY) ENGINE=MyISAM", "CREATE TABLE `groups` (name varchar(20) PRIMARY KEY) ENGINE=MyISAM",
				"CREATE TABLE user_groups (user_name varchar(20) NOT NULL, group_name varchar(20) NOT NULL, "+tc.key+") ENGINE="+tc.engine)
			o := audittest.Given("user_groups", []string{"user_name", "users", "name"}, []string{"group_name", "groups", "name"})
			report := audittest.Run(t, db, "mysql", o)
			require.Equal(t, append([]string{"no-foreign-key user_name", "no-foreign-key group_name"}, tc.want...), audittest.Rules(report))
			mend(t, db, report)
			require.Len(t, audittest.Run(t, db, "mysql", o).Findings, 2)
		})
	}
}

// A unique key on texts of any length is found by all of its columns alone.
func TestHashedKey(t *testing.T) {
	db := openMariaDB(t)
	audittest.Execute(t, db, "CREATE TABLE posts (id varchar(50) PRIMARY KEY)", "CREATE TABLE tags (id varchar(50) PRIMARY KEY)",
		"CREATE TABLE post_tags (post_id text NOT NULL, tag_id text NOT NULL, UNIQUE (post_id, tag_id))")
	o := audittest.Given("post_tags", []string{"post_id", "posts", "id"}, []string{"tag_id", "tags", "id"})
	report := audittest.Run(t, db, "mysql", o)
	require.Contains(t, audittest.Rules(report), "no-reverse-index tag_id")
	mend(t, db, report)
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "mysql", o)))
}

// What is hidden from SELECT * and changes with the row stays so.
func TestInvisibleTime(t *testing.T) {
	db := onMariaDB(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users (id), group_id timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp() INVISIBLE, PRIMARY KEY (user_id, group_id), KEY (group_id))")
	report := audittest.Run(t, db, "mysql", audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"}))
	require.Equal(t, "key-types-differ group_id", audittest.Rules(report)[0])
	audittest.Execute(t, db, report.Findings[0].Undo[0].SQL)
}

// A column may refer to what a view shows: then it refers to no table of a like name.
func TestViewsMariaDB(t *testing.T) {
	db := openMariaDB(t)
	audittest.Execute(t, db, groups, "INSERT INTO `groups` VALUES (1)", "CREATE TABLE old_users (id integer PRIMARY KEY)", "INSERT INTO old_users VALUES (1), (2)",
		"CREATE VIEW users AS SELECT id + 100 AS id FROM old_users", "CREATE TABLE user_groups ("+bare+", PRIMARY KEY (user_id, group_id))", "INSERT INTO user_groups VALUES (1, 1), (2, 1), (102, 1)")
	report := audittest.Run(t, db, "mysql", audit.Options{Tables: []string{"user_groups"}})
	require.Len(t, report.Tables, 1)
	for _, f := range report.Findings {
		require.NotContains(t, f.Story, "old_users")
	}
}
