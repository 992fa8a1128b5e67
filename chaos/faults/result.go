package faults

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is what a run has found.
type Result struct {
	Config          Config
	Engine, Version string
	Took            time.Duration
	Injected        []Count // by kind of fault
	Calls           []CallCount
	Errors          []Count // by class, of each try
	Reruns          int     // of callers' transactions that have lost, by ErrRetry
	Rows            int     // that were compared
	Done, Undone    int     // failed calls of which all rows are there, and of which none is
	Broken          []Broken
}

// Count is how often something was.
type Count struct {
	What string
	N    int
}

// CallCount is how the calls of a kind have ended.
type CallCount struct {
	What                 string
	Acknowledged, Failed int
	Again                int // of those acknowledged, how many had failed before
}

// Faults is how many there were.
func (r *Result) Faults() (n int) {
	for _, c := range r.Injected {
		n += c.N
	}
	return n
}

func (r *run) result(a *audit) *Result {
	result := &Result{
		Config: r.plan.Config, Rows: a.rows, Done: a.done, Undone: a.undone, Broken: append(r.broken, a.broken...),
	}
	for _, k := range faultKinds {
		if n := r.count[k]; n > 0 {
			result.Injected = append(result.Injected, Count{k.name, n})
		}
	}
	classes := map[class]int{}
	for _, k := range kinds {
		count := CallCount{What: k.name}
		for _, c := range slices.Concat(r.plan.calls...) {
			if c.kind != k || !c.begun() {
				continue
			}
			result.Reruns += c.reruns
			for _, t := range c.tries {
				if t.err != nil {
					classes[classOf(t.err)]++
				}
			}
			switch {
			case c.err() != nil:
				count.Failed++
			case len(c.tries) > 1:
				count.Again++
				fallthrough
			default:
				count.Acknowledged++
			}
		}
		result.Calls = append(result.Calls, count)
	}
	for class, n := range classes {
		result.Errors = append(result.Errors, Count{string(class), n})
	}
	slices.SortFunc(result.Errors, func(a, b Count) int { return b.N - a.N })
	return result
}

// Replay are the arguments that make the same run again.
func (r *Result) Replay() string {
	c := r.Config
	return fmt.Sprintf("--engine %s --seed %d --faults %d --writers %d --calls %d", r.Engine, c.Seed, c.Faults, c.Writers, c.Calls)
}

// shown is how much of an invariant that is broken is written out.
const shown = 5

// Ended is how many calls of all kinds ended how.
func (r *Result) Ended() (all CallCount) {
	for _, c := range r.Calls {
		all.Acknowledged, all.Failed, all.Again = all.Acknowledged+c.Acknowledged, all.Failed+c.Failed, all.Again+c.Again
	}
	return all
}

// WriteLine writes how much was done.
func (r *Result) WriteLine(to io.Writer) error {
	all := r.Ended()
	_, err := fmt.Fprintf(to, "%s, %d writers, %.1f s: %d faults, %d calls acknowledged and %d failed\n",
		r.Version, r.Config.Writers, r.Took.Seconds(), r.Faults(), all.Acknowledged, all.Failed)
	return err
}

// Write writes it for people.
func (r *Result) Write(to io.Writer) error {
	var b strings.Builder
	_ = r.WriteLine(&b) // to memory
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nfaults\t\n")
	for _, c := range r.Injected {
		fmt.Fprintf(t, "  %s\t%d\n", c.What, c.N)
	}
	fmt.Fprintf(t, "\ncalls\tacknowledged\tat a later try\tfailed\n")
	for _, c := range r.Calls {
		fmt.Fprintf(t, "  %s\t%d\t%d\t%d\n", c.What, c.Acknowledged, c.Again, c.Failed)
	}
	fmt.Fprintf(t, "\nerrors of each try\t\n")
	for _, c := range r.Errors {
		fmt.Fprintf(t, "  %s\t%d\n", c.What, c.N)
	}
	_ = t.Flush()
	fmt.Fprintf(&b, "\ncallers' transactions run again, for ErrRetry: %d\n", r.Reruns)
	fmt.Fprintf(&b, "\nin the database: %d rows; of the failed calls with rows of their own %d have stored nothing, and %d everything (what was lost is the answer)\n",
		r.Rows, r.Undone, r.Done)
	if len(r.Broken) == 0 {
		fmt.Fprintf(&b, "nothing is broken\n")
	}
	for i, of := 0, r.Broken; i < len(of); {
		n := 1
		for i+n < len(of) && of[i+n].Invariant == of[i].Invariant {
			n++
		}
		fmt.Fprintf(&b, "\nBROKEN, %d times: %s\n", n, of[i].Invariant)
		for _, broken := range of[i:min(i+n, i+shown)] {
			fmt.Fprintf(&b, "  %s\n", broken.What)
		}
		i += n
	}
	_, err := io.WriteString(to, b.String())
	return err
}
