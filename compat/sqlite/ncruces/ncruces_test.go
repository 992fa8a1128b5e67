// Package ncruces runs the suite on SQLite by github.com/ncruces/go-sqlite3.
package ncruces

import (
	"testing"

	"github.com/ncruces/go-sqlite3/gormlite"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/compat"
)

func TestEngine(t *testing.T) {
	in := func(journal string) func(*testing.T) compat.Engine {
		return compat.SQLite(func(path string) gorm.Dialector {
			return gormlite.Open("file:" + path + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(" + journal + ")&_pragma=foreign_keys(1)")
		})
	}
	compat.Run(t, compat.Runnable{Name: "sqlite-ncruces", Start: in("WAL")}, compat.Runnable{Name: "sqlite-ncruces-rollback", Start: in("DELETE")})
}
