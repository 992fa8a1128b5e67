package compat

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// Crate and Box have values of the kinds that are no texts, which no mark is in.
type (
	Crate struct {
		ID        int64 `gorm:"autoIncrement:false"`
		UpdatedAt time.Time
		Boxes     []Box `gorm:"many2many:crate_boxes"`
		Loose     []Box `gorm:"many2many:crate_loose"` // without a unique key
	}
	Box struct {
		ID     int64 `gorm:"autoIncrement:false"`
		Number *int  `gorm:"unique"`
		Weight float64
	}
	CrateBox struct {
		CrateID   int64 `gorm:"primaryKey;autoIncrement:false"`
		BoxID     int64 `gorm:"primaryKey;autoIncrement:false"`
		Amount    int
		Weight    float64
		Fragile   bool
		Raw       []byte
		At        time.Time
		UpdatedAt time.Time
		DeletedAt gorm.DeletedAt
	}
)

// valuesAlike makes the same calls with two sets of values.
func valuesAlike(t *testing.T, e Engine) {
	few, many := crates(t, e, 10), crates(t, e, 20_000)
	for i, c := range crateCalls(0) {
		require.NotEmpty(t, few[i], c.name)
		require.Equal(t, few[i], many[i], c.name)
	}
}

// crates returns the texts of the statements of each call, with values from n up.
func crates(t *testing.T, e Engine, n int) [][]string {
	w := &watcher{Interface: logger.New(new(logbook), logger.Config{LogLevel: logger.Info}), hide: func(params []any) []any { return params }}
	now := past.Add(time.Duration(n) * time.Hour)
	db := e.At(t, fmt.Sprint(n), &gorm.Config{Logger: w, NowFunc: func() time.Time { return now }})
	require.NoError(t, db.SetupJoinTable(&Crate{}, "Boxes", &CrateBox{}))
	require.NoError(t, db.AutoMigrate(&Crate{}, &Box{}))
	exec(t, db, `DROP TABLE crate_loose`)
	exec(t, db, `CREATE TABLE crate_loose (crate_id bigint, box_id bigint)`)
	for i := range 6 {
		require.NoError(t, db.Create(&Crate{ID: int64(n + i)}).Error)
		number := n + i
		require.NoError(t, db.Create(&Box{ID: int64(n + i), Number: &number}).Error)
	}
	require.NoError(t, db.Create(&CrateBox{CrateID: int64(n), BoxID: int64(n + 5)}).Error)
	require.NoError(t, db.Delete(&CrateBox{CrateID: int64(n), BoxID: int64(n + 5)}).Error)

	var texts [][]string
	for _, c := range crateCalls(n) {
		w.texts = nil
		if e.Name == "postgres-plain" && c.name == "a table without a key" {
			w.texts = []string{"has none of these"}
		} else {
			require.NoError(t, c.call(t.Context(), db), c.name)
		}
		texts = append(texts, w.texts)
	}
	return texts
}

func crateCalls(n int) []marking {
	key := int64(n)
	boxes := func(db *gorm.DB) *gorm.Association { return db.Model(&Crate{ID: key}).Association("Boxes") }
	number, unknown := n+3, n+50
	amounts := map[string]any{"amount": n, "weight": float64(n) / 3, "fragile": n == 10, "raw": []byte{byte(n % 251)}, "at": past.Add(time.Duration(n) * time.Minute)}
	return []marking{
		{name: "Append of one", call: func(_ context.Context, db *gorm.DB) error { return boxes(db).Append(&Box{ID: key}) }},
		{name: "Append", call: func(_ context.Context, db *gorm.DB) error {
			return boxes(db).Append([]Box{{ID: key + 1}, {ID: key + 2}})
		}},
		{name: "by a number", call: func(_ context.Context, db *gorm.DB) error {
			return boxes(db).Append(&Box{Number: &number})
		}},
		{name: "a new one", call: func(_ context.Context, db *gorm.DB) error {
			return boxes(db).Append(&Box{ID: key + 50, Number: &unknown, Weight: float64(n) / 7})
		}},
		{name: "a dead link", call: func(_ context.Context, db *gorm.DB) error { return boxes(db).Append(&Box{ID: key + 5}) }},
		{name: "values of the join row", call: func(_ context.Context, db *gorm.DB) error {
			return boxes(m2msafe.With(db, m2msafe.Through(amounts))).Append(&Box{ID: key + 4})
		}},
		{name: "a table without a key", call: func(_ context.Context, db *gorm.DB) error {
			return db.Model(&Crate{ID: key}).Association("Loose").Append([]Box{{ID: key + 1}, {ID: key + 2}})
		}},
		{name: "LinkKeys", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkKeys(ctx, db, &Crate{}, "Boxes", key+1, key, key+1)
			return err
		}},
		{name: "LinkPairs", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.LinkPairs(ctx, db, &Crate{}, "Boxes", maps.All(map[int64]int64{key + 2: key, key + 3: key + 1}))
			return err
		}},
		{name: "GetOrCreate", call: func(ctx context.Context, db *gorm.DB) error {
			another := n + 60
			_, err := m2msafe.GetOrCreate(ctx, db, &Box{ID: key + 60, Number: &another, Weight: float64(n) / 7})
			return err
		}},
		{name: "GetOrCreate by the key", call: func(ctx context.Context, db *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(ctx, db, &Box{ID: key + 61, Weight: float64(n) / 7})
			return err
		}},
		{name: "Save", call: func(_ context.Context, db *gorm.DB) error {
			return db.Save(&Crate{ID: key + 4, Boxes: []Box{{ID: key}, {ID: key + 1}}}).Error
		}},
	}
}
