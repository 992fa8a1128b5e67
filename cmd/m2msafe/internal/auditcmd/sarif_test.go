package auditcmd

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

func sarifOf(t *testing.T, r *audit.Report) (log sarifLog) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, writeSARIF(&out, &report{Report: r}, nil))
	validSARIF(t, out.Bytes())
	require.NoError(t, json.Unmarshal(out.Bytes(), &log))
	return log
}

// validSARIF validates against OASIS's schema.
func validSARIF(t *testing.T, text []byte) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-schema-2.1.0.json")
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, schema.Validate(document))
}

func TestSARIFIsOfItsSchema(t *testing.T) {
	run := sarifOf(t, sample()).Runs[0]
	require.Len(t, run.Results, len(sample().Findings))
	for i, result := range run.Results {
		f := sample().Findings[i]
		require.Equal(t, string(f.Rule), run.Tool.Driver.Rules[result.RuleIndex].ID)
		require.Equal(t, f.Severity.String(), result.Level)
		require.Equal(t, f.Table, result.Locations[0].LogicalLocations[0].FullyQualifiedName)
		require.NotEmpty(t, result.Locations[0].PhysicalLocation.ArtifactLocation.URI)
	}
	require.False(t, run.Invocations[0].ExecutionSuccessful)
	require.Contains(t, run.Invocations[0].Notifications[0].Message.Text, "payroll_members")
	require.Equal(t, "tables/shop.order%1B%5B2J%3Cscript%3E", run.Results[3].Locations[0].PhysicalLocation.ArtifactLocation.URI)
	require.Equal(t, "NoUniqueKey", run.Tool.Driver.Rules[0].Name)
	require.Contains(t, run.Results[0].Message.Text, "user_groups: 31 pairs are stored twice. A join lists")
	require.Contains(t, run.Results[1].Message.Markdown, "```sql\n-- the key that was missing")
	require.Contains(t, run.Results[3].Message.Markdown, `**shop.order\\x1b\[2J\<script\>**`)
}

func TestSARIFOfACleanDatabase(t *testing.T) {
	run := sarifOf(t, &audit.Report{Database: "SQLite 3.50.4"}).Runs[0]
	require.True(t, run.Invocations[0].ExecutionSuccessful)
	require.Empty(t, run.Results)
	require.Len(t, run.Tool.Driver.Rules, len(ruleTexts))
}

func TestSARIFOfARuleWithoutText(t *testing.T) {
	run := sarifOf(t, &audit.Report{Findings: []audit.Finding{{Rule: "of-tomorrow", Severity: audit.Note, Table: "t", Title: "T", Story: "S."}}}).Runs[0]
	require.Equal(t, "OfTomorrow", run.Tool.Driver.Rules[run.Results[0].RuleIndex].Name)
}

func TestFingerprintIsOfWhatIsWrongAndNotOfHowMuch(t *testing.T) {
	f := sample().Findings[0]
	was := fingerprint(&f)
	f.Rows, f.Title, f.Story = 4711, "4,700 pairs are stored twice", "Another story."
	require.Equal(t, was, fingerprint(&f))
	seen := map[string]bool{was: true}
	for _, change := range []func(f *audit.Finding){
		func(f *audit.Finding) { f.Table = "others" },
		func(f *audit.Finding) { f.Rule = audit.NoUniqueKey },
		func(f *audit.Finding) { f.Columns = []string{"user_idgroup_id"} },
		func(f *audit.Finding) { f.Relation = "User.Groups" },
	} {
		other := f
		change(&other)
		require.False(t, seen[fingerprint(&other)])
		seen[fingerprint(&other)] = true
	}
	require.Equal(t, "6efeb1db8943a5d3e673d428b87750ab", was, "alerts that were dismissed would come back")
}

func TestMarkdownTakesNoCommands(t *testing.T) {
	require.Equal(t, `\<b\>\_x\_\[y\]\`+"`", markdown("<b>_x_[y]`"))
	require.Equal(t, "{{0}} is no placeholder", literal("{0} is no placeholder"))
	require.Equal(t, "````sql\nSELECT \"```\";\n````", fence("SELECT \"```\";\n"))
}

// TestEveryRuleHasAText reads the rules where they are declared.
func TestEveryRuleHasAText(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../../../audit/finding.go", nil, 0)
	require.NoError(t, err)
	var declared, described []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Rule" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			declared = append(declared, text)
		}
		return true
	})
	for _, text := range ruleTexts {
		described = append(described, string(text.rule))
		for _, sentence := range []string{text.short, text.full, text.mend} {
			require.True(t, strings.HasSuffix(sentence, "."), sentence)
		}
	}
	require.Equal(t, declared, described)
}
