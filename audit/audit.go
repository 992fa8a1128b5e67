package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Options are what an audit looks at, and how hard.
type Options struct {
	// Tables are names of tables to look at, as the database has them; none stands for all
	// that are recognized as join tables.
	Tables []string
	// Joins are join tables that are known already, from models. If there are any, or
	// the slice is not nil, no others are looked for.
	Joins []JoinTable
	// Lookups are columns by which the app looks targets up: "table.column", or
	// "table.column,column" for those that do it together.
	Lookups []string
	// Revives says that links are written by what brings a deleted one back, as m2msafe
	// does: then a unique key that deleted links take is a [Note].
	Revives bool
	// CountUpTo is how many rows a table may have by the database's estimate for its rows
	// to be counted (default 10 million); above, estimates stand instead.
	CountUpTo int64
	// Timeout ends a statement (default 30 s); its table is then unseen. Those that read
	// the catalogue have ten times as long.
	Timeout time.Duration
	// Progress, if there is one, hears of each table before it is looked at, and of each
	// look at all of its rows: how many tables are done, of how many, and what is looked
	// at now, as "user_groups" or "duplicates in user_groups".
	Progress func(done, all int, now string)
}

// The defaults of [Options].
const (
	defaultCount   = 10_000_000
	defaultTimeout = 30 * time.Second
)

// ErrUnsupportedDatabase is returned by [Run] for a kind that it does not know.
var ErrUnsupportedDatabase = errors.New("audit: unsupported database")

// Run looks at a database, in a transaction that only reads. kind is its GORM name:
// "postgres", "mysql" or "sqlite". On PostgreSQL it is the schemas of search_path that
// are looked at, if that is set to anything but its default, else all.
//
// A table that can't be looked at is [Report.Unseen]; what its catalogue says is
// reported still. Errors are [ErrUnsupportedDatabase] for another kind, one that says so for
// options that can't be meant, ctx's once that ends, and the driver's if the database can't be
// reached or goes away, the transaction not be begun or the catalogue not be read; none has a
// password in it that the driver does not put there.
// Run takes one connection of db, which it leaves as it was, and is safe for concurrent
// use.
func Run(ctx context.Context, db *sql.DB, kind string, o Options) (*Report, error) {
	e := engineOf(kind)
	if e == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnsupportedDatabase, kind)
	}
	if o.CountUpTo < 0 || o.Timeout < 0 {
		return nil, fmt.Errorf("audit: CountUpTo %d, Timeout %v: they take more than nothing", o.CountUpTo, o.Timeout)
	}
	for _, j := range o.Joins {
		if len(j.Ends[0].Columns) == 0 || len(j.Ends[1].Columns) == 0 {
			return nil, fmt.Errorf("audit: Joins: %s has no columns at one of its ends", j.Name)
		}
	}
	if o.CountUpTo == 0 {
		o.CountUpTo = defaultCount
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer func() { _ = conn.Close() }()
	s := &session{engine: e, timeout: o.Timeout}
	if err := e.begin(ctx, conn, s); err != nil {
		return nil, fmt.Errorf("audit: a transaction that only reads could not be begun: %w", err)
	}
	defer s.end()
	report, err := look(ctx, s, o)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return report, nil
}

// look is the audit: read the catalogue, find the join tables, count where that can
// tell something, apply the rules, and write what mends.
func look(ctx context.Context, s *session, o Options) (*Report, error) {
	wanted := append([]string{}, o.Tables...)
	for _, j := range o.Joins {
		wanted = append(wanted, j.Name, j.Ends[0].Table, j.Ends[1].Table)
	}
	for _, l := range o.Lookups {
		table, _ := splitLookup(l)
		wanted = append(wanted, table)
	}
	if err := s.within(ctx, patience*s.timeout); err != nil {
		return nil, err
	}
	d, err := s.engine.read(ctx, s, wanted)
	if err != nil {
		return nil, fmt.Errorf("the catalogue could not be read: %w", err)
	}
	if err := s.within(ctx, s.timeout); err != nil {
		return nil, err
	}
	a := &audit{session: s, options: o, database: d, maker: &maker{d: d, limit: s.engine.limit()}, report: &Report{Database: d.product}}
	joins := a.joins()
	a.all = len(joins) + len(o.Lookups)
	for _, j := range joins {
		a.now("", j.t)
		if j.t.locked != "" {
			a.unseen(j.t.full(), j.t.locked)
			a.done++
			continue
		}
		if err := a.count(ctx, j); err != nil {
			return nil, err
		}
		a.report.Tables = append(a.report.Tables, j.public())
		a.tell(j)
		a.done++
	}
	if err := a.lookups(ctx); err != nil {
		return nil, err
	}
	return a.report, nil
}

// audit is one on its way.
type audit struct {
	*session
	options   Options
	database  *database
	maker     *maker
	report    *Report
	nouns     *nouns
	known     []*join // from models
	referring map[*table][]*referrer
	kinds     map[[2]string][]string // values that say to what tables a column refers
	referred  bool                   // what refers to tables from elsewhere was asked for
	done      int                    // tables and lookups
	all       int
}

// now says what is looked at.
func (a *audit) now(what string, t *table) {
	if a.options.Progress != nil {
		a.options.Progress(a.done, a.all, what+t.full())
	}
}

func (a *audit) unseen(table, reason string) {
	a.report.Unseen = append(a.report.Unseen, Unseen{Table: table, Reason: reason})
}
