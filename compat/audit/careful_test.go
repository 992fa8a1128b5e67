package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

const pair = "user_id integer NOT NULL REFERENCES users (id), group_id integer NOT NULL REFERENCES groups (id)"

// The rows that go were chosen by an earlier statement. Who has unlinked the row that was
// to stay, or written to one of the others, meanwhile, finds what they left.
func TestOthersWriteMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		write string
		left  int
	}{
		"nobody does":                   {"SELECT 1", 2},
		"the row that stays is gone":    {"DELETE FROM user_groups WHERE id = 1", 2},
		"a row is given to another":     {"UPDATE user_groups SET user_id = 2 WHERE id = 2", 3},
		"a row is told something":       {"UPDATE user_groups SET note = 'new' WHERE id = 2", 3},
		"a row that stays goes, softly": {"UPDATE user_groups SET deleted_at = now() WHERE id = 1", 3},
	} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1)",
				"CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+", note varchar(9), deleted_at datetime)",
				"INSERT INTO user_groups VALUES (1, 1, 1, '', NULL), (2, 1, 1, '', NULL), (3, 2, 1, '', NULL)")
			report := audittest.Run(t, db, "mysql", audit.Options{})
			require.Equal(t, audit.DuplicatePairs, report.Findings[0].Rule)
			fix := report.Findings[0].Fix
			audittest.Execute(t, db, fix[0].SQL, tc.write, fix[1].SQL)
			var left, linked int
			require.NoError(t, db.QueryRow("SELECT count(*), count(DISTINCT CASE WHEN deleted_at IS NULL THEN 1 END) FROM user_groups").Scan(&left, &linked))
			require.Equal(t, tc.left, left)
			require.Equal(t, 1, linked)
		})
	}
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL, PRIMARY KEY (user_id, group_id), KEY (group_id))", "INSERT INTO user_groups VALUES (1, 1), (7, 1)")
	report := audittest.Run(t, db, "mysql", audit.Options{})
	fix := report.Findings[0].Fix
	audittest.Execute(t, db, fix[0].SQL, "INSERT INTO users VALUES (7)", fix[1].SQL)
	var left int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM user_groups").Scan(&left))
	require.Equal(t, 2, left, "what it points at has come")
}

// A server that changes what does not fit does not do so in a fix.
func TestValuesThatDoNotFit(t *testing.T) {
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)",
		"CREATE TABLE user_groups (user_id varchar(20) NOT NULL, group_id integer REFERENCES groups (id), UNIQUE (user_id, group_id))",
		"INSERT INTO user_groups VALUES ('1', 1)", "SET SESSION sql_mode = ''")
	report := audittest.Run(t, db, "mysql", audit.Options{Joins: []audit.JoinTable{{Name: "user_groups",
		Ends: [2]audit.End{{Columns: []string{"user_id"}, Table: "users", References: []string{"id"}}, {Columns: []string{"group_id"}, Table: "groups", References: []string{"id"}}}}}})
	audittest.Execute(t, db, "INSERT INTO user_groups VALUES ('x1', NULL)")
	for _, f := range report.Findings {
		if f.Rule == audit.KeyTypesDiffer || f.Rule == audit.NullableUniqueKey {
			last := f.Fix[len(f.Fix)-1].SQL
			_, err := db.Exec(last)
			require.Error(t, err, last)
		}
	}
	require.Subset(t, audittest.Rules(report), []string{"key-types-differ user_id", "nullable-unique-key group_id"})
	var value string
	require.NoError(t, db.QueryRow("SELECT user_id FROM user_groups WHERE group_id IS NULL").Scan(&value))
	require.Equal(t, "x1", value)
}

// Numbers and texts are compared as the database compares them in a join.
func TestKeysOfOtherTypesMariaDB(t *testing.T) {
	for name, tc := range map[string][3]string{
		"a text of a number": {"integer", "varchar(20)", "('01', 1), (' 2', 1), ('x', 1)"},
		"a decimal":          {"integer", "decimal(9,2)", "(1.00, 1), (2, 1), (1.5, 1)"},
		"a key that is one":  {"decimal(9,2)", "bigint", "(1, 1), (2, 1), (3, 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO `groups` VALUES (1)", "CREATE TABLE people (id "+tc[0]+" PRIMARY KEY)", "INSERT INTO people VALUES (1.00), (2.00)",
				"CREATE TABLE group_people (person_id "+tc[1]+" NOT NULL, group_id integer NOT NULL REFERENCES groups (id), PRIMARY KEY (person_id, group_id))", "INSERT INTO group_people VALUES "+tc[2])
			report := audittest.Run(t, db, "mysql", audit.Options{})
			require.Equal(t, "dangling-links person_id", audittest.Rules(report)[0])
			require.EqualValues(t, 1, report.Findings[0].Rows)
		})
	}
}

// A key on the beginning of a column takes two pairs for one.
func TestPrefixes(t *testing.T) {
	db := onMariaDB(t, "CREATE TABLE people (name varchar(40) PRIMARY KEY)", "INSERT INTO people VALUES ('abcd'), ('abce')", "INSERT INTO `groups` VALUES (1)",
		"CREATE TABLE group_people (person_name varchar(40) NOT NULL REFERENCES people (name), group_id integer NOT NULL REFERENCES groups (id), UNIQUE KEY few (person_name(3), group_id))",
		"INSERT INTO group_people VALUES ('abcd', 1)")
	report := audittest.Run(t, db, "mysql", audit.Options{})
	require.Equal(t, []string{"expression-unique-key person_name,group_id"}, audittest.Rules(report))
	require.Contains(t, report.Findings[0].Story, "few takes two pairs for one")
	audittest.RoundTrip(t, db, "mysql", audit.Options{}, audittest.Rules(report), []int64{1})
	for _, s := range report.Findings[0].Fix {
		audittest.Execute(t, db, s.SQL)
	}
	audittest.Execute(t, db, "INSERT INTO group_people VALUES ('abce', 1)")
}

// Tables of other databases are not read, and their rows are lost all the same.
func TestReferencesFromElsewhereMariaDB(t *testing.T) {
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", "CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+")", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)")
	var name string
	require.NoError(t, db.QueryRow("SELECT database()").Scan(&name))
	audittest.Execute(t, db, "CREATE DATABASE "+name+"_other", "CREATE TABLE "+name+"_other.seats (link_id integer, FOREIGN KEY (link_id) REFERENCES "+name+".user_groups (id) ON DELETE CASCADE)")
	report := audittest.Run(t, db, "mysql", audit.Options{})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[0].Fix)
	require.Contains(t, report.Findings[0].Story, "Rows of "+name+"_other.seats refer to this table's ON DELETE CASCADE")
}

// Foreign keys are seen by who may only read.
func TestReaderMariaDB(t *testing.T) {
	address := dsn(t)
	db := open(t, "mysql", address)
	var database string
	require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
	audittest.Execute(t, db, users, groups, "CREATE TABLE user_groups ("+pair+", PRIMARY KEY (user_id, group_id))", "CREATE USER reader_"+database+"@'127.0.0.1' IDENTIFIED BY 'hush'", "GRANT SELECT ON "+database+".* TO reader_"+database+"@'127.0.0.1'")
	reader := open(t, "mysql", "reader_"+database+":hush"+address[strings.Index(address, "@tcp"):])
	report := audittest.Run(t, reader, "mysql", audit.Options{})
	require.Len(t, report.Tables, 1)
	require.Empty(t, audittest.Rules(report))
	require.Empty(t, report.Unseen)
}

// A unique key of a partitioned table has the columns in it that the partitions go by.
func TestPartitionsMariaDB(t *testing.T) {
	const table = "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL, joined date NOT NULL, KEY (user_id), KEY (group_id))"
	rows := "INSERT INTO user_groups VALUES (1, 1, '2024-01-01'), (1, 1, '2024-01-01')"
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", table+" PARTITION BY HASH (to_days(joined)) PARTITIONS 2", rows)
	report := audittest.Run(t, db, "mysql", audit.Options{})
	require.Equal(t, []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[1].Fix)
	require.Contains(t, report.Findings[1].Story, "partitioned by columns that are not the pair's")

	db = onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", table+" PARTITION BY KEY (group_id) PARTITIONS 2", rows)
	report = audittest.Run(t, db, "mysql", audit.Options{})
	for _, f := range report.Findings[:2] {
		for _, s := range f.Fix {
			audittest.Execute(t, db, s.SQL)
		}
	}
	require.Equal(t, []string{"no-foreign-key user_id", "no-foreign-key group_id"}, audittest.Rules(audittest.Run(t, db, "mysql", audit.Options{})))
}

// The column that tells rows apart goes, also where a fix that failed has left it.
func TestColumnThatWasLeft(t *testing.T) {
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", "CREATE TABLE user_groups ("+pair+")", "INSERT INTO user_groups VALUES (1, 1), (1, 1)")
	report := audittest.Run(t, db, "mysql", audit.Options{})
	audittest.Execute(t, db, report.Findings[0].Fix[0].SQL, "INSERT INTO user_groups VALUES (1, 1)")
	report = audittest.Run(t, db, "mysql", audit.Options{})
	for _, f := range report.Findings {
		for _, s := range f.Fix {
			audittest.Execute(t, db, s.SQL)
		}
	}
	require.Empty(t, audittest.Rules(audittest.Run(t, db, "mysql", audit.Options{})))
	rows, err := db.Query("SELECT * FROM user_groups")
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	require.Equal(t, []string{"user_id", "group_id"}, columns)
}
