package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func connect(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := open(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func schemaExists(t *testing.T, schema string) bool {
	t.Helper()
	var exists bool
	require.NoError(t, Admin(t).QueryRow(
		"SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", schema).Scan(&exists))
	return exists
}

func TestEveryTestHasItsSchema(t *testing.T) {
	var schemas []string
	for i := range 2 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			db := connect(t, DSN(t))
			var schema, name string
			require.NoError(t, db.QueryRow("SELECT current_schema, current_setting('application_name')").Scan(&schema, &name))
			require.Regexp(t, regexp.MustCompile(`^t_[0-9a-f]{16}$`), schema)
			require.Equal(t, schema, name)
			require.NotContains(t, schemas, schema)
			schemas = append(schemas, schema)

			// The same name in both: the second would fail in a shared schema.
			_, err := db.Exec("CREATE TABLE things AS SELECT 1 AS id")
			require.NoError(t, err)
		})
	}
	for _, schema := range schemas {
		require.False(t, schemaExists(t, schema), "%s is still there", schema)
	}
}

func TestTwoSchemasAtOnceDoNotMeet(t *testing.T) {
	a, b := connect(t, DSN(t)), connect(t, DSN(t))
	_, err := a.Exec("CREATE TABLE things (id int)")
	require.NoError(t, err)
	_, err = b.Exec("SELECT * FROM things")
	require.ErrorContains(t, err, "does not exist")
}

func TestKindAndAdmin(t *testing.T) {
	require.Same(t, Admin(t), Admin(t))
	require.Contains(t, []string{"dsn", "docker", "cluster"}, ServerKind())
}

func TestNobodyToStopTheServer(t *testing.T) {
	var s shared
	require.ErrorContains(t, s.start(), "TestMain must call pgtest.Run")
	require.Nil(t, s.server)
	require.NoError(t, s.stop())
}

// recorder is a test whose failure is the expected outcome.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (r *recorder) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(f string, a ...any) { r.errors = append(r.errors, fmt.Sprintf(f, a...)) }
func (r *recorder) finish() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestLeftBehind(t *testing.T) {
	exec := func(t *testing.T, c *sql.Conn, statements ...string) {
		t.Helper()
		for _, s := range statements {
			_, err := c.ExecContext(t.Context(), s)
			require.NoError(t, err, s)
		}
	}
	cases := map[string]struct {
		leave func(t *testing.T, c *sql.Conn)
		want  []string // one of each finding, in order
	}{
		"nothing": {leave: func(t *testing.T, c *sql.Conn) { require.NoError(t, c.Close()) }},
		"an idle session is no finding": {leave: func(t *testing.T, c *sql.Conn) {
			exec(t, c, "CREATE TABLE things (id int)")
		}},
		"a transaction": {
			leave: func(t *testing.T, c *sql.Conn) {
				exec(t, c, "CREATE TABLE things (id int)", "BEGIN", "INSERT INTO things VALUES (1)")
			},
			want: []string{`session \d+ is idle in transaction, its last statement: INSERT INTO things`},
		},
		"a failed transaction": {
			leave: func(t *testing.T, c *sql.Conn) {
				exec(t, c, "BEGIN")
				_, err := c.ExecContext(t.Context(), "SELECT 1/0")
				require.Error(t, err)
			},
			want: []string{`session \d+ is idle in transaction \(aborted\)`},
		},
		"a statement at work": {
			leave: func(t *testing.T, c *sql.Conn) {
				go func() { _, _ = c.ExecContext(context.Background(), "SELECT pg_sleep(600)") }()
				require.Eventually(t, func() bool {
					var n int
					err := Admin(t).QueryRow("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'").Scan(&n)
					return err == nil && n == 1
				}, grace, grace/100)
			},
			want: []string{`session \d+ is active, its last statement: SELECT pg_sleep`},
		},
		"an advisory lock": {
			leave: func(t *testing.T, c *sql.Conn) { exec(t, c, "SELECT pg_advisory_lock(7), pg_advisory_lock(8)") },
			want:  []string{`session \d+ is idle and holds 2 advisory lock\(s\)`},
		},
		"a transaction that ends within the grace is no finding": {leave: func(t *testing.T, c *sql.Conn) {
			exec(t, c, "BEGIN", "SELECT 1")
			go func() {
				_, _ = c.ExecContext(context.Background(), "SELECT pg_sleep(0.3)")
				_, _ = c.ExecContext(context.Background(), "ROLLBACK")
			}()
		}},
		"a prepared transaction on its table": {
			leave: func(t *testing.T, c *sql.Conn) {
				needPrepared(t)
				exec(t, c, "CREATE TABLE things (id int)", "BEGIN", "INSERT INTO things VALUES (1)",
					"PREPARE TRANSACTION 'it''s mine'")
			},
			want: []string{`prepared transaction "it's mine"`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			db := connect(t, DSN(r))
			var schema string
			c, err := db.Conn(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.QueryRowContext(t.Context(), "SELECT current_schema").Scan(&schema))
			t.Cleanup(func() { _ = c.Close() })
			tc.leave(t, c)
			r.finish()

			require.Len(t, r.errors, len(tc.want), "%q", r.errors)
			for i, want := range tc.want {
				require.Regexp(t, want, r.errors[i])
				require.Contains(t, r.errors[i], schema)
			}
			require.False(t, schemaExists(t, schema), "found or not, it is cleaned up")
			var sessions int
			require.Eventually(t, func() bool {
				err := Admin(t).QueryRow("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", schema).Scan(&sessions)
				return err == nil && sessions == 0
			}, grace, grace/100, "sessions are still there")
		})
	}
}

// A prepared transaction without a lock in the schema is known by its name.
func TestLeftBehindPreparedByName(t *testing.T) {
	needPrepared(t)
	r := &recorder{TB: t}
	db := connect(t, DSN(r))
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	var schema string
	require.NoError(t, c.QueryRowContext(t.Context(), "SELECT current_schema").Scan(&schema))
	for _, s := range []string{"BEGIN", "SELECT pg_current_xact_id()", "PREPARE TRANSACTION 'of " + schema + "'"} {
		_, err := c.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	require.NoError(t, c.Close())
	r.finish()
	require.Len(t, r.errors, 1)
	require.Contains(t, r.errors[0], fmt.Sprintf("prepared transaction %q", "of "+schema))
}

func needPrepared(t *testing.T) {
	t.Helper()
	var limit int
	require.NoError(t, Admin(t).QueryRow("SELECT current_setting('max_prepared_transactions')::int").Scan(&limit))
	if limit == 0 {
		t.Skip("the server that " + dsnEnv + " names has max_prepared_transactions = 0")
	}
}
