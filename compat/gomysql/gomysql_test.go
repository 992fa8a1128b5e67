// Package gomysql runs the suite on go-mysql-server, which speaks as MySQL 8.0 does
// and runs in the tests' process: a module of its own, for all that it brings.
package gomysql

import (
	"fmt"
	"os"
	"sync"
	"testing"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/compat"
	"github.com/m2msafe/m2msafe/internal/throwaway"
)

// TestMain ends what the server leaves behind with the process.
func TestMain(m *testing.M) { os.Exit(m.Run()) }

// serve starts the one server of the process.
var serve = sync.OnceValues(func() (port int, err error) {
	logrus.SetLevel(logrus.PanicLevel)
	if port, err = throwaway.FreePort(); err != nil {
		return 0, err
	}
	provider := memory.NewDBProviderWithOpts(memory.NativeIndexProvider(true)).(*memory.DbProvider) // foreign keys need them
	s, err := server.NewServer(server.Config{Protocol: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", port)},
		sqle.NewDefault(provider), sql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		return 0, err
	}
	go func() { _ = s.Start() }()
	return port, nil
})

func TestEngine(t *testing.T) {
	compat.Run(t, compat.Runnable{Name: "mysql-in-process", Start: func(t *testing.T) compat.Engine {
		port, err := serve()
		require.NoError(t, err)
		e := compat.MySQL{Schema: "COLLATE utf8mb4_0900_bin", DSN: func(database string) string {
			return fmt.Sprintf("root@tcp(127.0.0.1:%d)/%s?charset=utf8mb4&parseTime=true&loc=UTC", port, database)
		}}.Engine()
		e.NoLocks = "go-mysql-server: it has no row locks, and no transaction waits for another"
		e.NoSavepoints = "go-mysql-server: its tables in memory know neither ROLLBACK nor savepoints"
		e.Vary = &compat.Variant{Breaks: breaks()}
		return e
	}})
}
