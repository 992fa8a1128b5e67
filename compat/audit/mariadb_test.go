package audit_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

const (
	users  = "CREATE TABLE users (id integer PRIMARY KEY)"
	groups = "CREATE TABLE groups (id integer PRIMARY KEY)"
)

func onMariaDB(t *testing.T, statements ...string) *sql.DB {
	db := openMariaDB(t)
	audittest.Execute(t, db, append([]string{users, groups}, statements...)...)
	return db
}

// Tables of MyISAM have no foreign keys: that is said, and no SQL given that does nothing.
func TestMyISAM(t *testing.T) {
	db := onMariaDB(t, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users (id), group_id integer NOT NULL, PRIMARY KEY (user_id, group_id), KEY (group_id)) ENGINE=MyISAM",
		"CREATE TABLE teams (id integer PRIMARY KEY) ENGINE=Aria", "CREATE TABLE user_teams (user_id integer NOT NULL REFERENCES users (id), team_id integer NOT NULL, PRIMARY KEY (user_id, team_id), KEY (team_id))")
	report := audittest.Run(t, db, "mysql", audit.Options{})
	require.Equal(t, []string{"no-foreign-key user_id", "no-foreign-key group_id", "no-foreign-key team_id"}, audittest.Rules(report))
	for _, f := range report.Findings {
		require.Empty(t, f.Fix)
		require.Contains(t, f.Story, "have no foreign keys: make it InnoDB first")
	}
}

// What a column has besides its type stays when the type is changed.
func TestDefinitionsAreKept(t *testing.T) {
	const definition = "`user_id` varchar(20) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'it''s \\\\ 7' COMMENT 'who''s \\\\ it' CHECK (`user_id` <> '7')"
	db := onMariaDB(t, "CREATE TABLE user_groups ("+definition+", `group_id` integer NOT NULL DEFAULT 3 REFERENCES groups (id), at timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), UNIQUE (user_id, group_id), KEY (group_id))",
		"INSERT INTO users VALUES (1), (2)", "INSERT INTO groups VALUES (1)", "INSERT INTO user_groups VALUES ('1', 1, now()), ('2', 1, now())")
	shown := func() string {
		var name, text string
		require.NoError(t, db.QueryRow("SHOW CREATE TABLE user_groups").Scan(&name, &text))
		return text
	}
	before := shown()
	audittest.RoundTrip(t, db, "mysql", audit.Options{Tables: []string{"user_groups"}},
		[]string{"key-types-differ user_id", "no-foreign-key user_id", "nullable-unique-key user_id"}, []int64{2, 2, 0})
	require.Equal(t, before, shown())
}

func TestPrivilegesMariaDB(t *testing.T) {
	dsn := dsn(t)
	db := open(t, "mysql", dsn)
	audittest.Execute(t, db, users, groups, "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL)",
		"CREATE TABLE users_groups (user_id integer NOT NULL, group_id integer NOT NULL)")
	var database string
	require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
	user := "only_" + database
	audittest.Execute(t, db, "CREATE USER "+user+"@'127.0.0.1' IDENTIFIED BY 'hush'", "GRANT INSERT ON "+database+".user_groups TO "+user+"@'127.0.0.1'",
		"GRANT SELECT ON "+database+".users TO "+user+"@'127.0.0.1'", "GRANT SELECT ON "+database+".groups TO "+user+"@'127.0.0.1'")
	at := strings.Index(dsn, "@tcp")
	only := open(t, "mysql", user+":hush"+dsn[at:])
	report := audittest.Run(t, only, "mysql", audit.Options{})
	require.Equal(t, []audit.Unseen{{Table: "user_groups", Reason: "no privilege to read its rows"}}, report.Unseen)
	require.Equal(t, []string{"no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"}, audittest.Rules(report),
		"what the catalogue says; of users_groups it says nothing")
	report = audittest.Run(t, only, "mysql", audit.Options{Tables: []string{"users_groups"}})
	require.Equal(t, []audit.Unseen{{Table: "users_groups", Reason: "there is no such table, or no privilege on it"}}, report.Unseen)

	none := open(t, "mysql", server.DSN(""))
	_, err := audit.Run(t.Context(), none, "mysql", audit.Options{})
	require.ErrorContains(t, err, "no database is chosen")
	_, err = audit.Run(t.Context(), open(t, "mysql", user+":wrong"+dsn[at:]), "mysql", audit.Options{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "wrong")
}

// The transaction only reads, a statement ends after its time, and the connection is left
// as it was.
func TestSessionMariaDB(t *testing.T) {
	db := onMariaDB(t, "CREATE TABLE user_groups (user_id integer NOT NULL, group_id integer NOT NULL)",
		"CREATE TABLE large (user_id integer NOT NULL, group_id integer NOT NULL)", "INSERT INTO large SELECT a.seq, b.seq FROM seq_1_to_3000 a, seq_1_to_300 b")
	other, err := sql.Open("mysql", server.DSN(""))
	require.NoError(t, err)
	defer other.Close()
	var only int
	variables := func() (timeout, cache string) {
		require.NoError(t, db.QueryRow("SELECT @@SESSION.max_statement_time, regexp_substr(@@SESSION.optimizer_switch, 'subquery_cache=[a-z]+')").Scan(&timeout, &cache))
		return timeout, cache
	}
	audittest.Execute(t, db, "SET SESSION max_statement_time = 123.5")
	report := audittest.Run(t, db, "mysql", audit.Options{Tables: []string{"large", "user_groups"}, CountUpTo: 1e9, Timeout: 20 * time.Millisecond, Progress: func(_, _ int, table string) {
		if table == "user_groups" {
			require.NoError(t, other.QueryRow("SELECT count(*) FROM information_schema.innodb_trx WHERE trx_is_read_only = 1").Scan(&only))
		}
	}})
	require.Equal(t, 1, only)
	require.Equal(t, []audit.Unseen{{Table: "large", Reason: "counting took longer than 20ms"}}, report.Unseen)
	require.Contains(t, audittest.Rules(report), "no-unique-key user_id,group_id", "the other one is looked at")
	timeout, cache := variables()
	require.Equal(t, "123.5 subquery_cache=on", timeout+" "+cache)
	audittest.Execute(t, db, "INSERT INTO user_groups VALUES (1, 1)")
}

// 5,000 tables are read by five statements.
func TestFiveThousandTablesMariaDB(t *testing.T) {
	db := onMariaDB(t)
	const tables = 5000
	for i := range tables {
		if i%50 == 0 {
			audittest.Execute(t, db, fmt.Sprintf("CREATE TABLE t_%d (user_id integer NOT NULL REFERENCES users (id), group_id integer NOT NULL REFERENCES groups (id), PRIMARY KEY (user_id, group_id))", i))
		} else {
			audittest.Execute(t, db, fmt.Sprintf("CREATE TABLE t_%d (id integer PRIMARY KEY, user_id integer, name text) ENGINE=Aria TRANSACTIONAL=0", i))
		}
	}
	begun := time.Now()
	report := audittest.Run(t, db, "mysql", audit.Options{})
	t.Log("5,002 tables took", time.Since(begun))
	require.Len(t, report.Tables, tables/50)
	require.Empty(t, report.Findings)

	// Other tests' audits would open them all, to see what they refer to.
	var database string
	require.NoError(t, db.QueryRow("SELECT database()").Scan(&database))
	audittest.Execute(t, db, "DROP DATABASE "+database)
}
