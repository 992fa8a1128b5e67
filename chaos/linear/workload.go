package linear

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"gorm.io/gorm"
)

// The pairs are few, so that calls meet.
const (
	Owners  = 2
	Targets = 3
	all     = Set(1<<Targets - 1)
)

// Kind is which call is made.
type Kind string

// The kinds.
const (
	Append  Kind = "Append"
	Delete  Kind = "Delete"
	Replace Kind = "Replace"
	Count   Kind = "Count"
	Find    Kind = "Find"
)

// Workload is a random mix of calls, made by several clients at once.
type Workload struct {
	Seed  uint64
	Calls int // by each client
	// Hurry is of how many writes one has a deadline that it may well miss; 0 for none.
	Hurry int
	// Serializable has each call made in a transaction of that level, which is run
	// again if it loses.
	Serializable bool
	// Whole are the kinds of which a call is taken for one moment.
	Whole []Kind
}

// Run has each of the clients make its calls through the app, all at once, and reads
// the owners' sets when they are done. An error that is neither a lost transaction nor
// a missed deadline is Run's. It puts callbacks into the clients.
func (w Workload) Run(app App, dbs ...*gorm.DB) (*History, error) {
	var (
		history = History{Lost: map[Kind]int{}}
		group   sync.WaitGroup
		start   = make(chan struct{})
		began   = time.Now()
		clients = make([]*client, len(dbs))
	)
	for i, db := range dbs {
		clients[i] = &client{Workload: w, app: app, db: db, id: i, began: began, history: History{Lost: map[Kind]int{}}}
		if err := clients[i].stamp(); err != nil {
			return nil, err
		}
	}
	for i, c := range clients {
		group.Go(func() {
			<-start
			for _, call := range w.calls(i) {
				c.make(call)
			}
		})
	}
	close(start)
	group.Wait()
	for owner := range uint(Owners) {
		clients[0].make(call{Kind: Find, Pairs: Pairs{Owner: owner + 1}})
	}
	var failed error
	for _, c := range clients {
		history.add(&c.history)
		failed = errors.Join(failed, c.failed)
	}
	return &history, failed
}

// call is one that a client makes.
type call struct {
	Kind
	Pairs
	deadline time.Duration // 0 for none
}

// calls are those of a client. They follow from the seed alone.
func (w Workload) calls(client int) []call {
	random := rand.New(rand.NewPCG(w.Seed, uint64(client)))
	calls := make([]call, w.Calls)
	for i := range calls {
		c := call{Pairs: Pairs{Owner: uint(1 + random.IntN(Owners)), Targets: Set(1 + random.IntN(int(all)))}}
		switch n := random.IntN(20); {
		case n < 8:
			c.Kind = Append
		case n < 13:
			c.Kind = Delete
		case n < 15:
			c.Kind, c.Targets = Replace, Set(random.IntN(int(all)+1)) // by none, too
		case n < 17:
			c.Kind = Count
		default:
			c.Kind = Find
		}
		if (c.Kind == Append || c.Kind == Delete) && random.IntN(3) == 0 {
			c.Reverse, c.Targets = true, of(uint(1+random.IntN(Targets)))
		}
		if w.Hurry > 0 && c.Kind != Count && c.Kind != Find && random.IntN(w.Hurry) == 0 {
			c.deadline = time.Duration(1+random.IntN(3000)) * time.Microsecond
		}
		calls[i] = c
	}
	return calls
}
