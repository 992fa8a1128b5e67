//go:build gorm_before_1_31

package compat

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

const generics = false

var errNoGenerics = errors.New("a test of gorm.G, which can't link before GORM v1.31, has not been left out")

func genericCreate[T any](context.Context, *gorm.DB, *T) error { return errNoGenerics }

func genericCreateInBatches[T any](context.Context, *gorm.DB, *[]T, int) error { return errNoGenerics }

func genericSet[T any](context.Context, *gorm.DB, string, ...any) error { return errNoGenerics }
