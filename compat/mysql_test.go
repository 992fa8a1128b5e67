package compat

import (
	"context"
	"testing"

	"github.com/m2msafe/m2msafe/compat/mariadb"
)

// plainText compares as the other engines do. The suite counts up in recursive
// queries, for which MariaDB has a limit.
const (
	plainText = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
	deep      = "&max_recursive_iterations=4294967295"
)

var single = server(func(ctx context.Context) (*mariadb.Server, error) {
	if _, err := script(ctx, "install.sh", "mariadb"); err != nil {
		return nil, err
	}
	return mariadb.Start(ctx)
})

// onMariaDB are a single server and the clusters.
func onMariaDB() []Runnable {
	return []Runnable{
		{"mariadb", false, func(t *testing.T) Engine {
			s := single(t)
			return MySQL{Schema: plainText, DSN: func(database string) string { return s.DSN(database) + deep }}.Engine()
		}},
		{"mariadb-snapshot-isolation", false, func(t *testing.T) Engine {
			s := single(t)
			e := MySQL{Schema: plainText, DSN: func(database string) string { return s.DSN(database) + deep + "&innodb_snapshot_isolation=ON" }}.Engine()
			const callers = "it loses against what is newer than its snapshot (1020): a transaction of the caller's is the caller's to run again"
			e.Vary = &Variant{Breaks: map[string]string{
				"revived: it has been made and deleted since the transaction's first look": callers,
				"a lost race in the caller's transaction":                                  callers,
				"one Append in a transaction of the caller's":                              callers,
				"any number of elements takes one lookup and one create":                   "it loses against what is newer than its snapshot (1020): its statements are sent again",
			}}
			return e
		}},
		// Nodes count as a single server does, for the suite tells rows by their numbers.
		{"galera", false, func(t *testing.T) Engine { return galera(t, "OFF") }},
	}
}
