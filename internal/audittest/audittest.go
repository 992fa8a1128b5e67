// Package audittest has what the tests of the audit have in common on all engines:
// schemas with planted defects, sound ones, and the way there and back.
package audittest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// anything stands for any number of rows.
const anything = -2

// Open gives a test an empty database of its own, as a pool of one connection.
type Open func(t testing.TB) *sql.DB

// Execute runs statements.
func Execute(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// Run audits a database.
func Run(t testing.TB, db *sql.DB, kind string, o audit.Options) *audit.Report {
	t.Helper()
	report, err := audit.Run(t.Context(), db, kind, o)
	require.NoError(t, err)
	for _, f := range report.Findings {
		if len(f.Fix) == 0 { // there is none to speak of
			require.NotRegexp(t, "(The|After the) fix ", f.Story, f.Rule)
		}
	}
	return report
}

// Rules are those of a report's findings, with their columns, in order.
func Rules(r *audit.Report) []string {
	all := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		all[i] = string(f.Rule) + " " + strings.Join(f.Columns, ",")
	}
	return all
}

// RoundTrip: the defects are found, exactly these and of so many rows; mended they are
// gone, but for what only a person can decide, which is left; and what takes it back brings
// each row back, and the findings.
func RoundTrip(t *testing.T, db *sql.DB, kind string, o audit.Options, want []string, rows []int64, left ...string) {
	t.Helper()
	roundTrip(t, db, kind, o, want, rows, left, func(all []audit.Statement) (log []string, err error) {
		for _, s := range all {
			log = append(log, s.SQL)
			if _, err = db.ExecContext(t.Context(), s.SQL); err != nil {
				break
			}
		}
		return log, err
	})
}

// InTransactions is a RoundTrip in which statements that can be in a transaction are in
// one, as long as no other stands between them; but for VALIDATE, which looks at all rows
// and would do it under the locks of those before.
func InTransactions(t *testing.T, db *sql.DB, kind string, o audit.Options, want []string, rows []int64, left ...string) {
	t.Helper()
	roundTrip(t, db, kind, o, want, rows, left, func(all []audit.Statement) (log []string, err error) {
		// A pool may refuse to give a connection out again that is in a transaction.
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		alone := func(s audit.Statement) bool { return s.Solo || strings.Contains(s.SQL, " VALIDATE CONSTRAINT ") }
		for len(all) > 0 && err == nil {
			end := 1
			for !alone(all[0]) && end < len(all) && !alone(all[end]) {
				end++
			}
			part := all[:end]
			all = all[end:]
			for i, s := range part {
				if i == 0 && len(part) > 1 {
					_, err = conn.ExecContext(t.Context(), "BEGIN")
				}
				log = append(log, s.SQL)
				if err == nil {
					_, err = conn.ExecContext(t.Context(), s.SQL)
				}
			}
			if len(part) > 1 && err == nil {
				_, err = conn.ExecContext(t.Context(), "COMMIT")
			}
		}
		return log, err
	})
}

func roundTrip(t *testing.T, db *sql.DB, kind string, o audit.Options, want []string, rows []int64, left []string, apply func([]audit.Statement) ([]string, error)) {
	t.Helper()
	before := Run(t, db, kind, o)
	require.Empty(t, before.Unseen)
	require.Equal(t, want, Rules(before), "%+v", before)
	for i, f := range before.Findings {
		if rows[i] != anything { // whether rows are counted depends on the engine
			require.Equal(t, rows[i], f.Rows, "%s: %s", f.Rule, f.Title)
		}
		require.NotEmpty(t, f.Title)
		require.NotEmpty(t, f.Story)
		for _, s := range slices.Concat(f.Fix, f.Undo) {
			require.NotEmpty(t, s.Why)
			require.NotRegexp(t, `;\s*$`, s.SQL)
		}
	}
	stored := dump(t, db, before)
	var undo []audit.Statement
	var log []string
	for _, f := range before.Findings {
		done, err := apply(f.Fix)
		log = append(log, done...)
		require.NoError(t, err, "%s", strings.Join(log, ";\n"))
		undo = slices.Concat(f.Undo, undo)
	}
	mended := Run(t, db, kind, o)
	require.Equal(t, append([]string{}, left...), Rules(mended), "after\n%s\n%+v", strings.Join(log, ";\n"), mended)
	done, err := apply(undo)
	log = append(log, done...)
	require.NoError(t, err, "%s", strings.Join(log, ";\n"))
	after := Run(t, db, kind, o)
	require.Equal(t, want, Rules(after), "after\n%s", strings.Join(log, ";\n"))
	for i, f := range after.Findings {
		if rows[i] == anything {
			f.Rows = before.Findings[i].Rows
		}
		require.Equal(t, before.Findings[i], f, "after\n%s", strings.Join(log, ";\n"))
	}
	require.Equal(t, stored, dump(t, db, before))
	if t.Failed() || testing.Verbose() {
		t.Log(strings.Join(log, ";\n"))
	}
}

// dump is what is stored in the tables of a report, row by row.
func dump(t testing.TB, db *sql.DB, r *audit.Report) []string {
	t.Helper()
	var all []string
	mark := `"`
	if strings.HasPrefix(r.Database, "M") {
		mark = "`"
	}
	for _, table := range r.Tables {
		name := mark + strings.ReplaceAll(table.Name, mark, mark+mark) + mark
		if i := strings.Index(table.Name, "other."); i == 0 {
			name = "other." + table.Name[len("other."):]
		}
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+name) // #nosec G202 -- the name of a table of the tests'
		require.NoError(t, err)
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
			all = append(all, fmt.Sprint(table.Name, values))
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	slices.Sort(all)
	return all
}
