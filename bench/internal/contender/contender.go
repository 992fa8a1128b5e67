// Package contender holds the ways to link users to groups that are measured
// against each other. All of them go through pgx.
package contender

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Link is one call to measure: an element of one side and those of the other
// that it is to be linked to, all of them stored.
type Link struct {
	Owner   int64
	Targets []int64
	// Inverse says that the owner is a group and the targets are users.
	Inverse bool
}

// Call makes a link. What an app has in hand at that point, as loaded structs,
// is made beforehand.
type Call func(ctx context.Context) error

// Linker is an opened contender. It is for as many goroutines as it was opened
// for.
type Linker interface {
	// Prepare makes what the call needs to be given.
	Prepare(link Link) Call
	Close() error
}

// Contender is one of the ways to make a link.
type Contender struct {
	Name  string // in the raw results
	Title string // for people
	About string
	// Models lists the models that it is measured on; empty for all.
	Models []Model
	open   func(ctx context.Context, server Server) (Linker, error)
}

// The contenders' names that the reporting knows of.
const (
	Stock  = "stock"
	Plugin = "m2msafe"
	Floor  = "floor"
	Ent    = "ent"
	Bun    = "bun"
	Check  = "check"
)

// All are the contenders, in the order of reports.
func All() []Contender {
	plain := []Model{Plain}
	return []Contender{
		{Name: Stock, Title: "stock GORM", About: "`db.Model(&user).Association(\"Groups\").Append(groups)`", open: openStock},
		{Name: Plugin, Title: "m2msafe", About: "the same call, after `db.Use(m2msafe.New())`", open: openPlugin},
		{Name: Floor, Title: "hand-written", About: "one pgx statement, written for the table by hand", open: openFloor},
		{Name: Ent, Title: "ent", About: "`client.User.UpdateOneID(id).AddGroupIDs(ids...)`, which ent ends in ON CONFLICT DO NOTHING", Models: plain, open: openEnt},
		{Name: Bun, Title: "bun", About: "`db.NewInsert().Model(&rows).On(\"CONFLICT (user_id, group_id) DO NOTHING\")`", Models: plain, open: openBun},
		{Name: Check, Title: "check, then insert", About: "in GORM: a query for the links that are there, a `Create` of the others, in no transaction", Models: plain, open: openCheck},
	}
}

// Of returns the contenders of a model.
func Of(model Model) []Contender {
	var list []Contender
	for _, c := range All() {
		if len(c.Models) == 0 || c.Models[0] == model {
			list = append(list, c)
		}
	}
	return list
}

// Named returns the contenders of these names.
func Named(names ...string) []Contender {
	var list []Contender
	for _, name := range names {
		for _, c := range All() {
			if c.Name == name {
				list = append(list, c)
			}
		}
	}
	return list
}

// Open opens a contender.
func (c Contender) Open(ctx context.Context, server Server) (Linker, error) {
	l, err := c.open(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Title, err)
	}
	return l, nil
}

// Server is where a contender connects to, and how.
type Server struct {
	DSN   string
	Addr  string // what stands in front of the server, if anything does
	Model Model
	Conns int // connections, all of them kept open
}

// config is the same for all contenders.
func (s Server) config() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(s.DSN)
	if err != nil || s.Addr == "" {
		return config, err
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	config.Host, config.Port = host, uint16(number)
	return config, err
}

// idle is how long a connection may be unused. None is closed during a run.
const idle = time.Hour
