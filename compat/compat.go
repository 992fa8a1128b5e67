// Package compat is the conformance suite of m2msafe: the behaviours of a
// many-to-many write, each one test that every engine runs from one body.
package compat

import (
	"slices"
	"strings"
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
	// Dialect is GORM's name of it: postgres, mysql or sqlite.
	Dialect string
	// Vary is what the suite runs under besides, if anything.
	Vary *Variant
	// Untyped is why the driver does not know the types of parameters, if it doesn't.
	Untyped string
	// Unprepared is why gorm.Config's PrepareStmt can't be set.
	Unprepared string
	// Without are groups that are left out, with the reason.
	Without map[string]string
	// Races are options for the races, where transactions lose more often than the
	// default of Retries allows for.
	Races []m2msafe.Option
	// NoSavepoints is why a transaction can't be undone in part.
	NoSavepoints string
	// NoLocks is why nothing can be said of it when several connections write.
	NoLocks string
}

// Variant is how an app has set GORM up, whatever its calls.
type Variant struct {
	// Config is called with the config of each database that is opened, for stock GORM
	// too.
	Config func(*gorm.Config)
	// Breaks are behaviours that it does not have, with the reason.
	Breaks map[string]string
	// Before and After run before and after m2msafe is put in use.
	Before, After func(t testing.TB, db *gorm.DB)
}

// postgres says that the engine speaks PostgreSQL's SQL.
func (e Engine) postgres() bool { return e.Dialect == "postgres" }

// concurrent says that several connections may write at a time.
func (e Engine) concurrent() bool { return e.Dialect != "sqlite" }

// oneWriter is why an engine does not show what snapshots do.
func (e Engine) oneWriter() string {
	if e.concurrent() {
		return "the MySQL family has no 40001: its locking reads see what is committed, whatever the snapshot, but for 1020 under innodb_snapshot_isolation and 9007 on TiDB"
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
	t.Helper()
	return e.At(t, t.Name(), config, opts...)
}

// At is With on the test's database of a key.
func (e Engine) At(t testing.TB, key string, config *gorm.Config, opts ...m2msafe.Option) *gorm.DB {
	t.Helper()
	if e.Vary == nil {
		e.Vary = &Variant{}
	}
	if config.PrepareStmt && e.Unprepared != "" {
		t.Skip(e.Unprepared)
	}
	db := e.Open(t, key, config)
	if e.Vary.Before != nil {
		e.Vary.Before(t, db)
	}
	require.NoError(t, db.Use(m2msafe.New(opts...)))
	if e.Vary.After != nil {
		e.Vary.After(t, db)
	}
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
	t.Logf("engine: %s", version(t, e))
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
		{"Values", hiddenValues},
		{"Shapes", shapes},
		{"Retries", slices.Concat(retries, retriesMemory, retriesLocks, retriesShapes, retriesUnanswered, retriesRefused)},
		{"Transactions", slices.Concat(transactions, savepoints)},
		{"Races", races},
		{"Regressions", regressions},
	}
	if e.Vary != nil {
		if vary, open := e.Vary.Config, e.Open; vary != nil {
			e.Open = func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
				vary(config)
				return open(t, key, config)
			}
		}
		known := map[string]bool{}
		for _, g := range groups {
			for _, b := range g.behaviours {
				known[b.name] = true
			}
		}
		for name := range e.Vary.Breaks {
			require.True(t, known[name], "no behaviour is called %q", name)
		}
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			if e.NoLocks != "" && g.name == "Races" {
				t.Skip(e.NoLocks)
			}
			if why := e.Without[g.name]; why != "" {
				t.Skip(why)
			}
			for _, b := range g.behaviours {
				t.Run(b.name, func(t *testing.T) {
					if e.Vary != nil && e.Vary.Breaks[b.name] != "" {
						t.Skip(e.Vary.Breaks[b.name])
					}
					b.run(t, e)
				})
			}
		})
	}
}

// version is what the database says of itself.
func version(t *testing.T, e Engine) string {
	t.Helper()
	query := map[string]string{"sqlite": "SELECT 'SQLite ' || sqlite_version()", "mysql": "SELECT CONCAT(@@version_comment, ' ', VERSION())"}[e.Dialect]
	if query == "" {
		query = "SELECT version()"
	}
	return one(t, e.Stock(t), query)
}

// noValues is what GORM's own Append did before v1.31.
const noValues = "before v1.31 GORM's Append refuses structs that are no pointers, and maps"

// needsGenerics skips what came with GORM v1.31.
func needsGenerics(t *testing.T, name string) {
	t.Helper()
	if strings.HasPrefix(name, "gorm.G") && !generics {
		t.Skip("gorm.G can link since GORM v1.31")
	}
	if name == "Append of values" && !generics {
		t.Skip(noValues)
	}
}
