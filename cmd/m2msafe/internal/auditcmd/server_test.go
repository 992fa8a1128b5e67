package auditcmd

import (
	"database/sql"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// cluster is the PostgreSQL of this package's tests, started by the first that wants it.
var cluster struct {
	once    sync.Once
	running *pgcluster.Cluster
	err     error
	made    int
}

func TestMain(m *testing.M) {
	code := m.Run()
	if cluster.running != nil {
		if err := cluster.running.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// postgres is the DSN of an empty database.
func postgres(t *testing.T) string {
	t.Helper()
	if _, err := pgcluster.Programs(); err != nil {
		t.Skip(err)
	}
	cluster.once.Do(func() { cluster.running, cluster.err = pgcluster.Start(t.Context()) })
	require.NoError(t, cluster.err)
	admin, err := sql.Open("pgx", cluster.running.DSN())
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	cluster.made++
	name := fmt.Sprintf("audit_%d", cluster.made)
	_, err = admin.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	return cluster.running.DSN() + " dbname=" + name
}
