//go:build gorm_before_1_31

package compat

import (
	"testing"

	"gorm.io/gorm"
)

// usePlugins has none: they need a later GORM.
func usePlugins(t testing.TB, _ *gorm.DB) { t.Fatal("GORM's plugins need a later one") }
