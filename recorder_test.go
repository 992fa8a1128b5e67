package m2msafe_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// record notes what is sent to the database through the pools that share it.
type record struct {
	mu         sync.Mutex
	statements []statement
}

// statement is one that was sent, exactly as it was.
type statement struct {
	sql  string
	vars []any
}

func (r *record) note(sql string, vars ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, statement{sql, vars})
}

// take returns what was sent since it was last called.
func (r *record) take() []statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}

// ofCatalogue says whether a statement reads the catalogue, for a plan.
func (s statement) ofCatalogue() bool {
	return strings.HasPrefix(s.sql, "SELECT CAST(json_build_object(")
}

// kinds are statements in short: what they do, to which table.
func kinds(statements []statement) (short []string) {
	for _, s := range statements {
		words := strings.Fields(s.sql)
		switch {
		case s.ofCatalogue():
			short = append(short, "catalogue")
		case strings.Contains(s.sql, "pg_advisory_xact_lock"):
			short = append(short, "lock")
		case words[0] == "WITH" && strings.Contains(s.sql, "m2m_found"):
			short = append(short, "upsert")
		case words[0] == "WITH" && strings.Contains(s.sql, "INSERT INTO"):
			short = append(short, "link")
		case words[0] == "WITH":
			short = append(short, "find")
		case words[0] == "INSERT":
			short = append(short, "INSERT "+strings.Trim(words[2], `"`))
		case words[0] == "UPDATE":
			short = append(short, "UPDATE "+strings.Trim(words[1], `"`))
		default:
			short = append(short, words[0])
		}
	}
	return short
}

// recordedPool is the real pool, or transaction, behind a record.
type recordedPool struct {
	gorm.ConnPool
	*record
}

func (p recordedPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	p.note(query, args...)
	return p.ConnPool.ExecContext(ctx, query, args...)
}

func (p recordedPool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.note(query, args...)
	return p.ConnPool.QueryContext(ctx, query, args...)
}

func (p recordedPool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	p.note(query, args...)
	return p.ConnPool.QueryRowContext(ctx, query, args...)
}

// recordedDB is a pool that GORM can begin transactions on.
type recordedDB struct{ recordedPool }

// BeginTx makes it a gorm.ConnPoolBeginner.
func (p recordedDB) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	p.note("BEGIN")
	tx, err := p.ConnPool.(gorm.TxBeginner).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &recordedTx{recordedPool{tx, p.record}}, nil
}

// GetDBConn has gorm.DB.DB find the *sql.DB.
func (p recordedDB) GetDBConn() (*sql.DB, error) { return p.ConnPool.(*sql.DB), nil }

// recordedTx is a gorm.TxCommitter.
type recordedTx struct{ recordedPool }

func (p recordedTx) Commit() error {
	p.note("COMMIT")
	return p.ConnPool.(gorm.TxCommitter).Commit()
}

func (p recordedTx) Rollback() error {
	p.note("ROLLBACK")
	return p.ConnPool.(gorm.TxCommitter).Rollback()
}

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
