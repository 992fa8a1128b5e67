package compat

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// variants are how apps set GORM up, on PostgreSQL.
func variants() []Runnable {
	set := func(name string, config func(*gorm.Config)) Runnable {
		return Runnable{"postgres-" + name, false, vary(&Variant{Config: config})}
	}
	return []Runnable{
		set("PrepareStmt", func(c *gorm.Config) { c.PrepareStmt = true }),
		set("SkipDefaultTransaction", func(c *gorm.Config) { c.SkipDefaultTransaction = true }),
		set("TranslateError", func(c *gorm.Config) { c.TranslateError = true }),
		set("CreateBatchSize", func(c *gorm.Config) { c.CreateBatchSize = 2 }),
		set("DisableForeignKeyConstraintWhenMigrating", func(c *gorm.Config) { c.DisableForeignKeyConstraintWhenMigrating = true }),
		{"postgres-TablePrefix", false, prefixed},
		{"postgres-plugins-before", false, vary(&Variant{Before: usePlugins})},
		{"postgres-plugins-after", false, vary(&Variant{After: usePlugins})},
		{"gorm-1.25.12", false, builtWith("v1.25.12")},
		{"gorm-1.30.5", false, builtWith("v1.30.5")},
	}
}

func vary(v *Variant) func(*testing.T) Engine {
	return func(t *testing.T) Engine {
		e := postgresBy(postgres.Open)(t)
		e.Vary = v
		return e
	}
}

// prefixed names tables by their schema, as GORM's users do by a prefix with a dot:
// the suite's own statements find them in the search_path.
func prefixed(*testing.T) Engine {
	databases := opened{dsn: pgtest.DSN}
	return Engine{Dialect: "postgres", Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
		dsn := databases.find(t, key)
		probe := adminOf(t, dsn)
		var name string
		require.NoError(t, probe.QueryRow("SELECT current_schema()").Scan(&name))
		if config.NamingStrategy == nil {
			config.NamingStrategy = schema.NamingStrategy{TablePrefix: name + "."}
		}
		return databases.open(t, postgres.Open(dsn), config)
	}}
}

// builtWith is for a test binary that has another version of GORM: the files
// testdata/gorm-*.mod see to that.
func builtWith(version string) func(*testing.T) Engine {
	return func(t *testing.T) Engine {
		t.Helper()
		build, ok := debug.ReadBuildInfo()
		require.True(t, ok)
		for _, module := range build.Deps {
			if module.Path == "gorm.io/gorm" && module.Replace != nil {
				require.Equal(t, version, module.Replace.Version)
				return postgresBy(postgres.Open)(t)
			}
		}
		require.Fail(t, "this is not GORM "+version)
		return Engine{}
	}
}
