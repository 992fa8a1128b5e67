package compat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// Vault is the owner of secrets; each value of theirs has the mark in it.
type (
	Vault struct {
		Code      string `gorm:"primaryKey"`
		ID        int    // for genericSet
		Title     string
		UpdatedAt time.Time
		Secrets   []Secret  `gorm:"many2many:vault_secrets"`
		Loose     []*Secret `gorm:"many2many:vault_loose"` // without a unique key
		Plates    []*Plate  `gorm:"many2many:vault_plates"`
		Hooked    []Secret  `gorm:"many2many:vault_hooked"` // with create hooks
		Counted   []Secret  `gorm:"many2many:vault_counted"`
	}
	Secret struct {
		Code      string  `gorm:"primaryKey"`
		Name      *string `gorm:"unique"`
		Serial    *string `gorm:"unique"`
		Note      string
		DeletedAt gorm.DeletedAt
	}
	Plate struct {
		ID   uint
		Name string
	}
	VaultSecret struct {
		VaultCode  string `gorm:"primaryKey"`
		SecretCode string `gorm:"primaryKey"`
		Note       string
		Seat       *string `gorm:"unique"`
		Rank       int
		UpdatedAt  time.Time
		DeletedAt  gorm.DeletedAt
	}
	VaultCounted struct {
		VaultCode  uint   `gorm:"primaryKey;autoIncrement:false"` // which holds no code
		SecretCode string `gorm:"primaryKey"`
	}
	VaultHooked struct {
		VaultCode  string `gorm:"primaryKey"`
		SecretCode string `gorm:"primaryKey"`
		Note       string
		Origin     string `gorm:"size:30;default:'S3CR3T'"` // which is read back
	}
)

func (h *VaultHooked) BeforeCreate(*gorm.DB) error {
	h.Note = h.SecretCode
	return nil
}

func (h *VaultHooked) AfterCreate(*gorm.DB) error {
	if h.Origin != mark {
		return fmt.Errorf("%q was not read back", h.Origin)
	}
	return nil
}

const mark = "S3CR3T"

// marked is a value of the test's that would do harm as SQL.
func sealed(what string, n int) string { return fmt.Sprintf(`%s'"\;--%s%d`, mark, what, n) }

func sealedPointer(what string, n int) *string {
	text := sealed(what, n)
	return &text
}

// stores vaults 1 and 2 and secrets 1 to 13, of which 8, 10 and 11 are deleted. Secret 7 was linked
// with vault 1.
func vaults(t testing.TB, db *gorm.DB) {
	t.Helper()
	require.NoError(t, db.SetupJoinTable(&Vault{}, "Secrets", &VaultSecret{}))
	require.NoError(t, db.SetupJoinTable(&Vault{}, "Hooked", &VaultHooked{}))
	require.NoError(t, db.SetupJoinTable(&Vault{}, "Counted", &VaultCounted{}))
	quiet := db.Session(&gorm.Session{Logger: logger.Discard})
	require.NoError(t, quiet.AutoMigrate(&Vault{}, &Secret{}, &Plate{}))
	exec(t, quiet, `DROP TABLE vault_loose`)
	exec(t, quiet, `CREATE TABLE vault_loose (vault_code varchar(375), secret_code varchar(375))`)
	for n := range 2 {
		require.NoError(t, quiet.Create(&Vault{Code: sealed("vault", n+1), ID: n + 1}).Error)
	}
	for n := range 13 {
		require.NoError(t, quiet.Create(&Secret{Code: sealed("secret", n+1), Name: sealedPointer("name", n+1), Serial: sealedPointer("serial", n+1)}).Error)
	}
	require.NoError(t, quiet.Create(&VaultSecret{VaultCode: sealed("vault", 1), SecretCode: sealed("secret", 7), Seat: sealedPointer("seat", 7)}).Error)
	require.NoError(t, quiet.Delete(&VaultSecret{VaultCode: sealed("vault", 1), SecretCode: sealed("secret", 7)}).Error)
	for _, n := range []int{8, 10, 11} {
		require.NoError(t, quiet.Delete(&Secret{Code: sealed("secret", n)}).Error)
	}
	require.NoError(t, quiet.Create(&VaultSecret{VaultCode: sealed("vault", 2), SecretCode: sealed("secret", 9), Seat: sealedPointer("seat", 9)}).Error)
}

func vault(n int) *Vault { return &Vault{Code: sealed("vault", n)} }

func secrets(numbers ...int) []Secret {
	elems := make([]Secret, len(numbers))
	for i, n := range numbers {
		elems[i] = Secret{Code: sealed("secret", n), Note: sealed("memory", n)}
	}
	return elems
}

// marking is a call with values that are marked.
type marking struct {
	name string
	call func(ctx context.Context, db *gorm.DB) error
	want error // what errors.Is finds, or errAny
	// shows says that the error's text has the mark where nothing hides it; tells, that
	// the error of go-sql-driver always has; early, that no statement has been sent.
	shows, tells, early bool
}

func appendTo(n int, elems ...any) func(context.Context, *gorm.DB) error {
	return func(_ context.Context, db *gorm.DB) error {
		return db.Model(vault(n)).Association("Secrets").Append(elems...)
	}
}

// with makes a call under options.
func with(call func(context.Context, *gorm.DB) error, opts ...m2msafe.Option) func(context.Context, *gorm.DB) error {
	return func(ctx context.Context, db *gorm.DB) error { return call(ctx, m2msafe.With(db, opts...)) }
}

// markings are a call of each form, and of each error. They are made in this order.
func markings(e Engine) []marking {
	return slices.DeleteFunc(slices.Concat(markedCalls(), markedErrors()), func(m marking) bool {
		return e.Name == "postgres-plain" && strings.HasSuffix(m.name, "without a key") || // has none of these
			e.Dialect == "mysql" && m.name == "GetOrCreate of a table without a key" || // nor has it
			!generics && (strings.HasPrefix(m.name, "gorm.G") || strings.Contains(m.name, "a map"))
	})
}

func markedCalls() []marking {
	var report m2msafe.Report
	pairs := maps.All(map[string]string{sealed("vault", 1): sealed("secret", 4), sealed("vault", 2): sealed("secret", 4)})
	return []marking{
		{name: "Append", call: appendTo(1, secrets(1, 2))},
		{name: "Append again", call: appendTo(1, secrets(2, 3))},
		{name: "Append of one", call: appendTo(2, &Secret{Code: sealed("secret", 1)})},
		{name: "Append of new targets", call: appendTo(1, secrets(20, 1, 21))},
		{name: "Append by names", call: appendTo(1, &Secret{Name: sealedPointer("name", 4)}, &Secret{Serial: sealedPointer("serial", 5)})},
		{name: "Append of a dead link", call: appendTo(1, secrets(7))},
		{name: "Append of a dead target, revived", call: with(appendTo(1, &Secret{Name: sealedPointer("name", 10)}), m2msafe.DeletedTargets(m2msafe.Revive))},
		{name: "Append by a named key, keys only", call: with(appendTo(1, &Secret{Serial: sealedPointer("serial", 12), Note: sealed("memory", 12)}),
			m2msafe.NaturalKey(&Secret{}, "Serial"), m2msafe.KeysOnly())},
		{name: "Append to a join model with hooks", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(1)).Association("Hooked").Append(secrets(1, 2))
		}},
		{name: "Append in a DryRun", call: func(ctx context.Context, db *gorm.DB) error {
			return appendTo(1, secrets(1, 13))(ctx, db.Session(&gorm.Session{DryRun: true}))
		}},
		{name: "Append with values, reported", call: with(appendTo(1, secrets(6)), m2msafe.ReportTo(&report),
			m2msafe.Through(map[string]any{"note": sealed("note", 1), "seat": sealed("seat", 1)}),
			m2msafe.OnLinked(func(tx *gorm.DB, event m2msafe.Event) error {
				return tx.Create(&Plate{Name: fmt.Sprint(event.Links[0].TargetKey[0])}).Error
			}))},
		{name: "Append to a table without a key", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(1)).Association("Loose").Append(secrets(1, 2))
		}},
		{name: "Append of a map", call: func(_ context.Context, db *gorm.DB) error {
			return appendTo(1, map[string]any{"name": sealed("name", 9)}, map[string]any{"code": sealed("secret", 22), "note": sealed("note", 2)})(nil, db)
		}},
		{name: "Replace", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(2)).Association("Secrets").Replace(secrets(2, 23))
		}},
		{name: "Delete", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(vault(2)).Association("Secrets").Delete(secrets(2))
		}},
		{name: "Save", call: func(_ context.Context, db *gorm.DB) error {
			return db.Save(&Vault{Code: sealed("vault", 1), ID: 1, Title: sealed("title", 1), Secrets: secrets(1, 24)}).Error
		}},
		{name: "Save with FullSaveAssociations", call: func(_ context.Context, db *gorm.DB) error {
			return db.Session(&gorm.Session{FullSaveAssociations: true}).Save(&Vault{Code: sealed("vault", 1), ID: 1, Secrets: secrets(1, 25)}).Error
		}},
		{name: "Updates", call: func(_ context.Context, db *gorm.DB) error {
			return db.Updates(&Vault{Code: sealed("vault", 1), Title: sealed("title", 2), Secrets: secrets(2, 26)}).Error
		}},
		{name: "Create", call: func(_ context.Context, db *gorm.DB) error {
			return db.Create(&[]Vault{{Code: sealed("vault", 3), Secrets: secrets(1, 27)}, {Code: sealed("vault", 4), Secrets: secrets(1)}}).Error
		}},
		{name: "gorm.G Create", call: func(ctx context.Context, db *gorm.DB) error {
			return genericCreate(ctx, db, &Vault{Code: sealed("vault", 5), Secrets: secrets(1, 28)})
		}},
		{name: "gorm.G Set", call: func(ctx context.Context, db *gorm.DB) error {
			return genericSet[Vault](ctx, db, "Secrets", &secrets(5)[0])
		}},
		{name: "a transaction of the caller's", call: func(ctx context.Context, db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error { return appendTo(1, secrets(1, 29))(ctx, tx) })
		}},
		{name: "LinkKeys", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkKeys(ctx, db, &Vault{}, "Secrets", sealed("vault", 2), sealed("secret", 3), sealed("secret", 4))
			return err
		}},
		{name: "LinkPairs", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(ctx, db, &Vault{}, "Secrets", pairs)
			return err
		}},
		{name: "LinkPairs to a table without a key", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(ctx, db, &Vault{}, "Loose", pairs)
			return err
		}},
		{name: "GetOrCreate, twice", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(ctx, db, &Secret{Code: sealed("secret", 30), Note: sealed("note", 3)})
			_, again := m2msafe.GetOrCreate(ctx, db, &VaultSecret{VaultCode: sealed("vault", 2), SecretCode: sealed("secret", 5), Note: sealed("note", 4)})
			return errors.Join(err, again)
		}},
		{name: "GetOrCreate of a table without a key", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(ctx, db, &Plate{Name: sealed("plate", 1)}, m2msafe.NaturalKey(&Plate{}, "Name"), m2msafe.NoUniqueKey(m2msafe.Lock))
			return err
		}},
		{name: "Transaction", call: func(ctx context.Context, db *gorm.DB) error {
			return m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error {
				return appendTo(1, &Secret{Name: sealedPointer("name", 31), Code: sealed("secret", 31)})(ctx, tx)
			})
		}},
	}
}
