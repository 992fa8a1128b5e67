package faults

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Config is what a run is made of. All of it, but for For and Progress, has to be the
// same for a seed to replay.
type Config struct {
	Seed    uint64
	Faults  int // how many there are at least
	Writers int
	Calls   int           // how many for each fault
	For     time.Duration // no fault and no call begins after that
	// Progress, if there is one, hears how many of the faults are behind.
	Progress func(done, all int)
}

// Defaults of Config.
const (
	DefaultFaults  = 200
	DefaultWriters = 8
	DefaultCalls   = 60
)

// spare are the faults in a hundred that are planned beyond Config.Faults: a call may
// have failed by another fault before it comes to its own.
const spare = 50

// timed is a fault that comes when a number of calls has begun.
type timed struct {
	kind *faultKind
	mark int     // calls begun
	long int     // calls that it lasts, if it lasts
	at   float64 // its measures, from 0 to 1, which each kind reads as its own
	size float64
	pool int
}

// plan is all that the seed decides.
type plan struct {
	Config
	calls [][]*call // each writer's
	warm  int       // how many of each writer's come before any fault
	timed []timed
	total int // calls after those
}

// makePlan draws a plan.
func makePlan(c Config) *plan {
	p := &plan{Config: c, warm: 2 * len(kinds)}
	rng := rand.New(rand.NewPCG(c.Seed, 0))
	list := drawFaults(rng, c.Faults)
	perWriter := (c.Faults*c.Calls + c.Writers - 1) / c.Writers
	p.total = perWriter * c.Writers
	for w := range c.Writers {
		p.calls = append(p.calls, drawCalls(rand.New(rand.NewPCG(c.Seed, uint64(w)+1)), w, p.warm, perWriter))
	}
	var own []*faultKind
	for _, k := range list {
		if k.inCall {
			own = append(own, k)
		} else {
			p.timed = append(p.timed, timed{kind: k})
		}
	}
	slot := max(1, p.total/(len(p.timed)+1))
	for i := range p.timed {
		f := &p.timed[i]
		f.mark = slot*i + rng.IntN(max(1, slot/2))
		f.long = 1 + rng.IntN(max(1, slot/2))
		f.at, f.size, f.pool = rng.Float64(), rng.Float64(), rng.IntN(len(pools))
	}
	p.place(rng, own)
	return p
}

// place gives faults of their own to calls, each another. Those that come at a
// statement of the call take the kind's statements in turn.
func (p *plan) place(rng *rand.Rand, list []*faultKind) {
	at := rng.Perm(p.total)
	turns := map[*faultKind]map[*kind]int{}
	for i, k := range list {
		w, n := at[i]%p.Writers, p.warm+at[i]/p.Writers
		c := p.calls[w][n]
		if turns[k] == nil {
			turns[k] = map[*kind]int{}
		}
		if _, ok := turns[k][c.kind]; !ok {
			turns[k][c.kind] = rng.IntN(100)
		}
		c.fault = &ownFault{kind: k, turn: turns[k][c.kind], share: rng.Float64(), up: rng.IntN(3) == 0}
		turns[k][c.kind]++
	}
}

// drawFaults draws n kinds and some to spare, all kinds among them if there is room.
func drawFaults(rng *rand.Rand, n int) []*faultKind {
	var list []*faultKind
	for _, k := range faultKinds {
		list = append(list, k)
	}
	weights := 0
	for _, k := range faultKinds {
		weights += k.weight
	}
	for len(list) < n {
		left := rng.IntN(weights)
		for _, k := range faultKinds {
			if left -= k.weight; left < 0 {
				list = append(list, k)
				break
			}
		}
	}
	list = list[:n]
	rng.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	inCall := slices.DeleteFunc(slices.Clone(faultKinds), func(k *faultKind) bool { return !k.inCall })
	for range n*spare/100 + 1 {
		list = append(list, inCall[rng.IntN(len(inCall))])
	}
	return list
}

// drawCalls draws a writer's calls: some of each kind to begin with, before there are
// faults, and then by weight.
func drawCalls(rng *rand.Rand, writer, warm, n int) []*call {
	allowed := kindsOf(writer)
	weights := 0
	for _, k := range allowed {
		weights += k.weight
	}
	var calls []*call
	for i := range warm {
		calls = append(calls, drawCall(rng, writer, i, allowed[i%len(allowed)]))
	}
	for i := range n {
		left := rng.IntN(weights)
		for _, k := range allowed {
			if left -= k.weight; left < 0 {
				calls = append(calls, drawCall(rng, writer, warm+i, k))
				break
			}
		}
	}
	return calls
}

// kindsOf are the kinds of call that a writer makes.
func kindsOf(writer int) []*kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k *kind) bool { return k.whole && pools[poolOf(writer)].open })
}

func drawCall(rng *rand.Rand, writer, index int, k *kind) *call {
	c := &call{writer: writer, index: index, kind: k, rng: rng}
	k.plan(c)
	c.again = k.repeats && rng.IntN(2) == 0
	c.rng = nil
	return c
}
