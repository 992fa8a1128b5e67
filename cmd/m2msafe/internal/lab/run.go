package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"gorm.io/gorm"
)

// trialLimit bounds one way of one experiment, so that a way that hangs shows
// as errors and not as a lab that never ends.
const trialLimit = 3 * time.Minute

// Lab runs experiments on an engine.
type Lab struct {
	Engine      *Engine
	Experiments []*Experiment
	Ways        []*Way
	Size        Size
	Seed        uint64
	// Progress is told of each call that is made, by several goroutines at
	// once; nil for nobody.
	Progress func(e *Experiment, w *Way)
}

// Result is what one way of one experiment came to.
type Result struct {
	Experiment string            `json:"experiment"`
	Way        string            `json:"way"`
	Skipped    string            `json:"skipped,omitempty"` // why it was not run
	Calls      int               `json:"calls"`
	Errors     map[string]int    `json:"errors"`             // by kind
	Expected   map[string]int    `json:"expected,omitempty"` // errors that are the right answer, by kind
	Samples    map[string]string `json:"samples,omitempty"`  // the first error of each kind
	Damage
	Effect  *int64        `json:"effect,omitempty"` // how far Experiment.Effect was counted
	Elapsed time.Duration `json:"elapsed_ns"`       // of the calls alone
}

// Failed is how many calls returned an error that was not the right answer.
func (r *Result) Failed() int {
	n := 0
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// Clean says that nothing is wrong.
func (r *Result) Clean() bool {
	return r.Failed() == 0 && r.Damage == Damage{} && (r.Effect == nil || *r.Effect == 0)
}

// Calls is how many calls Run will make.
func (l *Lab) Calls() int {
	n := 0
	for _, e := range l.Experiments {
		if e.skip(l.Engine) {
			continue
		}
		for round := range e.Rounds(l.Size) {
			for _, calls := range l.calls(e, round) {
				n += len(calls) * len(l.Ways)
			}
		}
	}
	return n
}

// calls are the calls of a round: the same ones each time it is asked.
func (l *Lab) calls(e *Experiment, round int) [][]Append {
	name := fnv.New64a()
	_, _ = name.Write([]byte(e.Name))
	return e.Calls(rand.New(rand.NewPCG(l.Seed, name.Sum64()+uint64(round))), l.Size) // #nosec G115 G404 -- the same calls each time
}

// skip says that the engine can't show the experiment.
func (e *Experiment) skip(engine *Engine) bool { return e.Only != "" && e.Only != engine.Name }

// Run runs all experiments in all ways. If it is interrupted it returns the
// results that are complete, with the context's error.
func (l *Lab) Run(ctx context.Context) ([]*Result, error) {
	var results []*Result
	for _, e := range l.Experiments {
		for _, w := range l.Ways {
			if e.skip(l.Engine) {
				results = append(results, &Result{Experiment: e.Name, Way: w.Name, Skipped: e.Reason})
				continue
			}
			r, err := l.trial(ctx, e, w)
			if ctx.Err() != nil {
				return results, ctx.Err()
			}
			if err != nil {
				return results, fmt.Errorf("experiment %s, %s: %w", e.Name, w.Name, err)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// trial runs one experiment in one way, in an empty database.
func (l *Lab) trial(ctx context.Context, e *Experiment, w *Way) (_ *Result, err error) {
	db, closeDB, err := l.Engine.Open(ctx, l.Size.Writers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeDB()) }()
	if err := e.Setup(db, l.Size); err != nil {
		return nil, fmt.Errorf("set-up: %w", err)
	}
	if w.Use != nil {
		if err := w.Use(db); err != nil {
			return nil, err
		}
	}
	r := &Result{
		Experiment: e.Name, Way: w.Name,
		Errors: map[string]int{}, Expected: map[string]int{}, Samples: map[string]string{},
	}
	var before int64
	if e.Effect != nil {
		if before, err = e.Effect.Count(db); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	for round := range e.Rounds(l.Size) {
		if limited.Err() != nil {
			break // the calls that it cut short are counted
		}
		if err := e.reset(db, l.Size); err != nil {
			return nil, fmt.Errorf("between rounds: %w", err)
		}
		calls := l.calls(e, round)
		start := time.Now()
		answers := race(calls, func(call Append) error {
			if l.Progress != nil {
				defer l.Progress(e, w)
			}
			return safely(func() error { return w.Do(db.WithContext(limited), &e.Relation, call) })
		})
		r.Elapsed += time.Since(start)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		asked := r.tally(e, calls, answers)
		links := 0
		if e.Links != nil {
			links = e.Links(l.Size)
		}
		d, err := inspect(db, &e.Relation, asked, links)
		if err != nil {
			return nil, fmt.Errorf("counting: %w", err)
		}
		r.Duplicates, r.Lost, r.Wrong = r.Duplicates+d.Duplicates, r.Lost+d.Lost, r.Wrong+d.Wrong
	}
	if e.Effect != nil {
		after, err := e.Effect.Count(db)
		if err != nil {
			return nil, err
		}
		moved := after - before
		r.Effect = &moved
	}
	return r, nil
}

func (e *Experiment) reset(db *gorm.DB, size Size) error {
	if e.Reset != nil {
		return e.Reset(db, size)
	}
	return empty(db, e.Relation.JoinTable)
}

// race has each writer make its calls, all starting at the same moment, and
// returns what each call returned.
func race(calls [][]Append, do func(Append) error) [][]error {
	answers := make([][]error, len(calls))
	start := make(chan struct{})
	var done sync.WaitGroup
	for w := range calls {
		answers[w] = make([]error, len(calls[w]))
		done.Go(func() {
			<-start
			for i, call := range calls[w] {
				answers[w][i] = do(call)
			}
		})
	}
	close(start)
	done.Wait()
	return answers
}

// safely makes an error of a panic: it is what one of the ways does wrong, and
// must not leave the database behind.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return f()
}

// tally counts a round's answers.
func (r *Result) tally(e *Experiment, calls [][]Append, answers [][]error) *asked {
	asked := newAsked()
	for w := range calls {
		for i, call := range calls[w] {
			err := answers[w][i]
			asked.add(&e.Relation, call, err == nil)
			r.Calls++
			if err == nil {
				continue
			}
			fault := Classify(err)
			into := r.Errors
			if e.Expected != "" && fault.Kind == e.Expected {
				into = r.Expected
			}
			into[fault.String()]++
			if _, ok := r.Samples[fault.String()]; !ok {
				r.Samples[fault.String()] = err.Error()
			}
		}
	}
	return asked
}
