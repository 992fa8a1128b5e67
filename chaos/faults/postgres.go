package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// appName is what the app's sessions are told by.
const appName = "m2msafe_chaos"

// startPostgres starts a throwaway cluster whose COMMITs outlive a crash of the
// server: they are answered when they have been handed to the operating system.
func startPostgres(ctx context.Context) (*server, error) {
	cluster, err := pgcluster.Start(ctx, "synchronous_commit=on", "deadlock_timeout=100ms")
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	const app = "FROM pg_stat_activity WHERE application_name = '" + appName + "' "
	config, err := pgx.ParseConfig(cluster.DSN())
	if err != nil {
		return nil, errors.Join(err, cluster.Stop())
	}
	s := &server{
		process: cluster,
		dialector: func(addr string) gorm.Dialector {
			app := config.Copy()
			host, port, _ := net.SplitHostPort(addr)
			number, _ := strconv.ParseUint(port, 10, 16)
			app.Host, app.Port = host, uint16(number)
			app.RuntimeParams["application_name"] = appName
			return postgres.New(postgres.Config{Conn: stdlib.OpenDB(*app)})
		},
		admin:     stdlib.OpenDB(*config),
		version:   "SELECT split_part(version(), ' on ', 1)",
		sessions:  "SELECT pid::text " + app + "ORDER BY pid",
		busy:      "SELECT pid::text " + app + "AND state = 'active' ORDER BY pid",
		terminate: "SELECT pg_terminate_backend(%s)",
		cancel:    "SELECT pg_cancel_backend(%s)",
		open: `SELECT 'session ' || pid || ', ' || state || ', in a transaction: ' || query ` + app + `AND xact_start IS NOT NULL
UNION ALL SELECT 'session ' || a.pid || ', a lock: ' || l.locktype || ' ' || l.mode FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid AND a.application_name = '` + appName + `'`,
		seeded: []string{
			"SELECT setval(pg_get_serial_sequence('owners', 'id'), (SELECT max(id) FROM owners))",
			"SELECT setval(pg_get_serial_sequence('labels', 'id'), (SELECT max(id) FROM labels))",
		},
	}
	s.admin.SetMaxIdleConns(-1)
	return s, nil
}
