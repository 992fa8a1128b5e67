package auditcmd

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Tests{M: m}.Run()) }

// postgres is the DSN of an empty database.
func postgres(t *testing.T) string {
	t.Helper()
	if err := testserver.Missing(); err != nil {
		t.Skip(err)
	}
	dsn, err := testserver.Database()
	require.NoError(t, err)
	return dsn
}
