package audit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

func onSQLite(t *testing.T, statements ...string) *sql.DB {
	db := openSQLite(t)
	audittest.Execute(t, db, append([]string{users, groups, "INSERT INTO users VALUES (1), (2)", "INSERT INTO groups VALUES (1), (2)"}, statements...)...)
	return db
}

// What a table is made of stays, whatever its statement looks like, and with it what
// hangs on it.
func TestTablesMadeAnew(t *testing.T) {
	cases := map[string]struct {
		made []string
		want []string
		rows []int64
		left []string
		opts audit.Options
	}{
		"comments and odd layout": {
			made: []string{"CREATE TABLE user_groups -- (the table\n(/* a, b */ user_id integer not\n null -- who, (when\n, \"group_id\"integer NOT NULL, [role, x] text DEFAULT 'a, (b' CHECK ([role, x] <> ')') -- end\n)"},
			want: []string{"no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"}, rows: []int64{0, 0, 0, 0},
		},
		"NULL in a primary key": {
			made: []string{"CREATE TABLE user_groups (user_id integer REFERENCES users, group_id integer REFERENCES groups, PRIMARY KEY (user_id, group_id))", "CREATE INDEX g ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES (1, 1), (NULL, 1), (NULL, 1)"},
			want: []string{"nullable-unique-key user_id,group_id"}, rows: []int64{2}, left: []string{"nullable-unique-key user_id,group_id"},
		},
		"views, triggers and what refers to it": {
			made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL, group_id integer NOT NULL, UNIQUE (user_id, group_id))", "CREATE INDEX g ON user_groups (group_id)",
				"CREATE VIEW seen AS SELECT user_id FROM user_groups", "CREATE TABLE log (n integer)", "CREATE TRIGGER logs AFTER INSERT ON user_groups BEGIN INSERT INTO log VALUES (new.id); END",
				"CREATE TRIGGER other AFTER INSERT ON log BEGIN UPDATE user_groups SET id = id; END",
				"CREATE TABLE seats (link_id integer REFERENCES user_groups (id) ON DELETE CASCADE)",
				"INSERT INTO user_groups VALUES (7, 1, 1), (9, 2, 2)", "DELETE FROM user_groups WHERE id = 9", "INSERT INTO seats VALUES (7)"},
			want: []string{"no-foreign-key user_id", "no-foreign-key group_id"}, rows: []int64{1, 1},
		},
		"WITHOUT ROWID": {
			made: []string{"CREATE TABLE user_groups (user_id integer, group_id integer, PRIMARY KEY (user_id, group_id)) WITHOUT ROWID", "CREATE INDEX g ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES (1, 1), (9, 1)"},
			want: []string{"dangling-links user_id", "no-foreign-key user_id", "no-foreign-key group_id"}, rows: []int64{1, 2, 2},
		},
		"STRICT, and generated columns": {
			made: []string{"CREATE TABLE user_groups (user_id TEXT NOT NULL, group_id INTEGER NOT NULL REFERENCES groups, twice INTEGER AS (group_id * 2), PRIMARY KEY (user_id, group_id)) STRICT", "CREATE INDEX g ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES ('1', 1)"},
			want: []string{"key-types-differ user_id", "no-foreign-key user_id"}, rows: []int64{1, 1},
		},
		"columns that are called like the row's number": {
			made: []string{"CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, rowid text, _rowid_ text)", "CREATE INDEX g ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES (1, 1, 'a', 'b'), (1, 1, 'a', 'b')"},
			want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, rows: []int64{1, 2},
		},
		"a key in a column's definition": {
			made: []string{"CREATE TABLE user_groups (user_id integer NOT NULL CONSTRAINT lone UNIQUE ON CONFLICT IGNORE REFERENCES users, group_id integer UNIQUE NOT NULL REFERENCES groups)",
				"INSERT INTO user_groups VALUES (1, 1)"},
			opts: audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"}),
			want: []string{"copied-unique-key user_id", "copied-unique-key group_id"}, rows: []int64{1, 1},
		},
		"rows that its own constraint would leave out": {
			made: []string{"CREATE TABLE user_groups (user_id TEXT NOT NULL, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id) ON CONFLICT IGNORE)", "CREATE INDEX g ON user_groups (group_id)",
				"INSERT INTO user_groups VALUES ('1', 1)"},
			want: []string{"key-types-differ user_id", "no-foreign-key user_id"}, rows: []int64{1, 1},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			db := onSQLite(t, tc.made...)
			before := schema(t, db)
			if tc.opts.Joins == nil {
				tc.opts.Tables = []string{"user_groups"}
			}
			audittest.RoundTrip(t, db, "sqlite", tc.opts, tc.want, tc.rows, tc.left...)
			require.Equal(t, before, schema(t, db))
			var enforced bool
			require.NoError(t, db.QueryRow("PRAGMA foreign_keys").Scan(&enforced))
			require.True(t, enforced, "as the audit found it")
		})
	}
}

// schema is what there is, by kind and name, and how far numbers have come.
func schema(t *testing.T, db *sql.DB) (all []string) {
	rows, err := db.Query("SELECT type || ' ' || name || ' ' || tbl_name FROM sqlite_master ORDER BY 1")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	require.NoError(t, rows.Err())
	var seats, log int
	if db.QueryRow("SELECT count(*) FROM seats").Scan(&seats) == nil && db.QueryRow("SELECT max(seq) FROM sqlite_sequence WHERE name = 'user_groups'").Scan(&log) == nil {
		all = append(all, fmt.Sprint(seats, log))
	}
	return all
}

// A table that is made anew has all rows, or is not made: its own constraint would leave
// out one of two that are the same by the new type.
func TestRowsThatWouldBeLeftOut(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE user_groups (user_id TEXT NOT NULL, group_id integer NOT NULL REFERENCES groups, UNIQUE (user_id, group_id) ON CONFLICT IGNORE)", "CREATE INDEX g ON user_groups (group_id)",
		"INSERT INTO user_groups VALUES ('1', 1), ('01', 1)")
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	require.Equal(t, "key-types-differ user_id", audittest.Rules(report)[0])
	for _, s := range report.Findings[0].Fix {
		_, err := db.Exec(s.SQL)
		if strings.HasPrefix(s.SQL, "INSERT OR ROLLBACK INTO \"user_groups\"") {
			require.ErrorContains(t, err, "UNIQUE constraint failed")
			return
		}
		require.NoError(t, err)
	}
	t.Fatal("no rows were copied")
}

func TestKeyThatHasToStay(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE user_groups (user_id integer, group_id integer REFERENCES groups, deleted_at datetime, PRIMARY KEY (user_id, group_id)) WITHOUT ROWID", "CREATE INDEX g ON user_groups (group_id)")
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	require.Equal(t, []string{"no-foreign-key user_id", "soft-delete-full-key user_id,group_id"}, audittest.Rules(report))
	require.Empty(t, report.Findings[1].Fix)
	require.Contains(t, report.Findings[1].Story, "WITHOUT ROWID")

	known := audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"})
	for _, key := range []string{"integer PRIMARY KEY AUTOINCREMENT", "integer NOT NULL PRIMARY KEY DESC"} {
		db = onSQLite(t, "CREATE TABLE user_groups (user_id "+key+" REFERENCES users, group_id integer NOT NULL REFERENCES groups)", "CREATE INDEX g ON user_groups (group_id)")
		report = audittest.Run(t, db, "sqlite", known)
		require.Equal(t, []string{"copied-unique-key user_id"}, audittest.Rules(report))
		require.Empty(t, report.Findings[0].Fix)
		require.Contains(t, report.Findings[0].Story, "by hand")
	}

	// Of two keys on one column the primary one stays.
	db = onSQLite(t, "CREATE TABLE user_groups (user_id integer NOT NULL PRIMARY KEY UNIQUE REFERENCES users, group_id integer NOT NULL REFERENCES groups)", "CREATE INDEX g ON user_groups (group_id)")
	report = audittest.Run(t, db, "sqlite", known)
	require.Equal(t, []string{"copied-unique-key user_id", "copied-unique-key user_id"}, audittest.Rules(report))
	for _, f := range report.Findings {
		for _, s := range f.Fix {
			audittest.Execute(t, db, s.SQL)
		}
	}
	require.Equal(t, []string{"copied-unique-key user_id"}, audittest.Rules(audittest.Run(t, db, "sqlite", known)))
	var key int
	require.NoError(t, db.QueryRow("SELECT pk FROM pragma_table_info('user_groups') WHERE name = 'user_id'").Scan(&key))
	require.Equal(t, 1, key)
}

// connector keeps the connection that it has made last, for what a pool does not let a test
// do: run a statement while the audit has it.
type connector struct {
	driver driver.Driver
	dsn    string
	conn   driver.Conn
}

func (c *connector) Connect(context.Context) (_ driver.Conn, err error) {
	c.conn, err = c.driver.Open(c.dsn)
	return c.conn, err
}

func (c *connector) Driver() driver.Driver { return c.driver }

// The audit only reads, keeps no other from writing, and leaves the connection as it was.
func TestSessionSQLite(t *testing.T) {
	for name, options := range map[string]string{"sqlite3": "?_txlock=immediate&_journal_mode=WAL", "sqlite": "?_txlock=immediate&_pragma=journal_mode(WAL)"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			c := &connector{driver: open(t, name, path).Driver(), dsn: path + options}
			db := sql.OpenDB(c)
			defer db.Close()
			db.SetMaxOpenConns(1)
			other := open(t, "sqlite3", path+"?_busy_timeout=1")
			audittest.Execute(t, db, users, groups, "CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)")
			var tried error
			report := audittest.Run(t, db, "sqlite", audit.Options{Progress: func(_, _ int, now string) {
				if now == "user_groups" {
					audittest.Execute(t, other, "INSERT INTO users VALUES (1)")
					_, tried = c.conn.(driver.ExecerContext).ExecContext(t.Context(), "INSERT INTO users VALUES (2)", nil)
				}
			}})
			require.ErrorContains(t, tried, "attempt to write a readonly database")
			require.Equal(t, []string{"no-unique-key user_id,group_id", "no-reverse-index group_id"}, audittest.Rules(report))
			audittest.Execute(t, db, "INSERT INTO users VALUES (NULL)")

			read := open(t, name, "file:"+path+"?mode=ro")
			require.Len(t, audittest.Run(t, read, "sqlite", audit.Options{}).Findings, 2)
			audittest.Execute(t, read, "PRAGMA query_only = 1")
			audittest.Run(t, read, "sqlite", audit.Options{})
			var only int
			require.NoError(t, read.QueryRow("PRAGMA query_only").Scan(&only))
			require.Equal(t, 1, only)
		})
	}
}

func TestTimeoutSQLite(t *testing.T) {
	db := onSQLite(t, "CREATE TABLE large (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)",
		"PRAGMA foreign_keys = 0", "INSERT INTO large WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i, i FROM n",
		"CREATE TABLE user_groups (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups)")
	report := audittest.Run(t, db, "sqlite", audit.Options{Timeout: 100 * time.Millisecond})
	require.Equal(t, []audit.Unseen{{Table: "large", Reason: "counting took longer than 100ms"}}, report.Unseen)
	require.Contains(t, audittest.Rules(report), "no-unique-key user_id,group_id")
	audittest.Execute(t, db, "INSERT INTO users VALUES (3)")
}

func TestFiveThousandTablesSQLite(t *testing.T) {
	db := onSQLite(t, "BEGIN")
	const tables = 5000
	for i := range tables {
		if i%50 == 0 {
			audittest.Execute(t, db, fmt.Sprintf("CREATE TABLE t_%d (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))", i), fmt.Sprintf("CREATE INDEX i_%d ON t_%d (group_id)", i, i))
		} else {
			audittest.Execute(t, db, fmt.Sprintf("CREATE TABLE t_%d (id integer PRIMARY KEY, user_id integer, name text)", i))
		}
	}
	audittest.Execute(t, db, "COMMIT")
	begun := time.Now()
	report := audittest.Run(t, db, "sqlite", audit.Options{})
	t.Log("5,002 tables took", time.Since(begun))
	require.Len(t, report.Tables, tables/50)
	require.Empty(t, report.Findings)
}
