package compat

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

var failValues = []behaviour{
	{"whatever is appended, nothing is written and nothing panics", valuesRefused},
	{"a nil inside a slice panics in stock GORM before a plugin can see it", valuesPanic},
	{"whatever stands in the owner's field, nothing panics", valuesCreated},
}

// values are what a user might append by mistake, and whether stock GORM, which
// looks at them before any plugin can, returns an error.
var values = map[string]struct {
	value []any
	fails bool
}{
	"nothing":                         {[]any{}, false},
	"nil":                             {[]any{nil}, false},
	"two nils":                        {[]any{nil, nil}, false},
	"an empty slice":                  {[]any{[]*Track{}}, false},
	"a nil slice":                     {[]any{[]*Track(nil)}, false},
	"a pointer to an empty slice":     {[]any{&[]*Track{}}, false},
	"a nil pointer":                   {[]any{(*Track)(nil)}, false},
	"a nil pointer to a slice":        {[]any{(*[]*Track)(nil)}, false},
	"a text":                          {[]any{"text"}, false},
	"a number":                        {[]any{42}, false},
	"a function":                      {[]any{func() {}}, false},
	"a channel":                       {[]any{make(chan int)}, false},
	"another model":                   {[]any{&Artist{ID: 1}}, true},
	"another model's value":           {[]any{Artist{ID: 1}}, true},
	"a slice of another model":        {[]any{[]Artist{{ID: 1}}}, true},
	"a slice of pointers to another":  {[]any{[]*Artist{{ID: 1}}}, true},
	"the owner's model":               {[]any{&Playlist{ID: 1}}, true},
	"a struct that is no model":       {[]any{struct{ ID uint }{1}}, true},
	"a right one, then a wrong one":   {[]any{&Track{ID: 1}, &Artist{ID: 1}}, true},
	"a wrong one, then a right one":   {[]any{&Artist{ID: 1}, &Track{ID: 1}}, true},
	"a map with an unknown column":    {[]any{map[string]any{"id": 90, "nowhere": 1}}, true},
	"a slice of pointers to pointers": {[]any{[]**Track{new(*Track)}}, true},
}

// valueOwners are the ways to an association that take values.
var valueOwners = map[string]func(db *gorm.DB) *gorm.Association{
	"Tracks": tracks,
	"Labels": func(db *gorm.DB) *gorm.Association { return db.Model(&Playlist{ID: 1}).Association("Labels") },
}

// attempt runs f, and returns what it panicked with, if it did.
func attempt(f func() error) (err error, panicked any) {
	defer func() { panicked = recover() }()
	return f(), nil
}

// Stock GORM passes this too, but for the pointers to pointers, over which it
// panics.
func valuesRefused(t *testing.T, e Engine) {
	stock, ours := music(t, e.Open(t, "stock", mode("default"))), music(t, e.DB(t))
	for name, v := range values {
		for relation, to := range valueOwners {
			for _, call := range []string{"Append", "Replace"} {
				t.Run(fmt.Sprint(call, " of ", name, " to ", relation), func(t *testing.T) {
					run := func(db *gorm.DB) (error, any) {
						refill(t, db)
						return attempt(func() error {
							// A panic inside GORM's own transaction would leave it
							// open; this one is rolled back.
							return db.Transaction(func(tx *gorm.DB) error {
								if call == "Append" {
									return to(tx).Append(v.value...)
								}
								return to(tx).Replace(v.value...)
							})
						})
					}
					want, stockPanics := run(stock)
					got, panics := run(ours)
					require.Nil(t, panics)
					require.Equal(t, v.fails, got != nil, "%v", got)
					require.Equal(t, musicRows(t, stock), musicRows(t, ours))
					require.Empty(t, tracksOf(t, ours, "playlist_tracks"))
					if stockPanics == nil {
						require.Equal(t, want == nil, got == nil, "stock: %v, ours: %v", want, got)
					}
				})
			}
		}
	}
	require.NoError(t, tracks(ours).Append(trackRefs(1)))
}

// What GORM itself panics on: Association.Append looks into its values before
// any statement is made, and the plugin sees statements. docs/semantics.md
// lists these. A transaction block rolls back, as for any panic.
func valuesPanic(t *testing.T, e Engine) {
	stock, ours := music(t, e.Open(t, "stock", mode("default"))), music(t, e.DB(t))
	for name, run := range map[string]func(db *gorm.DB) error{
		"a nil inside a slice":           func(db *gorm.DB) error { return tracks(db).Append([]*Track{{ID: 1}, nil}) },
		"a nil inside a slice's pointer": func(db *gorm.DB) error { return tracks(db).Append(&[]*Track{nil}) },
		"an owner that is a value":       func(db *gorm.DB) error { return db.Model(Playlist{ID: 1}).Association("Tracks").Append(&Track{ID: 1}) },
		"an owner that is nil in a slice": func(db *gorm.DB) error {
			return db.Model(&[]*Playlist{nil}).Association("Tracks").Append(&Track{ID: 1})
		},
		"an array by value": func(db *gorm.DB) error { return tracks(db).Append([1]Track{{ID: 1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, db := range []*gorm.DB{stock, ours} {
				_, panicked := attempt(func() error { return db.Transaction(run) })
				require.NotNil(t, panicked)
				require.Equal(t, "0", tally(t, db, "playlist_tracks"))
			}
		})
	}
}

// Stock GORM panics over the nil pointers.
func valuesCreated(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	for name, list := range map[string]*Playlist{
		"an empty slice": {Title: "empty", Tracks: []*Track{}},
		"a nil slice":    {Title: "nil"},
		"one nil":        {Title: "one", Tracks: []*Track{nil}},
		"nils at the end": {Title: "end", Tracks: []*Track{
			{ID: 1}, {Title: "new"}, nil, nil,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			refill(t, db)
			err, panicked := attempt(func() error { return db.Create(list).Error })
			require.Nil(t, panicked)
			if len(list.Tracks) == 0 {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, m2msafe.ErrInvalidTarget)
			require.Equal(t, []string{"3", "4"}, []string{tally(t, db, "playlists"), tally(t, db, "tracks")})
		})
	}
}
