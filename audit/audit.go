package audit

import (
	"context"
	"database/sql"
	"time"
)

// Options are what an audit looks at, and how hard.
type Options struct {
	// Tables are names of tables to look at, as the database has them; none stands for all
	// that are recognized as join tables.
	Tables []string
	// Joins are join tables that are known already, from models.
	Joins []JoinTable
	// Lookups are columns, "table.column", by which the app looks targets up.
	Lookups []string
	// CountUpTo is how many rows a table may have by the database's estimate for its rows
	// to be counted (default 10 million); above, estimates stand instead.
	CountUpTo int64
	// Timeout ends a statement (default 30 s); its table is then unseen.
	Timeout time.Duration
	// Progress, if there is one, hears of each table before it is looked at.
	Progress func(done, all int, table string)
}

// Run looks at a database, in a transaction that only reads. kind is its GORM name:
// "postgres", "mysql" or "sqlite".
func Run(ctx context.Context, db *sql.DB, kind string, o Options) (*Report, error) {
	panic("not yet")
}
