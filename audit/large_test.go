package audit

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// Five thousand tables are read by eleven statements, and six around them, and those that
// nothing is wrong with take no more.
func TestFiveThousandTables(t *testing.T) {
	db, err := sql.Open("pgx", pgtest.DSN(t))
	require.NoError(t, err)
	defer db.Close()
	execute := func(statement string) {
		_, err := db.ExecContext(context.Background(), statement)
		require.NoError(t, err)
	}
	execute("CREATE TABLE users (id integer PRIMARY KEY); CREATE TABLE groups (id integer PRIMARY KEY)")
	const tables, batch = 5000, 500 // a transaction has room for so many locks
	defer func() {
		for i := 0; i < tables; i += batch {
			execute(fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE format('DROP TABLE t_%%s', i); END LOOP; END $$`, i, i+batch-1))
		}
	}()
	for i := 0; i < tables; i += batch {
		execute(fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP
			IF i %% 50 = 0 THEN
				EXECUTE format('CREATE TABLE t_%%s (user_id integer NOT NULL REFERENCES users, group_id integer NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id))', i);
				EXECUTE format('CREATE INDEX ON t_%%s (group_id)', i);
			ELSE
				EXECUTE format('CREATE TABLE t_%%s (id integer PRIMARY KEY, user_id integer, name text)', i);
			END IF;
		END LOOP; END $$`, i, i+batch-1))
	}
	execute("ANALYZE") // so that rows are estimated without a look

	ctx := t.Context()
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	s := &session{engine: postgres{}, timeout: time.Minute}
	require.NoError(t, s.engine.begin(ctx, conn, s))
	defer s.end()
	s.number = 0
	begun := time.Now()
	report, err := look(ctx, s, Options{CountUpTo: defaultCount})
	require.NoError(t, err)
	t.Log("5,002 tables took", time.Since(begun))
	require.Len(t, report.Tables, tables/50)
	require.Empty(t, report.Findings)
	require.LessOrEqual(t, s.number, 17+3*tables/50)
}

// What is called within the session can't write, and who has the connection next can.
func TestSession(t *testing.T) {
	ctx := t.Context()
	db, err := sql.Open("pgx", pgtest.DSN(t))
	require.NoError(t, err)
	defer db.Close()
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "CREATE TABLE log (n integer); CREATE FUNCTION writes() RETURNS integer LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING n'")
	require.NoError(t, err)
	s := &session{engine: postgres{}, timeout: time.Minute}
	require.NoError(t, s.engine.begin(ctx, conn, s))
	defer s.end() // again, for else the pool waits if the test fails
	var n int64
	err = s.numbers(ctx, "SELECT writes()", &n)
	var state interface{ SQLState() string }
	require.ErrorAs(t, err, &state)
	require.Equal(t, "25006", state.SQLState(), err) // read_only_sql_transaction
	s.end()
	require.NoError(t, conn.QueryRowContext(ctx, "SELECT writes()").Scan(&n))
}
