// Package plugins tests m2msafe beside GORM's other plugins, really loaded, each
// of them before and after it.
package plugins

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// TestMain gives the tests their PostgreSQL server, and fails them for any
// goroutine that outlives it.
func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if err := goleak.Find(
		// What nothing ends: of GORM's cache of prepared statements, and of the
		// plugin for Prometheus.
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"),
		goleak.IgnoreTopFunction("gorm.io/plugin/prometheus.(*Prometheus).Initialize.func1.1"),
	); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Article has no update time, Story has one, and Reader has hooks: an Append to
// it takes the second entrance. Topic is deleted softly.
type (
	Article struct {
		ID           uint
		Title        string
		Publications []Publication `gorm:"many2many:article_publications"`
	}
	Publication struct {
		ID   uint
		Name string `gorm:"unique"`
	}
	Story struct {
		ID           uint
		UpdatedAt    int64
		Publications []*Publication `gorm:"many2many:story_publications"`
	}
	Reader struct {
		ID           uint
		Publications []*Publication `gorm:"many2many:reader_publications"`
	}
	Topic struct {
		ID        uint
		Name      string `gorm:"unique"`
		DeletedAt gorm.DeletedAt
	}
)

// AfterUpdate wants to hear.
func (*Reader) AfterUpdate(*gorm.DB) error { return nil }

// inEachOrder runs a test with the other plugin in use before m2msafe, and after.
func inEachOrder(t *testing.T, run func(t *testing.T, use func(*gorm.DB, gorm.Plugin))) {
	t.Run("before", func(t *testing.T) {
		run(t, func(db *gorm.DB, other gorm.Plugin) {
			require.NoError(t, db.Use(other))
			require.NoError(t, db.Use(m2msafe.New()))
		})
	})
	t.Run("after", func(t *testing.T) {
		run(t, func(db *gorm.DB, other gorm.Plugin) {
			require.NoError(t, db.Use(m2msafe.New()))
			require.NoError(t, db.Use(other))
		})
	})
}
