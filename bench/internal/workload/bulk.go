package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

// HeapEarly and HeapLate are the units of contender.Linked's bytes.
const (
	HeapEarly = "heap-quarter-bytes"
	HeapLate  = "heap-end-bytes"
)

// Bulk is how much the bulk suite links: so many groups for each of the users, who
// are as many as the groups.
type Bulk struct{ Users, Each, Rounds int }

// bulkCases link many pairs of keys into an empty join table, with two foreign keys
// and an index for the other side.
func bulkCases(ctx context.Context, b *Bench, run func(Case) error) error {
	size := b.Size.Bulk
	err := b.exec(ctx,
		"CREATE TABLE bulk_users (id bigint PRIMARY KEY)", "CREATE TABLE bulk_groups (id bigint PRIMARY KEY)",
		fmt.Sprintf("INSERT INTO bulk_users SELECT generate_series(1, %d)", size.Users),
		fmt.Sprintf("INSERT INTO bulk_groups SELECT generate_series(1, %d)", size.Users),
		"CREATE TABLE bulk_user_groups (user_id bigint NOT NULL REFERENCES bulk_users, group_id bigint NOT NULL REFERENCES bulk_groups, PRIMARY KEY (user_id, group_id))",
		"CREATE INDEX ON bulk_user_groups (group_id)", "VACUUM ANALYZE")
	if err != nil {
		return err
	}
	sorted := bulkPairs(size)
	shuffled := append([]contender.Pair{}, sorted...)
	rand.New(rand.NewPCG(b.Seed, 0)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, order := range []struct {
		name  string
		pairs []contender.Pair
	}{{"key", sorted}, {"random", shuffled}} {
		c := Case{Name: fmt.Sprintf("Bulk/pairs=%d/order=%s", len(sorted), order.name), Rounds: size.Rounds, Once: true}
		for _, who := range contender.Bulk() {
			c.Entries = append(c.Entries, Entry{who.Name, func(ctx context.Context, _ *rand.Rand) (Sample, error) {
				return b.bulk(ctx, who.Name, order.pairs)
			}})
		}
		if err := run(c); err != nil {
			return err
		}
	}
	return b.exec(ctx, "DROP TABLE bulk_user_groups, bulk_users, bulk_groups")
}

// bulkPairs are distinct pairs in the order of the key.
func bulkPairs(size Bulk) []contender.Pair {
	pairs := make([]contender.Pair, 0, size.Users*size.Each)
	step := size.Users / size.Each
	for user := range size.Users {
		for i := range size.Each {
			pairs = append(pairs, contender.Pair{int64(user + 1), int64(i*step + user*7%step + 1)})
		}
	}
	return pairs
}

func (b *Bench) bulk(ctx context.Context, name string, pairs []contender.Pair) (s Sample, err error) {
	if err := b.exec(ctx, "TRUNCATE bulk_user_groups", "CHECKPOINT"); err != nil {
		return s, err
	}
	call, closed, err := contender.OpenBulk(ctx, name, contender.Server{DSN: b.DSN, Conns: 1})
	if err != nil {
		return s, err
	}
	runtime.GC()
	start := time.Now()
	linked, err := call(ctx, pairs)
	took := time.Since(start)
	if err == nil && linked.Created != int64(len(pairs)) {
		err = fmt.Errorf("%d of %d pairs were linked", linked.Created, len(pairs))
	}
	if err == nil {
		err = closed()
	}
	s.Calls, s.Values = 1, []benchfmt.Value{nanoseconds(float64(took.Nanoseconds()))}
	if linked.Late > 0 {
		s.Values = append(s.Values, benchfmt.Value{Value: float64(linked.Early), Unit: HeapEarly}, benchfmt.Value{Value: float64(linked.Late), Unit: HeapLate})
	}
	return s, err
}
