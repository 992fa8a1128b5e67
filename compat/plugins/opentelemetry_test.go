package plugins

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"gorm.io/gorm"
	"gorm.io/plugin/opentelemetry/tracing"

	"github.com/m2msafe/m2msafe/internal/sent"
)

// watched is a database behind the plugin for OpenTelemetry.
type watched struct {
	*database
	db       *gorm.DB
	provider *sdktrace.TracerProvider
	spans    *tracetest.SpanRecorder
}

// call runs a call in a span of its own, and returns those below it that have a
// statement. All have ended, and are that span's children.
func (w *watched) call(t *testing.T, call func(*gorm.DB) error) ([]sdktrace.ReadOnlySpan, error) {
	t.Helper()
	w.kinds()
	started, ended := len(w.spans.Started()), len(w.spans.Ended())
	ctx, span := w.provider.Tracer("test").Start(context.Background(), "the call")
	err := call(w.db.WithContext(ctx))
	span.End()
	require.Len(t, w.spans.Started()[started:], len(w.spans.Ended()[ended:]), "a span has not ended")
	var found []sdktrace.ReadOnlySpan
	for _, s := range w.spans.Ended()[ended:] {
		require.Equal(t, span.SpanContext().TraceID(), s.SpanContext().TraceID(), "%s is of another trace", s.Name())
		if text(s) != "" {
			found = append(found, s)
		}
	}
	return found, err
}

// text is the SQL of a span.
func text(s sdktrace.ReadOnlySpan) string {
	set := attribute.NewSet(s.Attributes()...)
	value, _ := set.Value("db.query.text")
	return value.AsString()
}

// shown are the statements of spans, by kind.
func shown(spans []sdktrace.ReadOnlySpan) []string {
	var all []sent.Statement
	for _, s := range spans {
		all = append(all, sent.Statement{SQL: text(s)})
	}
	return sent.Kinds(all)
}

func appendTo(owner, target any) func(*gorm.DB) error {
	return func(db *gorm.DB) error { return db.Model(owner).Association("Publications").Append(target) }
}

func TestOpenTelemetry(t *testing.T) {
	inEachOrder(t, func(t *testing.T, use func(*gorm.DB, gorm.Plugin)) {
		w := &watched{database: newDatabase(t, "watched"), spans: tracetest.NewSpanRecorder()}
		w.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans))
		w.db = w.open(t, &gorm.Config{})
		use(w.db, tracing.NewPlugin(tracing.WithTracerProvider(w.provider)))
		w.fill(t)
		for _, owner := range []any{&Article{ID: 1}, &Story{ID: 1}, &Reader{ID: 1}} { // the plans are made
			require.NoError(t, appendTo(owner, &Publication{ID: 1})(w.db))
		}

		t.Run("the one statement is in one span", func(t *testing.T) {
			for table, owner := range map[string]any{"article_publications": &Article{ID: 1}, "story_publications": &Story{ID: 1}} {
				w.fill(t)
				spans, err := w.call(t, appendTo(owner, &Publication{ID: 3}))
				require.NoError(t, err)
				require.Equal(t, []string{"link"}, w.kinds())
				require.Equal(t, []string{"link"}, shown(spans))
				require.Contains(t, text(spans[0]), `INSERT INTO "`+table+`"`)
				require.Equal(t, codes.Unset, spans[0].Status().Code)
			}
			require.Len(t, w.links(t), 1)
		})
		t.Run("in a transaction", func(t *testing.T) {
			w.fill(t)
			spans, err := w.call(t, func(db *gorm.DB) error { return db.Transaction(appendTo(&Article{ID: 1}, &Publication{ID: 3})) })
			require.NoError(t, err)
			require.Equal(t, []string{"BEGIN", "link", "COMMIT"}, w.kinds())
			require.Equal(t, []string{"link"}, shown(spans))
			require.Equal(t, []string{"article 1 p3"}, w.links(t))
		})
		t.Run("all that creates a target", func(t *testing.T) {
			w.fill(t)
			spans, err := w.call(t, appendTo(&Article{ID: 1}, &Publication{Name: "new"}))
			require.NoError(t, err)
			require.Equal(t, []string{"BEGIN", "find", "INSERT publications", "link", "COMMIT"}, w.kinds())
			require.Equal(t, []string{"find", "INSERT publications", "link"}, shown(spans))
			require.Equal(t, []string{"article 1 new"}, w.links(t))
		})
		t.Run("the second entrance", func(t *testing.T) {
			w.fill(t)
			spans, err := w.call(t, appendTo(&Reader{ID: 1}, &Publication{ID: 3}))
			require.NoError(t, err)
			require.Equal(t, []string{"BEGIN", "link", "COMMIT"}, w.kinds())
			require.Equal(t, []string{"link"}, shown(spans))
			require.Equal(t, []string{"reader 1 p3"}, w.links(t))
		})
		t.Run("the database's error", func(t *testing.T) {
			w.fill(t)
			_, err := w.pool.Exec(`ALTER TABLE article_publications ADD CONSTRAINT never_3 CHECK (publication_id <> 3)`)
			require.NoError(t, err)
			spans, err := w.call(t, appendTo(&Article{ID: 1}, &Publication{ID: 3}))
			require.ErrorIs(t, err, gorm.ErrCheckConstraintViolated)
			require.Equal(t, []string{"link"}, shown(spans))
			require.Equal(t, codes.Error, spans[0].Status().Code)
			require.Contains(t, spans[0].Status().Description, "never_3")
			require.Empty(t, w.links(t))
		})
	})
}
