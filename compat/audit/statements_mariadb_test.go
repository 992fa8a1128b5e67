package audit_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

// The statements of the two servers, which audit's tests write down, do what they should on
// the one that is here, and those of the undo take it back.
func TestWrittenStatements(t *testing.T) {
	const table = "CREATE TABLE user_groups (user_id varchar(20) COLLATE utf8mb4_general_ci, group_id integer NOT NULL, note text COLLATE utf8mb4_general_ci, deleted_at datetime, UNIQUE one (user_id))"
	for _, file := range []string{"mysql.sql", "mariadb.sql"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile("../../audit/testdata/" + file) // #nosec G304 -- one of the two above
			require.NoError(t, err)
			there, back, found := strings.Cut(string(text), "\n-- and back\n")
			require.True(t, found)
			split := func(text string) []string { return strings.Split(strings.TrimSuffix(text, ";\n"), ";\n") }

			db := onMariaDB(t, "INSERT INTO users VALUES (1), (2)", "INSERT INTO `groups` VALUES (0), (1)", "SET @mode = @@sql_mode, SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'", "ALTER TABLE `groups` MODIFY id integer NOT NULL AUTO_INCREMENT", "SET SESSION sql_mode = @mode", table, "INSERT INTO user_groups VALUES ('1', 1, 'a', NULL), ('x', 1, NULL, NULL)")
			before := state(t, db)
			audittest.Execute(t, db, split(there)...)
			require.NotEqual(t, before, state(t, db))
			audittest.Execute(t, db, split(back)...)
			require.Equal(t, before, state(t, db))

			// A row goes if one stays that says the same.
			db = onMariaDB(t, "INSERT INTO users VALUES (1)", table, "ALTER TABLE user_groups DROP INDEX one", "INSERT INTO user_groups VALUES ('1', 1, 'a', NULL), ('1', 1, 'a', NULL), ('1', 1, 'A', NULL)")
			removal, _, _ := strings.Cut(there, "DROP COLUMN `m2msafe_row`")
			audittest.Execute(t, db, split(removal+"DROP COLUMN `m2msafe_row`;\n")...)
			var left string
			require.NoError(t, db.QueryRow("SELECT group_concat(note ORDER BY note COLLATE utf8mb4_bin) FROM user_groups").Scan(&left))
			require.Equal(t, "A,a", left)
		})
	}
}
