package compat

import (
	"path/filepath"
	"testing"

	"gorm.io/gorm"
)

// SQLite gives each test a database file of its own, by what makes a dialector of
// its path.
func SQLite(dialector func(path string) gorm.Dialector) func(*testing.T) Engine {
	return func(*testing.T) Engine {
		databases := opened{dsn: func(t testing.TB) string { return filepath.Join(t.TempDir(), "test.db") }}
		return Engine{Dialect: "sqlite", Open: func(t testing.TB, key string, config *gorm.Config) *gorm.DB {
			return databases.open(t, dialector(databases.find(t, key)), config)
		}}
	}
}
