//go:build !gorm_before_1_31

package compat

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// generics says that gorm.G can link: since GORM v1.31.
const generics = true

func genericCreate[T any](ctx context.Context, db *gorm.DB, value *T) error {
	return gorm.G[T](db).Create(ctx, value)
}

func genericCreateInBatches[T any](ctx context.Context, db *gorm.DB, values *[]T, size int) error {
	return gorm.G[T](db).CreateInBatches(ctx, values, size)
}

// genericSet links the owner whose id is 1.
func genericSet[T any](ctx context.Context, db *gorm.DB, relation string, values ...any) error {
	_, err := gorm.G[T](db).Where("id = ?", 1).Set(clause.Association{
		Association: relation, Type: clause.OpCreate, Values: values,
	}).Update(ctx)
	return err
}
