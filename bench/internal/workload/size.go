package workload

import "github.com/m2msafe/m2msafe/bench/internal/contender"

// Size is how much is measured.
type Size struct {
	Users, Groups int   // stored
	Stored        int   // links of each user of the second half, which stay
	Links         []Run // one after the other
	Delay         []Run // the same with a slow network
	Milliseconds  int   // that the slow network adds each way
	Writers       int
	HotCalls      int                     // of each writer, on one owner
	Sides         map[contender.Model]int // users and groups that the writers link, each with each
	WriterRounds  int
	Idle          Run
	Wire          []int
	Bulk          Bulk
}

// Run is one number of links in a call: how many calls a sample has, and how many
// samples there are.
type Run struct{ N, Calls, Rounds int }

// Full is for the page.
func Full() Size {
	return Size{
		Users: 1000, Groups: 40000, Stored: 200,
		Links:        []Run{{1, 40, 60}, {10, 30, 40}, {100, 10, 40}, {1000, 4, 30}, {10000, 1, 14}},
		Delay:        []Run{{1, 5, 20}, {100, 5, 20}, {1000, 2, 12}},
		Milliseconds: 1,
		// With updated_at most of stock GORM's calls end in deadlocks, of a second
		// each: more than a few users would take minutes a sample.
		Writers: 8, HotCalls: 50, WriterRounds: 7,
		Sides: map[contender.Model]int{contender.Plain: 20, contender.Stamped: 3},
		Idle:  Run{1, 20, 400},
		Wire:  []int{1, 10, 100, 1000, 10000, 30000},
		Bulk:  Bulk{20000, 50, 5},
	}
}

// Quick shows that all of it works. Its figures say nothing.
func Quick() Size {
	return Size{
		Users: 100, Groups: 1000, Stored: 20,
		Links:        []Run{{1, 3, 6}, {10, 3, 6}, {100, 2, 6}},
		Delay:        []Run{{1, 2, 6}},
		Milliseconds: 1,
		Writers:      8, HotCalls: 3, WriterRounds: 6,
		Sides: map[contender.Model]int{contender.Plain: 3, contender.Stamped: 1},
		Idle:  Run{1, 5, 6},
		Wire:  []int{1, 100},
		Bulk:  Bulk{400, 20, 2},
	}
}
