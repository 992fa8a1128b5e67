package auditlab

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// line is a finding in short, its columns in no order.
func line(rule audit.Rule, table string, columns ...string) string {
	return fmt.Sprint(rule, " ", table, slices.Sorted(slices.Values(columns)))
}

// lines are findings in short, sorted.
func lines(findings []audit.Finding) []string {
	found := make([]string, len(findings))
	for i, f := range findings {
		found[i] = line(f.Rule, f.Table, f.Columns...)
	}
	slices.Sort(found)
	return found
}

// apply runs statements as whoever is given them would: one after another on one
// connection, in transactions, but for those that can't be in one.
func (d *database) apply(t testing.TB, statements []audit.Statement) {
	t.Helper()
	conn, err := d.pool.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	var tx *sql.Tx
	commit := func() {
		if tx != nil {
			require.NoError(t, tx.Commit(), "%v", statements)
			tx = nil
		}
	}
	for _, s := range statements {
		require.NotEmpty(t, s.Why, s.SQL)
		require.NotRegexp(t, `\n`, s.Why, "a comment is one line")
		require.NotRegexp(t, `;\s*$`, s.SQL)
		if s.Solo {
			commit()
			_, err = conn.ExecContext(t.Context(), s.SQL)
		} else {
			if tx == nil {
				tx, err = conn.BeginTx(t.Context(), nil)
				require.NoError(t, err)
			}
			_, err = tx.ExecContext(t.Context(), s.SQL)
		}
		if err != nil && tx != nil {
			_ = tx.Rollback()
			tx = nil
		}
		require.NoError(t, err, "%s", s.SQL)
	}
	commit()
}

// mend applies all fixes of an audit, and then those of one that knows the join tables from
// models: what names alone tell is mended by it. After that another audit finds nothing. It
// returns what was mended.
func (d *database) mend(t testing.TB) (found []audit.Finding) {
	t.Helper()
	for _, o := range []audit.Options{{}, {Joins: d.known}} {
		for _, f := range d.audit(t, o).Findings {
			if f.Fix == nil {
				require.Nil(t, o.Joins, "not even models tell what mends\n%s", describe([]audit.Finding{f}))
				continue
			}
			d.apply(t, f.Fix)
			found = append(found, f)
		}
	}
	if len(found) > 0 {
		d.requireClean(t, "after\n"+describe(found))
	}
	return found
}

// describe is what a failing test shows of findings.
func describe(findings []audit.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s %s%v: %s (%d rows)\n", f.Severity, f.Rule, f.Table, f.Columns, f.Title, f.Rows)
		for _, s := range f.Fix {
			fmt.Fprintf(&b, "  fix: %s\n", s.SQL)
		}
		for _, s := range f.Undo {
			fmt.Fprintf(&b, "  undo: %s\n", s.SQL)
		}
	}
	return b.String()
}

// usable sees that the n-th mended join table does what one is for: it takes a pair once, and
// no link to nothing.
func (d *database) usable(t testing.TB, j join, n int) {
	t.Helper()
	d.exec(t, "DELETE FROM "+d.quote(j.table))
	d.exec(t, d.link(t, j, 1, 2), d.link(t, j, 1, 3), d.link(t, j, 2, 2))
	refused := func(statement, why string) {
		_, err := d.pool.ExecContext(t.Context(), statement)
		require.Error(t, err, "%s %s: %s", j.table, why, statement)
	}
	// The columns that nobody cares for have other values than the first time.
	values := map[string]string{j.ends[0].column: j.ends[0].literal(1), j.ends[1].column: j.ends[1].literal(2)}
	refused(d.into(t, j.table, 7777, values), "takes a pair twice")
	refused(d.link(t, j, 1, 99), "takes a link to nothing")
	refused(d.link(t, j, 99, 1), "takes a link to nothing")
	require.Equal(t, 3, d.count(t, d.quote(j.table)))

	// The end goes with its links, or stays because of them.
	e := j.ends[1]
	d.exec(t, d.row(t, e, 200+n), d.link(t, j, 1, 200+n))
	_, _ = d.pool.ExecContext(t.Context(), fmt.Sprintf("DELETE FROM %s WHERE %s = %s", d.quote(e.table), d.quote(e.key), e.literal(200+n)))
	require.Zero(t, d.count(t, fmt.Sprintf("%s AS j WHERE NOT EXISTS (SELECT 1 FROM %s AS s WHERE s.%s = j.%s)",
		d.quote(j.table), d.quote(e.table), d.quote(e.key), d.quote(e.column))), "%s has a link to nothing", j.table)
}
