package auditcmd

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/testserver"
)

var update = flag.Bool("update", false, "write the samples of docs/audit.md anew")

const docs = "../../../../docs/"

// sampleDatabase is the DSN of a database as testdata/sample.sql makes it.
func sampleDatabase(t *testing.T) string {
	t.Helper()
	dsn := postgres(t)
	schema, err := os.ReadFile("testdata/sample.sql")
	require.NoError(t, err)
	require.NoError(t, testserver.Exec(dsn, string(schema)))
	return dsn
}

// audited is what the command prints about the sample, without the server's version.
func audited(t *testing.T, c *Command) string {
	t.Helper()
	c.Lookups, c.Width, c.Timeout, c.CountUpTo = []string{"tags.name"}, 90, time.Minute, 1_000_000
	c.Now = func() time.Time { return morning }
	var stdout, stderr bytes.Buffer
	require.Equal(t, ExitFindings, c.Run(t.Context(), &stdout, &stderr), stderr.String())
	return regexp.MustCompile(`(PostgreSQL \d+)[.\d]*`).ReplaceAllString(stdout.String(), "PostgreSQL")
}

// TestGoldenDocs is of what docs/audit.md shows: the table and the first finding.
func TestGoldenDocs(t *testing.T) {
	output := audited(t, &Command{DSN: sampleDatabase(t), Format: "table"})
	heads := regexp.MustCompile(`(?m)^(error|warning|note)  `).FindAllStringIndex(output, -1)
	require.Greater(t, len(heads), 3)
	head := output[:heads[1][0]]
	tail := output[strings.LastIndex(output, "\n\n")+2:]
	sample := "```text\n" + head + "…\n\n" + tail + "```"

	golden(t, "sample", sample)
}

// TestGoldenRules is of the rules, to whose headings SARIF's helpUri points.
func TestGoldenRules(t *testing.T) {
	var text strings.Builder
	text.WriteString("| rule | usually | otherwise |\n| --- | --- | --- |\n")
	for _, r := range ruleTexts {
		fmt.Fprintf(&text, "| [%[1]s](#%[1]s) | %s | %s |\n", r.rule, r.level, r.other)
	}
	for _, r := range ruleTexts {
		about := r.short + " " + r.full + " The fix: " + strings.ToLower(r.mend[:1]) + r.mend[1:]
		fmt.Fprintf(&text, "\n### %s\n\n%s\n", r.rule, show.Wrap(about, 92))
	}
	golden(t, "rules", strings.TrimSuffix(text.String(), "\n"))
}

// golden compares a part of docs/audit.md with what it should be, or writes it.
func golden(t *testing.T, name, want string) {
	t.Helper()
	page, err := os.ReadFile(docs + "audit.md")
	require.NoError(t, err)
	begin, end := "<!-- "+name+" -->\n", "\n<!-- end -->"
	head, rest, ok := strings.Cut(string(page), begin)
	require.True(t, ok, name)
	was, tail, ok := strings.Cut(rest, end)
	require.True(t, ok, name)
	if *update {
		require.NoError(t, os.WriteFile(docs+"audit.md", []byte(head+begin+want+end+tail), 0o600))
		return
	}
	require.Equal(t, want, was, "make golden writes it anew")
}

// TestPicturesForTheDocs takes the pictures of docs/audit anew, if it is told where to.
func TestPicturesForTheDocs(t *testing.T) {
	folder := os.Getenv(picturesEnv)
	if folder == "" {
		t.Skip("make audit-page sets " + picturesEnv)
	}
	b := startBrowser(t)
	page := filepath.Join(t.TempDir(), "audit.html")
	audited(t, &Command{DSN: sampleDatabase(t), Format: "table", HTML: page})
	for _, c := range []struct {
		name, scheme  string
		width, height int
	}{{"light", "light", 1000, 1460}, {"dark", "dark", 1000, 1460}, {"phone", "light", 390, 1900}} {
		b.show("file://"+page, c.scheme, c.width, c.height)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "report-"+c.name+".png"), b.picture(), 0o600))
	}
}
