package auditcmd

import (
	"maps"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/testserver"
)

// TestSeverities is of what docs/audit.md says of the rules' severities: the usual ones, and
// when there is another.
func TestSeverities(t *testing.T) {
	address := postgres(t)
	schema, err := os.ReadFile("testdata/severities.sql")
	require.NoError(t, err)
	require.NoError(t, testserver.Exec(address, string(schema)))
	db, kind, _, err := dsn.Open(t.Context(), address)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	run := func(o audit.Options) map[[2]string]audit.Severity {
		r, err := audit.Run(t.Context(), db, kind, o)
		require.NoError(t, err)
		require.Empty(t, r.Unseen)
		found := map[[2]string]audit.Severity{}
		for _, f := range r.Findings {
			found[[2]string{string(f.Rule), f.Table}] = f.Severity
		}
		return found
	}
	names := []string{
		"without_key", "partial_key", "deferrable_key", "expression_key", "nullable_key", "soft_full_key",
		"soft_without_key", "copied_key", "other_type", "with_roles", "exclusion", "not_validated", "astray", "wider_type",
		"soft_with_roles", "other_type_without_key",
	}
	plain := run(audit.Options{}) // those that are recognized, and then those that are named
	maps.Copy(plain, run(audit.Options{Tables: names, Lookups: []string{"tags.name", "labels.name"}}))
	revives := run(audit.Options{Tables: names, Revives: true})
	end := func(column, table string) audit.End {
		return audit.End{Columns: []string{column}, Table: table, References: []string{"id"}}
	}
	models := run(audit.Options{Joins: []audit.JoinTable{{
		Name: "copied_key", Convention: "models", Relation: "User.Groups", Ends: [2]audit.End{end("user_id", "users"), end("group_id", "groups")},
	}}})

	usual := map[audit.Rule]string{
		audit.NoUniqueKey: "without_key", audit.PartialUniqueKey: "partial_key", audit.DeferrableUniqueKey: "deferrable_key",
		audit.ExpressionUniqueKey: "expression_key", audit.NullableUniqueKey: "nullable_key", audit.DuplicatePairs: "without_key",
		audit.NoForeignKey: "user_groups", audit.DanglingLinks: "user_groups", audit.SoftDeleteFullKey: "soft_full_key",
		audit.SoftDeleteNoKey: "soft_without_key", audit.NoReverseIndex: "without_key", audit.CopiedUniqueKey: "copied_key",
		audit.LookupNotUnique: "tags", audit.KeyTypesDiffer: "other_type",
	}
	departures := map[audit.Rule]int{}
	for _, c := range []struct {
		found map[[2]string]audit.Severity
		rule  audit.Rule
		table string
		want  audit.Severity
	}{
		{plain, audit.NoUniqueKey, "with_roles", audit.Warning},
		{plain, audit.NoUniqueKey, "exclusion", audit.Warning},
		{plain, audit.DuplicatePairs, "with_roles", audit.Warning},
		{plain, audit.DuplicatePairs, "user_visits", audit.Warning},
		{plain, audit.SoftDeleteNoKey, "soft_with_roles", audit.Warning},
		{plain, audit.NoForeignKey, "not_validated", audit.Note},
		{plain, audit.DanglingLinks, "astray", audit.Warning},
		{revives, audit.SoftDeleteFullKey, "soft_full_key", audit.Note},
		{models, audit.CopiedUniqueKey, "copied_key", audit.Error},
		{plain, audit.LookupNotUnique, "labels", audit.Error},
		{plain, audit.KeyTypesDiffer, "other_type_without_key", audit.Error},
		{plain, audit.KeyTypesDiffer, "wider_type", audit.Note},
	} {
		departures[c.rule]++
		require.Equal(t, c.want, c.found[[2]string{string(c.rule), c.table}], "%s of %s", c.rule, c.table)
	}
	for _, text := range ruleTexts {
		require.Equal(t, text.level.String(), plain[[2]string{string(text.rule), usual[text.rule]}].String(), text.rule)
		require.Equal(t, departures[text.rule] > 0, text.other != "", text.rule)
	}
}
