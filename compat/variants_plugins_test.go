//go:build !gorm_before_1_31

package compat

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"gorm.io/gorm"
	"gorm.io/plugin/dbresolver"
	"gorm.io/plugin/opentelemetry/tracing"
	"gorm.io/plugin/prometheus"
)

// usePlugins loads GORM's own: a resolver that has one source, a tracer with a
// provider, and metrics.
func usePlugins(t testing.TB, db *gorm.DB) {
	t.Helper()
	source := db.Dialector
	resolver := dbresolver.Register(dbresolver.Config{Sources: []gorm.Dialector{source}})
	require.NoError(t, db.Use(resolver))
	t.Cleanup(func() {
		require.NoError(t, resolver.Call(func(pool gorm.ConnPool) error { return pool.(*sql.DB).Close() }))
	})
	require.NoError(t, db.Use(tracing.NewPlugin(tracing.WithTracerProvider(sdktrace.NewTracerProvider()), tracing.WithoutMetrics())))
	require.NoError(t, db.Use(prometheus.New(prometheus.Config{DBName: t.Name(), RefreshInterval: uint32(time.Hour / time.Second)})))
}
