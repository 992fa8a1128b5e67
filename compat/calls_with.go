package compat

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Stock GORM has no options: none of these can pass there.
var callWith = []behaviour{
	{"options of With don't reach the *gorm.DB that it was given", withKeepsBase},
	{"options of With survive sessions, transactions and gorm.G", withSurvives},
	{"With keeps what its *gorm.DB was told already", withKeepsStatement},
	{"With on With adds up, and the last word counts", withWith},
	{"With inside a transaction stays in it", withInside},
	{"one session of With serves many goroutines", withConcurrently},
	{"Off is stock GORM, and anything else is on again", withOff},
	{"without options With changes nothing", withNothing},
}

func withKeepsBase(t *testing.T, e Engine) {
	db := seeded(t, e)
	var report m2msafe.Report
	tx := m2msafe.With(db, m2msafe.ReportTo(&report))
	require.NoError(t, link(db, 1, 1))
	require.Empty(t, report.Links())
	require.NoError(t, link(tx, 1, 1))
	require.NoError(t, link(db, 1, 2))
	require.Equal(t, []string{"1|1 existing"}, outcomes(report.Links()))
	m2msafe.With(db, nil)
	require.NoError(t, link(db, 1, 3))
}

func withSurvives(t *testing.T, e Engine) {
	ctx := context.Background()
	add := func(db *gorm.DB) error { return link(db, 1, 1) }
	for name, run := range map[string]func(tx *gorm.DB) error{
		"NewDB":       func(tx *gorm.DB) error { return add(tx.Session(&gorm.Session{NewDB: true})) },
		"WithContext": func(tx *gorm.DB) error { return add(tx.WithContext(ctx)) },
		"PrepareStmt": func(tx *gorm.DB) error { return add(tx.Session(&gorm.Session{PrepareStmt: true})) },
		"Transaction": func(tx *gorm.DB) error { return tx.Transaction(add) },
		"nested":      func(tx *gorm.DB) error { return tx.Transaction(func(tx *gorm.DB) error { return tx.Transaction(add) }) },
		"Connection":  func(tx *gorm.DB) error { return tx.Connection(add) },
		"Begin": func(tx *gorm.DB) error {
			began := tx.Begin()
			if err := add(began); err != nil {
				return err
			}
			return began.Commit().Error
		},
		"gorm.G Create": func(tx *gorm.DB) error {
			return genericCreate(ctx, tx, &Article{Title: "new", Publications: publications(1)})
		},
		"gorm.G Set": func(tx *gorm.DB) error {
			return genericSet[Article](ctx, tx, "Publications", &Publication{ID: 1})
		},
		"CreateInBatches": func(tx *gorm.DB) error {
			return tx.CreateInBatches([]Article{{Title: "x"}, {Title: "y", Publications: publications(1)}}, 1).Error
		},
		"nested target": func(tx *gorm.DB) error {
			return tx.Omit("Articles.Publications").Create(&Publication{Name: "outer", Articles: []*Article{{ID: 1}}}).Error
		},
		"Model, Clauses, Scopes": func(tx *gorm.DB) error {
			return tx.Scopes(func(tx *gorm.DB) *gorm.DB { return tx }).Model(&Article{ID: 1}).Association("Publications").Append(publications(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			needsGenerics(t, name)
			if name == "PrepareStmt" && e.Unprepared != "" {
				t.Skip(e.Unprepared)
			}
			db := seeded(t, e)
			var report m2msafe.Report
			require.NoError(t, run(m2msafe.With(db, m2msafe.ReportTo(&report))))
			require.Len(t, report.Created(), 1)
			require.Len(t, linked(t, db), 1)
		})
	}
}

func withKeepsStatement(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	var report m2msafe.Report
	tx := m2msafe.With(db.Omit("Hidden").Set("setting", 1), m2msafe.ReportTo(&report))
	for range 2 {
		require.NoError(t, tx.Create(&Playlist{Tracks: trackRefs(1), Hidden: trackRefs(2)}).Error)
	}
	require.Equal(t, []string{"2", "0"}, []string{tally(t, db, "playlist_tracks"), tally(t, db, "playlist_hidden")})
	require.Len(t, report.Created(), 2)
	setting, _ := tx.Get("setting")
	require.Equal(t, 1, setting)
}

func withWith(t *testing.T, e Engine) {
	db := seeded(t, e)
	var first, second m2msafe.Report
	var heard events
	outer := m2msafe.With(db, m2msafe.ReportTo(&first), heard.listen())
	inner := m2msafe.With(outer, m2msafe.ReportTo(&second))
	require.NoError(t, link(inner, 1, 1))
	require.NoError(t, link(outer, 1, 2))
	require.NoError(t, link(m2msafe.With(outer, m2msafe.Off()), 1, 3))
	require.Equal(t, []string{"1|2 created"}, outcomes(first.Links()))
	require.Equal(t, []string{"1|1 created"}, outcomes(second.Links()))
	require.Len(t, heard, 2)
}

func withInside(t *testing.T, e Engine) {
	db := seeded(t, e)
	var report m2msafe.Report
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, link(m2msafe.With(tx, m2msafe.ReportTo(&report)), 1, 1))
		require.Len(t, linked(t, tx), 1)
		return errHook
	}), errHook)
	require.Empty(t, linked(t, db))
	require.Len(t, report.Created(), 1)
}

func withConcurrently(t *testing.T, e Engine) {
	db := seeded(t, e)
	var report m2msafe.Report
	tx := m2msafe.With(db, m2msafe.ReportTo(&report))
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { errs[i] = link(tx, uint(i%3+1), 1, 2, 3) })
	}
	group.Wait()
	require.Equal(t, make([]error, 8), errs)
	require.Len(t, report.Links(), 24)
	require.Len(t, report.Created(), 9)
	require.Len(t, linked(t, db), 9)
}

func withOff(t *testing.T, e Engine) {
	db, log := seeded(t, e), new(hooklog)
	require.NoError(t, link(m2msafe.With(log.on(db), m2msafe.Off()), 1, 1))
	require.Equal(t, []string{"target AfterCreate", "target BeforeCreate", "target BeforeSave"}, log.heard())
	require.NoError(t, link(log.on(db), 1, 2))
	require.Len(t, log.heard(), 3)

	t.Run("by default", func(t *testing.T) {
		db, log := seeded(t, e, m2msafe.Off()), new(hooklog)
		var report m2msafe.Report
		require.NoError(t, link(log.on(db), 1, 1))
		require.Len(t, log.heard(), 3)
		require.NoError(t, link(m2msafe.With(log.on(db), m2msafe.ReportTo(&report)), 1, 2))
		require.Len(t, log.heard(), 3)
		require.Equal(t, []string{"1|2 created"}, outcomes(report.Links()))
		require.Len(t, linked(t, db), 2)
	})
}

func withNothing(t *testing.T, e Engine) {
	var heard events
	db := seeded(t, e, heard.listen())
	require.NoError(t, link(m2msafe.With(db), 1, 1))
	require.Equal(t, []string{"1|1"}, linked(t, db))
	require.Equal(t, fmt.Sprint(events{"Article.Publications [1|1 created]"}), fmt.Sprint(heard))
}
