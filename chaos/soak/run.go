package soak

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/sent"
)

// Config is what a run is. Its zero value is none.
type Config struct {
	For, Every time.Duration // how long it lasts, and how often a sample is taken
	Writers    int           // of each pool
	Seed       uint64

	Progress func(at time.Duration) `json:"-"`

	extra func(w *writer, db *gorm.DB) error // behind each call, for tests
}

// The defaults of the command.
const (
	DefaultFor     = 10 * time.Minute
	DefaultEvery   = 5 * time.Second
	DefaultWriters = 3
)

// Sample is what there was at a moment, and what was done since the last one.
type Sample struct {
	At         float64 // seconds
	Calls      int     // since the last one
	Errors     int     // in all, that should not have been
	PerSecond  float64 // calls
	PerCall    float64 // statements that a call has sent, BEGIN and COMMIT among them
	Texts      int     // different texts of statements, in all
	Heap       float64 // bytes
	Goroutines int
	Prepared   float64 // statements in the server
	Memory     float64 // bytes in the server
}

// Result is a run's.
type Result struct {
	Engine, Version, Go string
	Config              Config
	Samples             []Sample
	Failed              []string // what the errors said, the first ones
}

// pool is a pool of connections and those who write through it.
type pool struct {
	db      *gorm.DB
	sql     *sql.DB
	sent    sent.Record
	writers []*writer
	calls   []func(*writer, *gorm.DB) error
}

type run struct {
	Config
	engine engine
	pools  []*pool

	world sync.RWMutex // held for writing by who takes a sample, for reading by a call
	calls atomic.Int64

	mu     sync.Mutex
	errors int
	result *Result
}

// Run makes a run on an engine. An error is that it could not be made; what the calls
// returned is in the Result.
func Run(ctx context.Context, name string, config Config) (_ *Result, err error) {
	e, ok := engines[name]
	if !ok {
		return nil, fmt.Errorf("soak: there is no engine %q", name)
	}
	if config.Writers < 1 || config.Every <= 0 || config.For < 10*config.Every {
		return nil, errors.New("soak: it takes a writer, and ten samples, at least")
	}
	stop, connect, err := e.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r := &run{Config: config, engine: e, result: &Result{Engine: name, Go: runtime.Version(), Config: config}}
	defer func() {
		for _, p := range r.pools {
			err = errors.Join(err, p.sql.Close())
		}
	}()
	// Apps that prepare statements, and such whose contexts end, which costs them their
	// connections, have pools of their own.
	for i, gormConfig := range []gorm.Config{{}, {PrepareStmt: true}, {}} {
		if err := r.open(connect(), i, gormConfig); err != nil {
			return nil, err
		}
	}
	r.pools[hurry].calls = []func(*writer, *gorm.DB) error{(*writer).hurried}
	if err := r.pools[0].sql.QueryRowContext(ctx, e.version).Scan(&r.result.Version); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	if err := r.write(ctx); err != nil {
		return nil, err
	}
	if len(r.result.Samples) < 10 {
		return nil, fmt.Errorf("soak: %d samples in %v: the machine has other things to do", len(r.result.Samples), config.For)
	}
	return r.result, nil
}

// hurry is the number of the pool whose contexts end.
const hurry = 2

func (r *run) open(connections *sql.DB, number int, config gorm.Config) error {
	p := &pool{sql: connections, calls: calls}
	r.pools = append(r.pools, p)
	p.sql.SetMaxOpenConns(r.Writers)
	p.sql.SetMaxIdleConns(r.Writers)
	config.Logger = logger.Discard
	var err error
	if p.db, err = gorm.Open(r.engine.dialect(p.sent.Pool(p.sql)), &config); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	if number == 0 {
		if err := seed(p.db); err != nil {
			return fmt.Errorf("soak: %w", err)
		}
	}
	for i := range r.Writers {
		n := number*r.Writers + i
		p.writers = append(p.writers, &writer{number: n, rng: rand.New(rand.NewPCG(r.Seed, uint64(n)))})
	}
	if err := p.db.Use(m2msafe.New()); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return nil
}

// write has the writers write until the time is over, and takes samples.
func (r *run) write(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	for _, p := range r.pools {
		for _, w := range p.writers {
			working.Go(func() {
				for inner.Err() == nil {
					r.call(ctx, p, w)
				}
			})
		}
	}
	began, last := time.Now(), time.Now()
	texts := map[string]bool{}
	for tick := time.NewTicker(r.Every); time.Since(began) < r.For; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		s, err := r.sample(ctx, texts, time.Since(last))
		if err != nil {
			return err
		}
		last = time.Now()
		s.At = last.Sub(began).Seconds()
		r.result.Samples = append(r.result.Samples, s)
		if r.Progress != nil {
			r.Progress(last.Sub(began))
		}
	}
	return nil
}

// savepoint is one of GORM's, with a name of its own each time.
var savepoint = regexp.MustCompile(`(SAVEPOINT) .*`)

// shown is how many errors are kept.
const shown = 10

func (r *run) call(ctx context.Context, p *pool, w *writer) {
	r.world.RLock()
	defer r.world.RUnlock()
	db := p.db.WithContext(ctx)
	err := p.calls[w.rng.IntN(len(p.calls))](w, db)
	if err == nil && r.extra != nil {
		err = r.extra(w, db)
	}
	r.calls.Add(1)
	if err == nil || ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errors++; len(r.result.Failed) < shown {
		r.result.Failed = append(r.result.Failed, err.Error())
	}
}

// sample stops everybody and looks.
func (r *run) sample(ctx context.Context, texts map[string]bool, since time.Duration) (s Sample, err error) {
	r.world.Lock()
	defer r.world.Unlock()
	s.Calls = int(r.calls.Swap(0))
	s.PerSecond = float64(s.Calls) / since.Seconds()
	s.Errors = r.errors
	statements := 0
	for _, p := range r.pools {
		for _, statement := range p.sent.Take() {
			texts[savepoint.ReplaceAllString(statement.SQL, "$1")] = true
			statements++
		}
	}
	s.Texts, s.PerCall = len(texts), float64(statements)/float64(max(1, s.Calls))
	for _, p := range r.pools[:hurry] {
		var n float64
		if n, err = r.engine.ask(ctx, p.sql, r.engine.memory); err != nil {
			return s, err
		}
		s.Memory = n + s.Memory
		if n, err = r.engine.ask(ctx, p.sql, r.engine.prepared); err != nil {
			return s, err
		}
		s.Prepared = n + s.Prepared
		if !r.engine.eachSession {
			break
		}
	}
	// What a context has ended goes on for a moment behind its caller's back.
	for range 10 {
		if n := runtime.NumGoroutine(); s.Goroutines == 0 || n < s.Goroutines {
			s.Goroutines = n
		}
		time.Sleep(5 * time.Millisecond)
	}
	runtime.GC()
	runtime.GC() // what finalizers have let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Heap = float64(m.HeapAlloc)
	return s, nil
}
