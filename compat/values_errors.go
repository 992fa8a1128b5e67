package compat

import (
	"context"
	"errors"
	"iter"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// errAny is for an error that is no sentinel's.
var errAny = errors.New("any error")

func (m *marking) meets(t *testing.T, err error) {
	t.Helper()
	if m.want == errAny {
		require.Error(t, err, m.name)
		return
	}
	require.ErrorIs(t, err, m.want, m.name)
}

func markedErrors() []marking {
	return []marking{
		{name: "an owner that is not stored", call: appendTo(90, secrets(1)), want: m2msafe.ErrOwnerNotStored, shows: true},
		{name: "a target that is not stored", call: func(ctx context.Context, db *gorm.DB) error {
			return appendTo(1, secrets(91, 92))(ctx, db.Omit("Secrets.*"))
		}, want: m2msafe.ErrTargetNotStored, shows: true},
		{name: "a target whose name is another's", call: appendTo(1, &Secret{Code: sealed("secret", 93), Name: sealedPointer("name", 3)}), want: m2msafe.ErrTargetNotStored, shows: true},
		{name: "a target that is two rows", call: appendTo(1, &Secret{Name: sealedPointer("name", 3), Serial: sealedPointer("serial", 4)}), want: m2msafe.ErrTargetConflict, shows: true},
		{name: "a target that is deleted", call: appendTo(1, &Secret{Name: sealedPointer("name", 8)}), want: m2msafe.ErrDeletedTarget, shows: true},
		{name: "a link that is deleted", call: func(ctx context.Context, db *gorm.DB) error {
			if err := db.Delete(&VaultSecret{VaultCode: sealed("vault", 1), SecretCode: sealed("secret", 7)}).Error; err != nil {
				return err
			}
			return with(appendTo(1, secrets(7)), m2msafe.DeletedLinks(m2msafe.Refuse))(ctx, db)
		}, want: m2msafe.ErrDeletedLink, shows: true},
		{name: "another unique key", call: with(appendTo(2, secrets(6)), m2msafe.Through(map[string]any{"seat": sealed("seat", 1)})),
			want: gorm.ErrDuplicatedKey, shows: true, tells: true},
		{name: "a value that is no key", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkKeys(ctx, db, &Vault{}, "Plates", sealed("vault", 1), mark)
			return err
		}, want: m2msafe.ErrOption, shows: true, early: true},
		{name: "a value that is no key, of pairs", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(ctx, db, &Vault{}, "Plates", onePair("vault", 1, "secret", 4))
			return err
		}, want: m2msafe.ErrOption, shows: true, early: true},
		{name: "a value that does not fit the join row", call: with(appendTo(2, secrets(6)), m2msafe.Through(map[string]any{"rank": mark})), want: m2msafe.ErrOption, shows: true, early: true},
		{name: "a map whose value does not fit", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(1)).Association("Plates").Append(map[string]any{"id": mark})
		}, want: errAny, shows: true, early: true},
		{name: "a key that the join model does not hold", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(1)).Association("Counted").Append(secrets(1))
		}, want: errAny, shows: true, early: true},
		{name: "pairs of an owner that is not stored", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(ctx, db, &Vault{}, "Hooked", onePair("vault", 94, "secret", 1))
			return err
		}, want: m2msafe.ErrOwnerNotStored, shows: true},
		{name: "pairs of a target that is not stored", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(ctx, db, &Vault{}, "Secrets", onePair("vault", 1, "secret", 95))
			return err
		}, want: m2msafe.ErrTargetNotStored, shows: true},
		{name: "a target without a key", call: func(ctx context.Context, db *gorm.DB) error {
			return appendTo(1, &Secret{Note: sealed("note", 96)})(ctx, db.Omit("Secrets.*"))
		}, want: m2msafe.ErrZeroReference, shows: true, early: true},
		{name: "a join table that is refused for it is without a key", call: with(func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(1)).Association("Loose").Append(secrets(5))
		}, m2msafe.NoUniqueKey(m2msafe.Refuse)), want: m2msafe.ErrNoUniqueKey, early: true},
		{name: "GetOrCreate of a row that is deleted", call: getOrCreate(&Secret{Name: sealedPointer("name", 11)}), want: m2msafe.ErrDeletedTarget, shows: true},
		{name: "GetOrCreate of a row that is two", call: getOrCreate(&Secret{Name: sealedPointer("name", 3), Serial: sealedPointer("serial", 4)}),
			want: m2msafe.ErrTargetConflict, shows: true},
		{name: "GetOrCreate of a row with no unique value", call: getOrCreate(&Secret{Note: sealed("note", 97)}), want: m2msafe.ErrNoUniqueKey, early: true},
		{name: "a hook of the app's", call: with(appendTo(1, secrets(13)), m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error { return errHook })), want: errHook},
	}
}

func getOrCreate(row any) func(context.Context, *gorm.DB) error {
	return func(ctx context.Context, db *gorm.DB) error {
		_, err := m2msafe.GetOrCreate(ctx, db, row)
		return err
	}
}

// onePair is one pair for LinkPairs.
func onePair(owner string, n int, target string, m int) iter.Seq2[string, string] {
	return maps.All(map[string]string{sealed(owner, n): sealed(target, m)})
}
