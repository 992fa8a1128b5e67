package plugins

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/plugin/prometheus"
)

// It registers no callbacks; it is here to see that this stays so.
func TestPrometheus(t *testing.T) {
	inEachOrder(t, func(t *testing.T, use func(*gorm.DB, gorm.Plugin)) {
		d := newDatabase(t, "measured")
		d.fill(t)
		db := d.open(t, &gorm.Config{})
		use(db, prometheus.New(prometheus.Config{DBName: t.Name(), RefreshInterval: 3600}))
		d.kinds()
		require.NoError(t, db.Model(&Story{ID: 1}).Association("Publications").Append(&Publication{ID: 2}))
		require.Equal(t, []string{"catalogue", "link"}, d.kinds())
		require.Equal(t, []string{"story 1 p2"}, d.links(t))
	})
}
