package mariadb

import (
	"database/sql"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRestartAfterACrashKeepsWhatWasCommitted(t *testing.T) {
	s, err := Start(t.Context(), "--innodb-flush-log-at-trx-commit=2")
	if errors.Is(err, ErrNoPrograms) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() {
		require.NoError(t, s.Stop())
		require.NoDirExists(t, s.folder.Dir)
	}()
	db, err := sql.Open("mysql", s.DSN("mysql"))
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxIdleConns(-1) // an idle one would not survive
	_, err = db.Exec("CREATE TABLE kept (n int) ENGINE=InnoDB")
	require.NoError(t, err)
	addr, rows := s.Addr(), 0
	for range 2 {
		open, err := db.Begin()
		require.NoError(t, err)
		_, err = open.Exec("INSERT INTO kept VALUES (-1)")
		require.NoError(t, err)
		for range 100 {
			_, err = db.Exec("INSERT INTO kept VALUES (1)")
			require.NoError(t, err)
			rows++
		}
		require.NoError(t, s.Crash())
		require.Error(t, open.Commit(), "its session is gone")
		_, err = net.DialTimeout("tcp", addr, time.Second)
		require.Error(t, err, "the port still answers")

		require.NoError(t, s.Restart(t.Context()))
		require.Equal(t, addr, s.Addr())
		var n, uncommitted int
		require.NoError(t, db.QueryRow("SELECT count(*), count(IF(n < 0, 1, NULL)) FROM kept").Scan(&n, &uncommitted))
		require.Equal(t, []int{rows, 0}, []int{n, uncommitted})
	}
	require.NoError(t, s.Crash(), "Stop has nothing to end then")
}
