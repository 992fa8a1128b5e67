package compat

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// opened knows the databases that tests have, by test and key.
type opened struct {
	dsn   func(t testing.TB) string // makes one
	found sync.Map
}

// find returns the database that a test has under a key, a new one at first.
func (o *opened) find(t testing.TB, key string) string {
	t.Helper()
	id := t.Name() + "\n" + key
	if dsn, ok := o.found.Load(id); ok {
		return dsn.(string)
	}
	dsn := o.dsn(t)
	o.found.Store(id, dsn)
	t.Cleanup(func() { o.found.Delete(id) })
	return dsn
}

// open connects with a pool that ends with the test.
func (o *opened) open(t testing.TB, dialector gorm.Dialector, config *gorm.Config) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector, config)
	require.NoError(t, err)
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return db
}
