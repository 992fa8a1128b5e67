package m2msafe_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/sent"
)

// record notes what is sent to the database.
type record struct{ sent.Record }

type statement = sent.Statement

// take returns what was sent since it was last called.
func (r *record) take() []statement { return r.Take() }

// kinds are statements in short: what they do, to which table.
func kinds(statements []statement) []string { return sent.Kinds(statements) }

// logbook is a GORM logger that keeps warnings, and the statements as they are
// logged.
type logbook struct {
	logger.Interface
	mu         sync.Mutex
	warnings   []string
	statements []string
}

func newLogbook() *logbook { return &logbook{Interface: logger.Discard} }

// LogMode keeps the logbook: GORM's Debug and others replace a logger by this.
func (l *logbook) LogMode(logger.LogLevel) logger.Interface { return l }

func (l *logbook) Warn(_ context.Context, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

func (l *logbook) Trace(_ context.Context, _ time.Time, statement func() (string, int64), _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, _ := statement()
	l.statements = append(l.statements, text)
}
