// Package tidb runs the conformance suite on TiDB, which runs in the test's
// process: a module of its own, for what it takes to build it.
package tidb

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pingcap/log"
	"github.com/pingcap/tidb/pkg/config"
	"github.com/pingcap/tidb/pkg/server"
	"github.com/pingcap/tidb/pkg/session"
	"github.com/pingcap/tidb/pkg/store/mockstore"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/compat"
	"github.com/m2msafe/m2msafe/internal/throwaway"
)

// TestMain ends what TiDB leaves behind with the process.
func TestMain(m *testing.M) { os.Exit(m.Run()) }

// serve starts the one server of the process, whose state is global.
var serve = sync.OnceValues(func() (port int, err error) {
	cfg := config.NewConfig()
	if port, err = throwaway.FreePort(); err != nil {
		return 0, err
	}
	cfg.Host, cfg.Port, cfg.Status.ReportStatus = "127.0.0.1", uint(port), false
	cfg.Socket = ""
	cfg.Store = "unistore"
	cfg.Security.AutoTLS = false
	cfg.Log.Level = "error"
	if cfg.TempDir, err = os.MkdirTemp("", "m2msafe-tidb-"); err != nil {
		return 0, err
	}
	config.StoreGlobalConfig(cfg)
	store, err := mockstore.NewMockStore()
	if err != nil {
		return 0, err
	}
	session.SetSchemaLease(500 * time.Millisecond)
	session.DisableStats4Test()
	domain, err := session.BootstrapSession(store)
	if err != nil {
		return 0, err
	}
	log.SetLevel(zap.FatalLevel) // what it logs is not the tests' matter
	started := make(chan struct{})
	server.RunInGoTest, server.RunInGoTestChan = true, started
	s, err := server.NewServer(cfg, server.NewTiDBDriver(store))
	if err != nil {
		return 0, err
	}
	s.SetDomain(domain)
	domain.InfoSyncer().SetSessionManager(s)
	go func() { _ = s.Run(nil) }()
	<-started
	pool, err := sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/", port))
	if err != nil {
		return 0, err
	}
	defer func() { _ = pool.Close() }()
	_, err = pool.Exec("SET GLOBAL tidb_enable_check_constraint = ON") // MySQL has them on
	return port, err
})

// optimistic are behaviours that transactions without locks do not have.
var optimistic = func() map[string]string {
	const (
		keys    = "an optimistic transaction of TiDB meets other unique keys at COMMIT: that error is the driver's"
		callers = "an optimistic transaction of TiDB loses at COMMIT (9007): the caller's own, and a statement of stock GORM's, are the caller's to run again"
		hooks   = "an optimistic transaction of TiDB loses at COMMIT: the hooks run again"
		sends   = "an optimistic transaction of TiDB loses at COMMIT: its statements are sent again"
	)
	return map[string]string{
		"a unique key on one column of the pair is not the pair's":                 keys,
		"NaturalKey names one of several keys":                                     keys,
		"NaturalKey of a single call leaves other calls as they are":               keys,
		"the caller's transaction works after each refusal":                        keys,
		"no value of a row is in the text of a statement":                          keys,
		"under ParameterizedQueries no value is in a log or an error":              keys,
		"Append after Delete on a join model that is deleted softly":               callers,
		"a lost race ends with the winner's rows":                                  hooks,
		"any number of elements takes one lookup and one create":                   sends,
		"one Append in a transaction of the caller's":                              callers,
		"Replace by the same targets":                                              callers,
		"revived: it has been made and deleted since the transaction's first look": callers,
		"writers of all kinds meet in one owner":                                   callers,
		"writers of all kinds meet in one owner, without a unique key":             callers,
	}
}()

// TestEngine runs the suite in both modes of transactions.
func TestEngine(t *testing.T) {
	in := func(mode string) func(*testing.T) compat.Engine {
		return func(t *testing.T) compat.Engine {
			port, err := serve()
			require.NoError(t, err)
			e := compat.MySQL{Schema: "COLLATE utf8mb4_bin", DSN: func(database string) string {
				return fmt.Sprintf("root@tcp(127.0.0.1:%d)/%s?charset=utf8mb4&parseTime=true&loc=UTC&cte_max_recursion_depth=4294967295&tidb_txn_mode=%%27%s%%27", port, database, mode)
			}}.Engine()
			breaks := map[string]string{
				"keys that are UUIDs as text":                                           "TiDB has no type uuid",
				"a lock that is waited for too long is a loss, and is waited for again": "optimistic transactions wait for no lock, and of pessimistic ones TiDB in process fails by itself: nil pointer dereference",
			}
			if mode == "optimistic" {
				maps.Copy(breaks, optimistic)
			} else {
				// docs.pingcap.com/tidb/stable/foreign-key, "Locking"
				breaks["revived: another link is made and deleted meanwhile"] = "TiDB locks the article for its foreign key: nobody makes another of its links meanwhile"
			}
			// In pessimistic ones too, without a unique key: of 8 writers 1 or 2 of some hundred
			// calls have lost 11 times.
			e.Races = []m2msafe.Option{m2msafe.Retries(100)}
			e.Vary = &compat.Variant{Breaks: breaks}
			return e
		}
	}
	compat.Run(t,
		compat.Runnable{Name: "tidb-pessimistic", Start: in("pessimistic")},
		compat.Runnable{Name: "tidb-optimistic", Start: in("optimistic")},
	)
}
