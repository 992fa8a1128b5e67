package auditcmd

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

func textOfReport(t *testing.T, r *audit.Report, width int, color bool) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, writeText(&out, &report{Report: r}, width, color))
	return out.String()
}

// heading is the line above a finding's story.
var heading = regexp.MustCompile(`^(error|warning|note)  .*  [a-z-]+$`)

func TestTextFitsItsTerminal(t *testing.T) {
	r := sample()
	r.Findings[0].Title = strings.Repeat("a title that goes on ", 12)
	r.Findings[0].Table = strings.Repeat("a_very_long_name_", 8)
	r.Findings[0].Story = strings.Repeat("and a story that goes on for longer. ", 12)
	r.Findings[0].Fix[0].Why = strings.Repeat("for a reason ", 12)
	for _, width := range []int{20, 40, 69, 70, 80, 100, 200} {
		for line := range strings.SplitSeq(textOfReport(t, r, width, false), "\n") {
			sql := strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "  --")
			if sql || heading.MatchString(line) {
				continue // SQL and names are to be copied
			}
			require.LessOrEqual(t, utf8.RuneCountInString(line), min(max(width, minWidth), 100), line)
		}
	}
}

func TestTextSays(t *testing.T) {
	text := textOfReport(t, sample(), 100, false)
	for _, want := range []string{
		"PostgreSQL 15.14 · 3 join tables · 2 errors, 2 warnings, 1 note",
		"error  user_groups (User.Groups)  no-unique-key\n",
		"31 pairs are stored twice.\nA join lists each of them more than once.",
		"  -- the key that was missing; writers go on while it is built (outside a transaction)\n  CREATE UNIQUE INDEX CONCURRENTLY uq_user_groups ON user_groups (user_id, group_id);\n",
		"~48,000,000",
		"1,204,311",
		`shop.order\x1b[2J<script>`,
		"Not looked at:\n  payroll_members: no privilege to read its rows\n",
		"Without a finding: article_tags.\n",
		"5 findings: 2 errors, 2 warnings, 1 note. --fix FILE",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "\x1b")
	require.NotContains(t, text, "-1", "rows that nobody counted")
	head, rest, _ := strings.Cut(text, "error  user_groups")
	require.Regexp(t, `(?s)error .*error .*warning .*warning .*note `, head, "the worst first")
	require.NotEmpty(t, rest)

	narrow := textOfReport(t, sample(), 40, false)
	require.Contains(t, narrow, "\nwarning  tags\n  tags are looked up by name, which has\n  no unique key (2)\n")
	require.NotContains(t, narrow, "severity")

	colored := textOfReport(t, sample(), 100, true)
	for _, want := range []string{"\x1b[31;1merror\x1b[0m", "\x1b[33;1mwarning\x1b[0m", "\x1b[36;1mnote\x1b[0m"} {
		require.Contains(t, colored, want)
	}
	require.NotContains(t, colored, "\x1b[2J")
}

func TestTextOfWhatIsClean(t *testing.T) {
	table := audit.JoinTable{Name: "article_tags"}
	for want, r := range map[string]*audit.Report{
		"Clean: 1 join table, and nothing to mend.":         {Tables: []audit.JoinTable{table}},
		"No join table was recognized.":                     {},
		"No finding, but 1 table could not be looked at.":   {Tables: []audit.JoinTable{table}, Unseen: []audit.Unseen{{Table: "article_tags"}}},
		"1 finding: 1 note.\n":                              {Findings: []audit.Finding{{Severity: audit.Note}}},
		"1 finding: 1 note. --fix FILE writes the SQL that": {Findings: []audit.Finding{{Severity: audit.Note, Fix: []audit.Statement{{}}}}},
	} {
		text := textOfReport(t, r, 100, false)
		require.Contains(t, text, want)
		require.Equal(t, want[0] == 'C', strings.Contains(text, "Without a finding: article_tags."), want)
	}
	many := &audit.Report{}
	for i := range 5000 {
		many.Tables = append(many.Tables, audit.JoinTable{Name: fmt.Sprintf("t%d", i)})
	}
	require.Contains(t, textOfReport(t, many, 100, false), "t39 and 4,960 more.")
}
