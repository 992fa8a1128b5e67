// Package compat is the conformance suite of m2msafe: the behaviours of a
// many-to-many write, each one test that every engine runs from one body.
package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// Engine is a database that the suite runs on.
type Engine struct {
	Name string
	// Open gives the test an empty database (or schema) of its own, with a
	// pool of several connections, through a *gorm.DB without the plugin. Two
	// calls with the same key in one test reach the same database.
	Open func(t testing.TB, key string, config *gorm.Config) *gorm.DB
	// Postgres says that the engine speaks PostgreSQL's SQL.
	Postgres bool
}

// concurrent says that several connections may write at a time.
func (e Engine) concurrent() bool { return e.Name != "sqlite" }

// oneWriter is why an engine does not show what snapshots do.
func (e Engine) oneWriter() string {
	if e.concurrent() {
		return "InnoDB's locking reads see what is committed, whatever the snapshot: there is no 40001"
	}
	return "SQLite has no isolation levels but SERIALIZABLE, and one writer"
}

// Stock opens a database of its own on stock GORM.
func (e Engine) Stock(t testing.TB) *gorm.DB {
	return e.Open(t, t.Name(), &gorm.Config{Logger: logger.Discard})
}

// DB opens a database of its own with the plugin in use.
func (e Engine) DB(t testing.TB, opts ...m2msafe.Option) *gorm.DB {
	return e.With(t, &gorm.Config{Logger: logger.Discard}, opts...)
}

// With is DB under a GORM config of the test's.
func (e Engine) With(t testing.TB, config *gorm.Config, opts ...m2msafe.Option) *gorm.DB {
	db := e.Open(t, t.Name(), config)
	require.NoError(t, db.Use(m2msafe.New(opts...)))
	return db
}

// behaviour is one test of the suite. It gets an engine and opens what it
// needs.
type behaviour struct {
	name string
	run  func(t *testing.T, e Engine)
}

// Exercise runs the whole suite on an engine.
func Exercise(t *testing.T, e Engine) {
	groups := []struct {
		name       string
		behaviours []behaviour
	}{
		{"Links", links},
		{"Conflicts", conflicts},
		{"JoinTables", joinTables},
		{"JoinRows", joinRows},
		{"Targets", targets},
		{"Naturals", naturals},
		{"Reports", reports},
		{"Pairs", pairs},
		{"Calls", calls},
		{"Errors", failures},
		{"Races", races},
		{"Regressions", regressions},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, b := range g.behaviours {
				t.Run(b.name, func(t *testing.T) { b.run(t, e) })
			}
		})
	}
}
