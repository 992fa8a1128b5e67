// Package sent notes, for tests, what reaches a database through the connection
// pools of a *gorm.DB, BEGIN and COMMIT included.
package sent

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// Statement is one that was sent, exactly as it was.
type Statement struct {
	SQL  string
	Vars []any
}

// Record is what was sent through the pools that share it. It is safe for
// concurrent use; its zero value is empty.
type Record struct {
	mu         sync.Mutex
	statements []Statement
}

// Take returns what was sent since it was last called.
func (r *Record) Take() []Statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}

func (r *Record) note(sql string, vars ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, Statement{sql, vars})
}

// Pool is the pool with a record of all that is sent, for the Conn of a dialect's
// config.
func (r *Record) Pool(real *sql.DB) gorm.ConnPool { return &recordedDB{recordedPool{real, r}} }

// OfCatalogue says whether a statement reads the catalogue, for a plan.
func (s Statement) OfCatalogue() bool {
	return strings.HasPrefix(s.SQL, "SELECT CAST(json_build_object(") || strings.HasPrefix(s.SQL, "SELECT version()")
}

// Kinds are statements in short: what they do, to which table.
func Kinds(statements []Statement) (short []string) {
	for _, s := range statements {
		short = append(short, s.kind())
	}
	return short
}

func (s Statement) kind() string {
	words := strings.Fields(s.SQL)
	switch {
	case words[0] == "PREPARE":
		return words[0] + " " + Statement{SQL: strings.Join(words[1:], " ")}.kind()
	case s.OfCatalogue():
		return "catalogue"
	case strings.Contains(s.SQL, "pg_advisory_xact_lock"):
		return "lock"
	case words[0] == "WITH" && strings.Contains(s.SQL, "m2m_found"):
		return "upsert"
	case words[0] == "WITH" && strings.Contains(s.SQL, "INSERT INTO"):
		return "link"
	case words[0] == "WITH":
		return "find"
	case words[0] == "INSERT":
		return "INSERT " + name(words[2])
	case words[0] == "UPDATE":
		return "UPDATE " + name(words[1])
	default:
		return words[0]
	}
}

func name(quoted string) string { return strings.Trim(quoted, "\"`") }

// recordedPool is the real pool, or transaction, behind a record.
type recordedPool struct {
	gorm.ConnPool
	*Record
}

// PrepareContext notes what is prepared; what is executed then goes past the pool.
func (p recordedPool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	p.note("PREPARE " + query)
	return p.ConnPool.PrepareContext(ctx, query)
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
	return &recordedTx{recordedPool{tx, p.Record}}, nil
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

// StmtContext makes it a gorm.Tx, which prepared statements take.
func (p recordedTx) StmtContext(ctx context.Context, stmt *sql.Stmt) *sql.Stmt {
	return p.ConnPool.(gorm.Tx).StmtContext(ctx, stmt)
}
