package dsn

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// A server that takes connections and says nothing, as one behind a firewall may.
func TestServerThatSaysNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	for _, form := range []string{"postgres://u@%s/db", "mysql://u:hush-hush@%s/db"} {
		_, _, _, err = open(t.Context(), fmt.Sprintf(form, listener.Addr()), 300*time.Millisecond)
		require.ErrorContains(t, err, "the database did not answer in 0.3 s: ", form)
		require.NotContains(t, err.Error(), "hush-hush")
	}
}

func TestFailure(t *testing.T) {
	for want, errs := range map[string][]error{
		"the database refused the login":      {&pgconn.PgError{Code: "28P01"}, &pgconn.PgError{Code: "28000"}, &mysql.MySQLError{Number: 1045}, &mysql.MySQLError{Number: 1044}},
		"the database refused the connection": {&pgconn.PgError{Code: "3D000"}, &mysql.MySQLError{Number: 1049}},
		"can't reach the database":            {errors.New("dial")},
	} {
		for _, err := range errs {
			require.Equal(t, want, failure(Postgres, fmt.Errorf("wrapped: %w", err)), err)
		}
	}
}
