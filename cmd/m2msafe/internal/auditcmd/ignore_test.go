package auditcmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

func TestFailOn(t *testing.T) {
	unseen := []audit.Unseen{{Table: "others", Reason: "no privilege to read its rows"}}
	for _, c := range []struct {
		failOn string
		found  audit.Severity
		unseen []audit.Unseen
		want   int
	}{
		{"", audit.Note, nil, ExitFindings},
		{"note", audit.Note, nil, ExitFindings},
		{"warning", audit.Note, nil, ExitClean},
		{"warning", audit.Warning, nil, ExitFindings},
		{"error", audit.Warning, nil, ExitClean},
		{"error", audit.Error, nil, ExitFindings},
		{"error", audit.Warning, unseen, ExitFailed},
		{"error", audit.Error, unseen, ExitFindings},
	} {
		code, stdout, stderr := call(t, &Command{FailOn: c.failOn}, func(audit.Options) (*audit.Report, error) {
			return &audit.Report{Findings: []audit.Finding{{Rule: audit.NoReverseIndex, Severity: c.found, Table: "links", Title: "A title"}}, Unseen: c.unseen}, nil
		})
		require.Equal(t, c.want, code, "%+v", c)
		require.Contains(t, stdout, "A title", "it is shown all the same")
		require.Empty(t, stderr)
	}
	code, _, stderr := call(t, &Command{FailOn: "fatal"}, nil)
	require.Equal(t, ExitFailed, code)
	require.Equal(t, "m2msafe: --fail-on fatal: there are: error, warning, note\n", stderr)
}

// What is ignored is in no output, in no fix and in no exit code, and each output says that
// something was left out.
func TestIgnoredFindings(t *testing.T) {
	dir := t.TempDir()
	run := func(audit.Options) (*audit.Report, error) { r := sample(); r.Unseen = nil; return r, nil }
	ignore := []string{"no-reverse-index", "no-foreign-key:user_groups", "lookup-column-not-unique:others"}
	outputs := map[string]string{}
	for _, format := range Formats {
		c := &Command{Format: format, Ignore: ignore, HTML: filepath.Join(dir, "page.html"), Fix: filepath.Join(dir, format+".sql"), FixFormat: "sql"}
		code, stdout, _ := call(t, c, run)
		require.Equal(t, ExitFindings, code)
		outputs[format] = stdout
	}
	for name, file := range map[string]string{"page": "page.html", "fix": "table.sql", "undo": "table.undo.sql"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		outputs[name] = string(text)
	}
	for name, text := range outputs {
		require.NotContains(t, text, "No index begins with product_id", name)
		require.NotContains(t, text, "No foreign key on group_id", name)
		require.Contains(t, text, "user_groups", name)
	}
	require.Contains(t, outputs["table"], "tags are looked up by name", "that of another table")
	require.Contains(t, outputs["table"], "3 join tables · 2 errors, 1 warning · 2 ignored\n")
	require.Contains(t, outputs["table"], "\n2 findings are left out by --ignore.\n")
	require.Contains(t, outputs["table"], "Without a finding: article_tags.\n", "and not the one whose finding is ignored")
	require.Contains(t, outputs["page"], "2 errors, 1 warning</h1>")
	require.Contains(t, outputs["page"], "3 join tables · 2 ignored ·")
	require.NotContains(t, outputs["page"], "shop.order", "it is not without a finding")
	var counted struct{ Ignored int }
	require.NoError(t, json.Unmarshal([]byte(outputs["json"]), &counted))
	require.Equal(t, 2, counted.Ignored)
	validSARIF(t, []byte(outputs["sarif"]))
	require.Contains(t, outputs["sarif"], `"ignored": 2`)
}

func TestAllIsIgnored(t *testing.T) {
	run := func(audit.Options) (*audit.Report, error) {
		return &audit.Report{Tables: []audit.JoinTable{{Name: "shop.links"}}, Findings: []audit.Finding{
			{Rule: audit.NoUniqueKey, Severity: audit.Error, Table: "shop.links", Fix: []audit.Statement{{SQL: "a"}}},
		}}, nil
	}
	page := filepath.Join(t.TempDir(), "page.html")
	code, stdout, stderr := call(t, &Command{Ignore: []string{"no-unique-key:shop.links"}, HTML: page, Fix: page + ".sql", FixFormat: "sql"}, run)
	require.Equal(t, ExitClean, code)
	require.Contains(t, stdout, "\nNothing else was found.\n1 finding is left out by --ignore.\n")
	require.NotContains(t, stdout, "Clean")
	require.NotContains(t, stdout, "Without a finding")
	require.Equal(t, "m2msafe: there is nothing to mend, so --fix wrote nothing\n", stderr)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "Nothing but what is ignored")
}

func TestIgnoreIsRead(t *testing.T) {
	for text, want := range map[string]ignored{
		"duplicate-pairs":             {audit.DuplicatePairs, ""},
		"duplicate-pairs:links":       {audit.DuplicatePairs, "links"},
		"duplicate-pairs:shop.a.b:c.": {audit.DuplicatePairs, "shop.a.b:c."},
	} {
		got, err := parseIgnored(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"duplicate-pair", "duplicate-pairs.links", ""} {
		_, err := parseIgnored(text)
		require.ErrorContains(t, err, `there are: no-unique-key, partial-unique-key, `)
	}
	_, err := parseIgnored("duplicate-pairs:")
	require.ErrorContains(t, err, "it takes RULE or RULE:TABLE")
}

// A unique key can't be built over the duplicates whose removal is ignored.
func TestNoFixCountsOnAnIgnoredOne(t *testing.T) {
	fix := []audit.Statement{{SQL: "a"}}
	found := &audit.Report{Findings: []audit.Finding{
		{Rule: audit.DuplicatePairs, Table: "links", Fix: fix},
		{Rule: audit.NoUniqueKey, Table: "links", Story: "Story.", Fix: fix, Undo: fix},
		{Rule: audit.NoReverseIndex, Table: "links", Fix: fix},
		{Rule: audit.NoUniqueKey, Table: "others", Fix: fix},
	}}
	fixes := func(r *report) (n []int) {
		for _, f := range r.Findings {
			n = append(n, len(f.Fix)+len(f.Undo))
		}
		return n
	}
	r := leaveOut(found, []ignored{{audit.DuplicatePairs, ""}})
	require.Equal(t, []int{0, 1, 1}, fixes(r))
	require.Equal(t, "Story. There is no fix: it would come behind that of duplicate-pairs, which --ignore leaves out.", r.Findings[0].Story)
	require.Equal(t, []int{1, 2, 1, 1}, fixes(leaveOut(found, nil)), "the audit's own report is as it was")
	found.Findings[0].Fix = nil
	require.Equal(t, []int{2, 1, 1}, fixes(leaveOut(found, []ignored{{audit.DuplicatePairs, ""}})))
}

func TestDiagramDoesNotCallAnIgnoredPairUnique(t *testing.T) {
	join := audit.JoinTable{Name: "links"}
	found := &audit.Report{Tables: []audit.JoinTable{join}, Findings: []audit.Finding{{Rule: audit.NoUniqueKey, Table: "links"}, {Rule: audit.NoReverseIndex, Table: "links"}}}
	unique := mark{0, "pair is unique"}
	require.NotContains(t, marksOf(&join, leaveOut(found, []ignored{{audit.NoUniqueKey, ""}})).join, unique)
	require.Contains(t, marksOf(&join, leaveOut(&audit.Report{}, nil)).join, unique)
}
