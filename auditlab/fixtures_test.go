package auditlab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fixture runs the statements that a maker sends for a database of this kind.
func fixture(maker string) func(t testing.TB, d *database) {
	return func(t testing.TB, d *database) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("testdata", "sql", maker+"."+d.kind+".sql"))
		require.NoError(t, err)
		var lines []string
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "--") {
				lines = append(lines, line)
			}
		}
		for statement := range strings.SplitSeq(strings.Join(lines, ""), ";\n") {
			if strings.TrimSpace(statement) != "" {
				d.exec(t, statement)
			}
		}
	}
}
