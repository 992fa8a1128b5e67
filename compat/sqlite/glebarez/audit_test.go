package glebarez

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/glebarez/go-sqlite"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

func TestAudit(t *testing.T) {
	open := func(t testing.TB) *sql.DB {
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "test.db")+"?_pragma=foreign_keys(1)")
		require.NoError(t, err)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	audittest.Defects(t, "sqlite", open)
	audittest.Sound(t, "sqlite", open)
	audittest.Careful(t, "sqlite", open)
	audittest.Hanging(t, "sqlite", open)
}
