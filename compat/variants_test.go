package compat

import (
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
	"gorm.io/plugin/dbresolver"
	"gorm.io/plugin/opentelemetry/tracing"
	"gorm.io/plugin/prometheus"

	"github.com/stretchr/testify/require"

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

// usePlugins loads GORM's own: a resolver that has one source, a tracer with a
// provider, and metrics.
func usePlugins(t testing.TB, db *gorm.DB) {
	t.Helper()
	source := db.Dialector
	require.NoError(t, db.Use(dbresolver.Register(dbresolver.Config{Sources: []gorm.Dialector{source}})))
	require.NoError(t, db.Use(tracing.NewPlugin(tracing.WithTracerProvider(sdktrace.NewTracerProvider()), tracing.WithoutMetrics())))
	require.NoError(t, db.Use(prometheus.New(prometheus.Config{DBName: t.Name(), RefreshInterval: uint32(time.Hour / time.Second)})))
}
