package compat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/compat/internal/mariadb"
)

// plainText compares as the other engines do. The suite counts up in recursive
// queries, for which MariaDB has a limit.
const (
	plainText = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
	deep      = "&max_recursive_iterations=4294967295"
)

// What the tests of MariaDB share; TestMain stops it.
var single = sync.OnceValues(func() (*mariadb.Server, error) { return mariadb.Start(context.Background()) })

var singleUsed atomic.Bool

// stopMariaDB stops what has been started.
func stopMariaDB() (err error) {
	if singleUsed.Load() {
		if server, failed := single(); failed == nil {
			err = server.Stop()
		}
	}
	if clusterUsed.Load() {
		if nodes, failed := cluster(); failed == nil {
			for _, node := range nodes {
				err = errors.Join(err, node.Stop())
			}
		}
	}
	return err
}

func TestMariaDB(t *testing.T) {
	singleUsed.Store(true)
	server, err := single()
	require.NoError(t, err)
	Exercise(t, MySQL{Name: "mariadb", Schema: plainText, DSN: func(database string) string { return server.DSN(database) + deep }}.Engine())
}
