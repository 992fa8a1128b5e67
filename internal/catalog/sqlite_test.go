package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// SQLite itself is asked in compat: the root module has no driver for it.

func TestPredicateIsWhatStandsBehindTheIndexsWhere(t *testing.T) {
	for _, c := range []struct{ definition, want string }{
		{"CREATE UNIQUE INDEX i ON t (a, b) WHERE deleted_at IS NULL", "deleted_at IS NULL"},
		{"create unique index i on t(a) where deleted_at is null", "deleted_at is null"},
		{"CREATE UNIQUE INDEX i ON t (a) WhErE x", "x"},
		{"CREATE UNIQUE INDEX i ON t (a)WHERE(x)", "(x)"},
		{"CREATE UNIQUE INDEX i ON t (a)\n\tWHERE\n\tx = 1\n", "x = 1"},
		{"CREATE UNIQUE INDEX i ON t (a, b)", ""},
		{"", ""},
		{"WHERE", ""},
		// Words that are or hold WHERE, and are not the one.
		{"CREATE UNIQUE INDEX somewhere ON t (a) WHERE b", "b"},
		{"CREATE UNIQUE INDEX where_ ON nowhere (wherever) WHERE b", "b"},
		{"CREATE UNIQUE INDEX wo1where ON t (a)", ""},
		{"CREATE UNIQUE INDEX éwhere ON t (a) WHERE b", "b"},
		// Names in SQLite's four ways of quoting.
		{`CREATE UNIQUE INDEX "a WHERE b" ON t (a) WHERE c`, "c"},
		{"CREATE UNIQUE INDEX `a WHERE b` ON t (a) WHERE c", "c"},
		{"CREATE UNIQUE INDEX [a WHERE b] ON t (a) WHERE c", "c"},
		{"CREATE UNIQUE INDEX 'a WHERE b' ON t (a) WHERE c", "c"},
		{`CREATE UNIQUE INDEX "a "" WHERE b" ON t (a)`, ""},
		{"CREATE UNIQUE INDEX `a `` WHERE b` ON t (a) WHERE [c] = 1", "[c] = 1"},
		{`CREATE UNIQUE INDEX "(" ON t (")") WHERE "("`, `"("`},
		// Strings in the predicate, and expressions in the columns.
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b = ' WHERE c'", "b = ' WHERE c'"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b = 'it''s' AND c", "b = 'it''s' AND c"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b <> '--' AND c <> '/*'", "b <> '--' AND c <> '/*'"},
		{"CREATE UNIQUE INDEX i ON t (CASE WHEN a THEN ' WHERE ' END) WHERE b", "b"},
		{"CREATE UNIQUE INDEX i ON t (((a)), coalesce(b, (1))) WHERE (c OR (d AND e))", "(c OR (d AND e))"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b IN (1, 2)", "b IN (1, 2)"},
		// Comments go: behind them the statement must go on.
		{"CREATE UNIQUE INDEX i ON t (a) -- WHERE x\nWHERE b", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) /* WHERE x */ WHERE b", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) /*/ WHERE x */ WHERE b", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b -- living rows", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b /* living rows */", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b /* never closed", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b--x\nAND c", "b AND c"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b/**/AND/**/c", "b AND c"},
		{"CREATE UNIQUE INDEX i ON t (a -- )\n) WHERE b", "b"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b - -1 / 2", "b - -1 / 2"},
		{"CREATE UNIQUE INDEX i ON t (a) WHERE b = 'never closed", "b = 'never closed"},
	} {
		assert.Equal(t, c.want, Predicate(c.definition), "%s", c.definition)
	}
}

func TestNamesAreQuotedForTheCatalogue(t *testing.T) {
	assert.Equal(t, `"main"`, quote("main"))
	assert.Equal(t, `"a""; DROP TABLE b; --"`, quote(`a"; DROP TABLE b; --`))
}
