package audit_test

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// database is a PostgreSQL schema of the test's own, with one connection.
func database(t testing.TB, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", pgtest.DSN(t))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	execute(t, db, statements...)
	return db
}

func execute(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(context.Background(), s)
		require.NoError(t, err, s)
	}
}

func run(t testing.TB, db *sql.DB, o audit.Options) *audit.Report {
	t.Helper()
	report, err := audit.Run(t.Context(), db, "postgres", o)
	require.NoError(t, err)
	return report
}

// rules are those of a report's findings, in order.
func rules(r *audit.Report) []audit.Rule {
	var all []audit.Rule
	for _, f := range r.Findings {
		all = append(all, f.Rule)
	}
	return all
}

// mend runs all fixes, and gives what takes them back.
func mend(t testing.TB, db *sql.DB, r *audit.Report) (undo []audit.Statement) {
	t.Helper()
	for _, f := range r.Findings {
		for _, s := range f.Fix {
			_, err := db.ExecContext(t.Context(), s.SQL)
			require.NoError(t, err, s.SQL)
		}
		undo = slices.Concat(f.Undo, undo)
	}
	return undo
}
