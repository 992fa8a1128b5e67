package faults

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// through starts an engine and a proxy to it, and connects the app through that.
func through(t *testing.T, engine string, abrupt bool) (*server, *proxy, *gorm.DB) {
	t.Helper()
	s, err := engines[engine](t.Context())
	skipWithout(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	p, err := newProxy("test", s.Addr(), abrupt)
	require.NoError(t, err)
	t.Cleanup(p.proxy.Stop)
	db, err := gorm.Open(s.dialector(p.addr()), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = pool.Close() })
	return s, p, db
}

// sleep is a statement that is at work for a while. It has a parameter: of one without,
// pgx v5.12.0 says when the connection goes that it was not sent, and database/sql
// sends it again.
func sleep(engine string) string {
	return map[string]string{"postgres": "SELECT pg_sleep(?)::text", "mariadb": "SELECT SLEEP(?) FROM information_schema.engines"}[engine]
}

// reconnected requires that the app can work again.
func reconnected(t *testing.T, db *gorm.DB) {
	t.Helper()
	require.Eventually(t, func() bool { return db.Exec("SELECT 1").Error == nil }, 5*time.Second, time.Millisecond)
}

// Each fault of the server's and the wire's is what it is called, is classed as such,
// and ends.
func TestFaultsAreReal(t *testing.T) {
	everyEngine(t, func(t *testing.T, engine string) {
		s, p, db := through(t, engine, false)
		failed := func() chan error {
			errs := make(chan error, 1)
			go func() { errs <- db.Exec(sleep(engine), 3).Error }()
			time.Sleep(50 * time.Millisecond)
			return errs
		}

		errs := failed()
		hit, err := s.harm(t.Context(), s.cancel, 0, true)
		require.NoError(t, err)
		require.True(t, hit)
		require.Equal(t, stopped, classOf(<-errs))
		reconnected(t, db)

		errs = failed()
		hit, err = s.harm(t.Context(), s.terminate, 0.99, true)
		require.NoError(t, err)
		require.True(t, hit)
		require.Contains(t, []class{ended, lost}, classOf(<-errs)) // MariaDB says nothing
		require.NoError(t, closeIdle(db))
		sessions, err := eventually(t.Context(), 5*time.Second, func() ([]string, error) { return s.texts(t.Context(), s.sessions) })
		require.NoError(t, err)
		require.Empty(t, sessions)
		hit, err = s.harm(t.Context(), s.terminate, 0, true)
		require.NoError(t, err)
		require.False(t, hit, "there is no session")
		reconnected(t, db)

		errs = failed()
		require.NoError(t, s.Crash())
		require.Contains(t, []class{ended, lost}, classOf(<-errs))
		require.Equal(t, lost, classOf(db.Exec("SELECT 1").Error))
		require.NoError(t, s.Restart(t.Context()))
		reconnected(t, db)

		errs = failed()
		lift, err := p.off()
		require.NoError(t, err)
		require.Equal(t, lost, classOf(<-errs))
		require.Equal(t, refused, classOf(db.Exec("SELECT 1").Error))
		require.NoError(t, lift())
		require.NoError(t, lift(), "again")
		reconnected(t, db)
	})
}

func TestToxics(t *testing.T) {
	everyEngine(t, func(t *testing.T, engine string) {
		for _, abrupt := range []bool{false, true} {
			t.Run(fmt.Sprint("abrupt ", abrupt), func(t *testing.T) {
				s, p, db := through(t, engine, abrupt)
				require.NoError(t, db.Exec("CREATE TABLE t (n int)").Error)
				stored := func() (n string) {
					list, err := s.texts(t.Context(), "SELECT count(*) FROM t")
					require.NoError(t, err)
					return list[0]
				}
				under := func(kind, attribute string, value int, up bool, f func(commit func() error)) {
					reconnected(t, db)
					tx := db.Begin()
					require.NoError(t, tx.Exec("INSERT INTO t VALUES (1)").Error)
					lift, err := p.poison(kind, attribute, value, up)
					require.NoError(t, err)
					f(func() error { return tx.Commit().Error })
					require.NoError(t, lift())
					require.NoError(t, lift(), "again")
				}
				under("limit_data", "bytes", 0, false, func(commit func() error) {
					require.Equal(t, lost, classOf(commit()))
					require.Equal(t, "1", stored(), "the answer is lost")
				})
				under("limit_data", "bytes", 0, true, func(commit func() error) { require.Equal(t, lost, classOf(commit())) })
				under("reset_peer", "timeout", 0, true, func(commit func() error) { require.Equal(t, lost, classOf(commit())) })
				under("timeout", "timeout", 50, true, func(commit func() error) {
					began := time.Now()
					require.Equal(t, lost, classOf(commit()))
					require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
				})
				require.Equal(t, "1", stored(), "the others' requests are")
				under("latency", "latency", 50, false, func(commit func() error) {
					began := time.Now()
					require.NoError(t, commit())
					require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
				})
				require.Equal(t, "2", stored())
			})
		}
	})
}

func closeIdle(db *gorm.DB) error {
	pool, err := db.DB()
	if err == nil {
		pool.SetMaxIdleConns(-1)
		pool.SetMaxIdleConns(1)
	}
	return err
}

func TestClasses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, refusal := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	for _, c := range []struct {
		err     error
		class   class
		unknown bool
	}{
		{fmt.Errorf("x: %w", ctx.Err()), cancelled, true},
		{context.DeadlineExceeded, deadline, true},
		{refusal, refused, true},
		{sql.ErrTxDone, rolledBack, true},
		{sql.ErrConnDone, other, false},
		{errCancelled, stopped, false},
		{&mysql.MySQLError{Number: 1317}, stopped, true},
		{fmt.Errorf("%w: %w", m2msafe.ErrRetry, net.ErrClosed), lostRace, false},
		{gorm.ErrDuplicatedKey, other, false},
	} {
		require.Equal(t, c.class, classOf(c.err), c.err)
		require.Equal(t, c.unknown, unknown(c.err), c.err)
	}
	require.False(t, unknown(nil))
}
