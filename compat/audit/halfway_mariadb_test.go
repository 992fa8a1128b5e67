package audit_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/audittest"
)

var counter = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// state is what a database has in its tables, and how they are made, but for the order of
// keys.
func state(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	rows := func(query string) (found [][]any) {
		rows, err := db.QueryContext(t.Context(), query)
		require.NoError(t, err, query)
		defer rows.Close()
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(t, rows.Scan(into...))
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					values[i] = string(b)
				}
			}
			found = append(found, values)
		}
		require.NoError(t, rows.Err())
		return found
	}
	for _, table := range rows("SHOW TABLES") {
		name := fmt.Sprintf("`%s`", table[0])
		definition := counter.ReplaceAllString(rows("SHOW CREATE TABLE " + name)[0][1].(string), "")
		lines := strings.Split(strings.ReplaceAll(definition, ",\n", "\n"), "\n")
		slices.Sort(lines)
		all = append(all, lines...)
		var stored []string
		for _, row := range rows("SELECT * FROM " + name) {
			stored = append(stored, fmt.Sprint(name, row))
		}
		slices.Sort(stored)
		all = append(all, stored...)
	}
	return all
}

// Whatever a fix has come to when it stops, all of its undo brings back what was there.
func TestUndoOfHalfAFix(t *testing.T) {
	for name, made := range map[string][]string{
		"no key": {"CREATE TABLE user_groups (" + bare + ", note varchar(9))",
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 1, NULL), (1, 1, NULL), (2, 1, 'a'), (2, 9, 'b'), (2, 9, 'b'), (8, 1, NULL)"},
		"a key": {"CREATE TABLE user_groups (id integer AUTO_INCREMENT PRIMARY KEY, " + bare + ", KEY u (user_id), KEY g (group_id))",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 2, 99), (5, 98, 1)"},
		"foreign keys": {"CREATE TABLE user_groups (id integer AUTO_INCREMENT PRIMARY KEY, user_id integer REFERENCES users (id), group_id bigint)",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (3, 2, NULL), (4, NULL, 1)"},
		"links to nothing under foreign keys": {"CREATE TABLE user_groups (" + pair + ", PRIMARY KEY (user_id, group_id))", "SET foreign_key_checks = 0",
			"INSERT INTO user_groups VALUES (1, 1), (7, 1)", "SET foreign_key_checks = 1"},
		"a key that permits NULL": {"CREATE TABLE user_groups (user_id varchar(20), group_id integer NOT NULL, UNIQUE (user_id, group_id))",
			"INSERT INTO user_groups VALUES ('1', 1), (NULL, 1), ('x', 1)"},
		"a full key": {"CREATE TABLE user_groups (" + pair + ", deleted_at datetime, PRIMARY KEY (user_id, group_id))",
			"INSERT INTO user_groups VALUES (1, 1, NULL), (2, 1, now())"},
		"no living key": {"CREATE TABLE user_groups (user_id varchar(20) NOT NULL, group_id integer NOT NULL, deleted_at datetime)",
			"INSERT INTO user_groups VALUES ('1', 1, NULL), ('1', 1, NULL), ('1', 1, now()), ('2', 1, now()), ('x', 1, NULL)"},
		"a copied key": {"CREATE TABLE user_groups (id integer PRIMARY KEY, " + pair + ", UNIQUE one (user_id))", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 2, 1)"},
		"a number that is no key": {"CREATE TABLE user_groups (id integer NOT NULL AUTO_INCREMENT, " + pair + ", KEY (id))",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1), (2, 2, 1)"},
		"a number that means the next one": {"CREATE TABLE user_groups (id integer AUTO_INCREMENT PRIMARY KEY, " + bare + ", KEY u (user_id), KEY g (group_id))", "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
			"INSERT INTO user_groups VALUES (-1, 1, 1), (0, 1, 1), (7, 2, 1)", "SET SESSION sql_mode = ''"},
	} {
		t.Run(name, func(t *testing.T) {
			o := audittest.Given("user_groups", []string{"user_id", "users", "id"}, []string{"group_id", "groups", "id"})
			all := 1
			for stop := 0; stop <= all; stop++ {
				db := onMariaDB(t, append([]string{"INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1), (2)"}, made...)...)
				before := state(t, db)
				report := audittest.Run(t, db, "mysql", o)
				var fix, undo []audit.Statement
				for _, f := range report.Findings {
					fix, undo = append(fix, f.Fix...), slices.Concat(f.Undo, undo)
				}
				all = len(fix)
				require.NotZero(t, all)
				for _, s := range fix[:stop] {
					audittest.Execute(t, db, s.SQL)
				}
				for _, s := range undo {
					_, err := db.ExecContext(t.Context(), s.SQL)
					require.NoError(t, err, "after %d of %d: %s", stop, all, s.SQL)
				}
				require.Equal(t, before, state(t, db), "after %d of %d", stop, all)
				require.NoError(t, db.Close())
			}
		})
	}
}

// A fix that has stopped, and one after it that has not, are taken back one after the other.
// Rows that an older fix has removed are none that this one has left, though they have the
// same numbers.
func TestUndoOfTwoFixes(t *testing.T) {
	for stop := range 6 {
		db := onMariaDB(t, "INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (1), (2)", "CREATE TABLE user_groups ("+pair+")",
			"INSERT INTO user_groups VALUES (1, 1), (1, 1), (2, 1), (2, 2), (2, 2)")
		before := state(t, db)
		var undo []audit.Statement
		fix := func(stop int) {
			for _, f := range audittest.Run(t, db, "mysql", audit.Options{}).Findings {
				for i, s := range f.Fix {
					if f.Rule != audit.DuplicatePairs && stop >= 0 || i == stop {
						break
					}
					audittest.Execute(t, db, s.SQL)
				}
				undo = slices.Concat(f.Undo, undo)
			}
		}
		back := func() {
			for _, s := range undo {
				audittest.Execute(t, db, s.SQL)
			}
			undo = nil
		}
		fix(stop)
		fix(-1)
		require.Empty(t, audittest.Rules(audittest.Run(t, db, "mysql", audit.Options{})))
		back()
		require.Equal(t, before, state(t, db), "after %d", stop)

		if stop == 2 {
			fix(5)
			time.Sleep(1100 * time.Millisecond) // the server says in which second a table was made
			audittest.Execute(t, db, "DELETE FROM user_groups", "INSERT INTO user_groups VALUES (1, 1), (1, 1), (2, 1), (2, 2), (2, 2)")
			fix(stop)
			fix(-1)
			back()
			var rows int
			require.NoError(t, db.QueryRow("SELECT count(*) FROM user_groups").Scan(&rows))
			require.Equal(t, 5+2, rows, "what the first has removed is there too")
		}
		require.NoError(t, db.Close())
	}
}

// Of rows that somebody has written to between the two steps of a removal, and which stay,
// nothing is put back.
func TestUndoAfterOthersWrote(t *testing.T) {
	db := onMariaDB(t, "INSERT INTO users VALUES (1)", "INSERT INTO `groups` VALUES (1)", "CREATE TABLE user_groups (id integer PRIMARY KEY, "+pair+", note varchar(9))",
		"INSERT INTO user_groups VALUES (1, 1, 1, ''), (2, 1, 1, ''), (3, 1, 1, '')")
	f := audittest.Run(t, db, "mysql", audit.Options{}).Findings[0]
	require.Equal(t, audit.DuplicatePairs, f.Rule)
	audittest.Execute(t, db, f.Fix[0].SQL, "UPDATE user_groups SET note = 'new' WHERE id = 2")
	for _, s := range slices.Concat(f.Fix[1:], f.Undo) {
		audittest.Execute(t, db, s.SQL)
	}
	var notes string
	require.NoError(t, db.QueryRow("SELECT group_concat(id, note ORDER BY id) FROM user_groups").Scan(&notes))
	require.Equal(t, "1,2new,3", notes)
}

// keyOf is the key by which a statement finds the rows of a table, "" if it reads them all.
func keyOf(t *testing.T, db *sql.DB, statement, table string) string {
	rows, err := db.QueryContext(t.Context(), "EXPLAIN "+statement)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name, key, other sql.NullString
		require.NoError(t, rows.Scan(&other, &other, &name, &other, &other, &key, &other, &other, &other, &other))
		if name.String == table {
			return key.String
		}
	}
	require.Fail(t, "no such table", table)
	return ""
}

// Rows that are too many are found by keys: the server reads each a few times.
func TestManyDuplicates(t *testing.T) {
	const rows, spare = 30_000, 10_000
	for name, tc := range map[string]struct{ key, note string }{
		"a key":                {"id integer AUTO_INCREMENT PRIMARY KEY, ", ""},
		"no key":               {"", ""},
		"a key that is a text": {"id char(36) NOT NULL DEFAULT uuid() PRIMARY KEY, ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			db := onMariaDB(t, "INSERT INTO users SELECT seq FROM seq_1_to_20000", "INSERT INTO `groups` SELECT seq FROM seq_1_to_100", "CREATE TABLE user_groups ("+tc.key+bare+")",
				"INSERT INTO user_groups (user_id, group_id) SELECT seq, 1 + seq % 100 FROM seq_1_to_20000", "INSERT INTO user_groups (user_id, group_id) SELECT seq, 1 + seq % 100 FROM seq_1_to_10000")
			f := audittest.Run(t, db, "mysql", audit.Options{}).Findings[0]
			require.Equal(t, audit.DuplicatePairs, f.Rule)
			audittest.Execute(t, db, "SET SESSION max_statement_time = 60", "FLUSH STATUS")
			for _, s := range f.Fix {
				if strings.HasPrefix(s.SQL, "DELETE j ") { // what is compared in memory is no read
					require.NotEmpty(t, keyOf(t, db, s.SQL, "g"))
				}
				audittest.Execute(t, db, s.SQL)
			}
			var read int
			require.NoError(t, db.QueryRow("SELECT sum(variable_value) FROM information_schema.session_status WHERE variable_name LIKE 'handler_read%'").Scan(&read))
			t.Log("reads:", read)
			require.Less(t, read, 20*rows)
			var left int
			require.NoError(t, db.QueryRow("SELECT count(*) FROM user_groups").Scan(&left))
			require.Equal(t, rows-spare, left)
		})
	}
}
