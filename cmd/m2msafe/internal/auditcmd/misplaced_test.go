package auditcmd

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// A DSN that was put in the place of a table's name is repeated as one that is not there,
// without its password.
func TestDSNInTheWrongPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]Command{
		"table, a URL":       {Tables: []string{"postgres://u:tigerpass@db.example.com/shop"}},
		"table, key=value":   {Tables: []string{"host=db.example.com user=u password=tigerpass"}},
		"table, a Go driver": {Tables: []string{"u:tigerpass@tcp(db.example.com:3306)/shop"}},
		"lookup, a URL":      {Lookups: []string{"postgres://u:tigerpass@db.example.com/shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range Formats {
				c := c
				c.DSN, c.Format, c.HTML, c.Width = file, format, filepath.Join(t.TempDir(), "page.html"), 90
				c.Timeout, c.CountUpTo, c.Now = time.Minute, 1, func() time.Time { return morning }
				var stdout, stderr bytes.Buffer
				require.Equal(t, ExitFailed, c.Run(t.Context(), &stdout, &stderr), stderr.String())
				page, err := os.ReadFile(c.HTML)
				require.NoError(t, err)
				for _, text := range []string{stdout.String(), string(page)} {
					require.Contains(t, text, dsn.Hidden, format)
					require.NotContains(t, text, "tigerpass", format)
				}
				require.NotContains(t, stderr.String(), "tigerpass")
			}
		})
	}
}
