package mariadb

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/m2msafe/m2msafe/internal/throwaway"
)

// galeraLibrary is where Debian's galera-4 puts the provider.
const galeraLibrary = "/usr/lib/galera/libgalera_smm.so"

// Galera starts a cluster of two nodes, that both take writes.
func Galera(ctx context.Context) (nodes []*Server, err error) {
	defer func() {
		if err != nil {
			for _, n := range nodes {
				err = errors.Join(err, n.Stop())
			}
			nodes = nil
		}
	}()
	var first string
	for i := range 2 {
		n, err := prepare(ctx)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, n)
		var ports [3]int // of the group, of incremental and of full state transfer
		for j := range ports {
			if ports[j], err = throwaway.FreePort(); err != nil {
				return nodes, err
			}
		}
		group := fmt.Sprintf("127.0.0.1:%d", ports[0])
		if i == 0 {
			first = group
		}
		settings := []string{
			"--wsrep-on=ON", "--log-bin", "--log-slave-updates", "--wsrep-provider=" + galeraLibrary, "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
			"--wsrep-cluster-name=" + first, "--wsrep-cluster-address=gcomm://" + first, fmt.Sprintf("--wsrep-node-name=node%d", i+1),
			"--wsrep-node-address=127.0.0.1", fmt.Sprintf("--wsrep-node-incoming-address=127.0.0.1:%d", n.port),
			"--wsrep-sst-method=rsync", fmt.Sprintf("--wsrep-sst-receive-address=127.0.0.1:%d", ports[2]),
			fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://%s;ist.recv_addr=127.0.0.1:%d;gcache.size=32M", group, ports[1]),
			// A read waits for what the other node has committed before.
			"--wsrep-sync-wait=15",
		}
		if i == 0 {
			settings = append(settings, "--wsrep-new-cluster")
		} else {
			// Its users come with the first one's data.
			n.password = nodes[0].password
			if err := os.Truncate(n.file("init.sql"), 0); err != nil {
				return nodes, fmt.Errorf("mariadb: %w", err)
			}
		}
		if err := n.launch(ctx, settings...); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}
