package compat

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

var callState = []behaviour{
	{"a statement is left as stock GORM leaves it", stateRestored},
	{"a *gorm.DB may be used again after a call that failed", stateAfterError},
	{"the owner's hooks see the Omits that the caller set", stateHooks},
	{"RowsAffected is stock GORM's", stateRowsAffected},
	{"a tracing plugin sees the link statement before and after", stateTracing},
	{"GORM's logger sees the link statement", stateLogger},
}

// stateOf is what a caller can see of a statement after a call.
func stateOf(db *gorm.DB) map[string]any {
	s := db.Statement
	clauses := []string{}
	for name := range s.Clauses {
		clauses = append(clauses, name)
	}
	sort.Strings(clauses)
	return map[string]any{
		"omits": s.Omits, "selects": s.Selects, "clauses": clauses, "table": s.Table, "sql": s.SQL.String(),
		"vars": len(s.Vars), "unscoped": s.Unscoped, "skip hooks": s.SkipHooks, "rows": db.RowsAffected,
		"in a transaction": isTx(s.ConnPool), "pool": s.ConnPool == db.ConnPool, "build": len(s.BuildClauses),
	}
}

func isTx(pool gorm.ConnPool) bool {
	_, ok := pool.(gorm.TxCommitter)
	return ok
}

// stateCalls are calls whose *gorm.DB the caller keeps.
var stateCalls = map[string]func(db *gorm.DB) *gorm.DB{
	"Create": func(db *gorm.DB) *gorm.DB {
		return db.Omit("Title", "Hidden").Create(&Playlist{Tracks: trackRefs(1, 2), Hidden: trackRefs(3)})
	},
	"Create, selected": func(db *gorm.DB) *gorm.DB {
		return db.Select("Title", "Tracks").Create(&Playlist{Title: "x", Tracks: trackRefs(1, 2)})
	},
	"Create of a slice": func(db *gorm.DB) *gorm.DB {
		return db.Create([]*Playlist{{Tracks: trackRefs(1, 2)}, {Hidden: []*Track{{Title: "new"}}}})
	},
	"Save":    func(db *gorm.DB) *gorm.DB { return db.Omit("Labels").Save(&Playlist{ID: 1, Tracks: trackRefs(1, 2)}) },
	"Updates": func(db *gorm.DB) *gorm.DB { return db.Updates(&Playlist{ID: 1, Title: "y", Tracks: trackRefs(1, 2)}) },
	"Updates through Model": func(db *gorm.DB) *gorm.DB {
		return db.Model(&Playlist{ID: 1, Tracks: trackRefs(1, 2)}).Omit("Hidden").Updates(Playlist{Title: "z"})
	},
	"Append": func(db *gorm.DB) *gorm.DB {
		tx := db.Model(&Playlist{ID: 1}).Omit("Hidden")
		_ = tx.Association("Tracks").Append(trackRefs(1, 2))
		return tx
	},
	"nothing to link": func(db *gorm.DB) *gorm.DB { return db.Create(&Playlist{Title: "empty"}) },
}

// Stock GORM passes this too: it is what the plugin is compared with.
func stateRestored(t *testing.T, e Engine) {
	stock, ours := music(t, e.Open(t, "stock", mode("default"))), music(t, e.DB(t))
	for name, run := range stateCalls {
		t.Run(name, func(t *testing.T) {
			left, want := run(ours), run(stock)
			require.NoError(t, left.Error)
			require.Equal(t, stateOf(want), stateOf(left))
			chain := ours.Session(&gorm.Session{}).Omit("Hidden").Session(&gorm.Session{})
			for range 2 {
				require.NoError(t, chain.Create(&Playlist{Tracks: trackRefs(1), Hidden: trackRefs(2)}).Error)
				require.Equal(t, []string{"Hidden"}, chain.Statement.Omits)
			}
			require.Empty(t, rows(t, ours, `SELECT 1 FROM playlist_hidden WHERE track_id = 2`))
		})
	}
}

// Stock GORM passes this too.
func stateAfterError(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	chain := db.Omit("Labels").Session(&gorm.Session{})
	for range 2 {
		failed := chain.Create(&Playlist{Tracks: trackRefs(1), Hidden: []*Track{nil}})
		require.ErrorIs(t, failed.Error, m2msafe.ErrInvalidTarget)
		require.Equal(t, []string{"Labels"}, failed.Statement.Omits)
		failed = m2msafe.With(chain, failing()).Create(&Playlist{Tracks: trackRefs(1)})
		require.ErrorIs(t, failed.Error, errHook)
		require.Equal(t, []string{"Labels"}, failed.Statement.Omits)
		require.False(t, isTx(failed.Statement.ConnPool))
		require.NoError(t, chain.Create(&Playlist{Tracks: trackRefs(1)}).Error)
	}
	require.Equal(t, "2", tally(t, db, "playlist_tracks"))
}

// Stock GORM passes this too.
func stateHooks(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	for name, run := range stateCalls {
		t.Run(name, func(t *testing.T) {
			var ours, stock hooklog
			require.NoError(t, run(ours.on(db)).Error)
			require.NoError(t, run(m2msafe.With(stock.on(db), m2msafe.Off())).Error)
			owners := func(h *hooklog) []string {
				return slices.DeleteFunc(h.heard(), func(call string) bool { return strings.HasPrefix(call, "track") })
			}
			require.Equal(t, owners(&stock), owners(&ours))
			require.NotEmpty(t, owners(&ours))
		})
	}
}

// Stock GORM passes this too.
func stateRowsAffected(t *testing.T, e Engine) {
	stock, ours := music(t, e.Open(t, "stock", mode("default"))), music(t, e.DB(t))
	for name, run := range map[string]func(db *gorm.DB) *gorm.DB{
		"Create": func(db *gorm.DB) *gorm.DB { return db.Create(&Playlist{Tracks: trackRefs(1, 2, 3)}) },
		"Create of two": func(db *gorm.DB) *gorm.DB {
			return db.Create([]Playlist{{Tracks: trackRefs(1)}, {Hidden: trackRefs(1)}})
		},
		"CreateInBatches": func(db *gorm.DB) *gorm.DB { return db.CreateInBatches([]Playlist{{Tracks: trackRefs(1)}, {}}, 1) },
		"Save":            func(db *gorm.DB) *gorm.DB { return db.Save(&Playlist{ID: 1, Tracks: trackRefs(1, 2, 3)}) },
		"Updates":         func(db *gorm.DB) *gorm.DB { return db.Updates(&Playlist{ID: 1, Title: "t", Tracks: trackRefs(3)}) },
		"Updates of none": func(db *gorm.DB) *gorm.DB {
			return db.Where("1 = 0").Updates(&Playlist{ID: 1, Title: "t", Tracks: trackRefs(3)})
		},
		"FirstOrCreate": func(db *gorm.DB) *gorm.DB {
			return db.FirstOrCreate(&Playlist{ID: 50, Tracks: trackRefs(2)}, "id = 50")
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := run(stock), run(ours)
			require.NoError(t, got.Error)
			require.Equal(t, want.RowsAffected, got.RowsAffected)
		})
	}
}

// tracer is a plugin that hears of every statement, as tracing plugins do.
type tracer struct {
	mu   sync.Mutex
	open int
	sql  []string
}

func (*tracer) Name() string { return "tracer" }

func (tr *tracer) Initialize(db *gorm.DB) error {
	before := func(*gorm.DB) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.open++
	}
	after := func(db *gorm.DB) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.open--
		tr.sql = append(tr.sql, db.Statement.SQL.String())
	}
	type registrar interface {
		Register(string, func(*gorm.DB)) error
	}
	cb := db.Callback()
	for name, at := range map[string][2]registrar{
		"create": {cb.Create().Before("*"), cb.Create().After("*")},
		"query":  {cb.Query().Before("*"), cb.Query().After("*")},
		"update": {cb.Update().Before("*"), cb.Update().After("*")},
		"delete": {cb.Delete().Before("*"), cb.Delete().After("*")},
		"row":    {cb.Row().Before("*"), cb.Row().After("*")},
		"raw":    {cb.Raw().Before("*"), cb.Raw().After("*")},
	} {
		if err := at[0].Register("tracer:before_"+name, before); err != nil {
			return err
		}
		if err := at[1].Register("tracer:after_"+name, after); err != nil {
			return err
		}
	}
	return nil
}

// Stock GORM passes this too.
func stateTracing(t *testing.T, e Engine) {
	for _, first := range []bool{true, false} {
		db, tr := e.Open(t, t.Name(), mode("default")), new(tracer)
		if first {
			require.NoError(t, db.Use(tr))
		}
		require.NoError(t, db.Use(m2msafe.New()))
		if !first {
			require.NoError(t, db.Use(tr))
		}
		if first {
			music(t, db)
		}
		for name, run := range stateCalls {
			refill(t, db)
			tr.sql = nil
			require.NoError(t, run(db).Error)
			require.Zero(t, tr.open)
			seen := slices.ContainsFunc(tr.sql, func(sql string) bool {
				return strings.Contains(sql, "INSERT INTO") && strings.Contains(sql, tableOf(db, "playlist_tracks"))
			})
			require.Equal(t, name != "nothing to link", seen, "%s: %q", name, tr.sql)
		}
	}
}

// Stock GORM passes this too.
func stateLogger(t *testing.T, e Engine) {
	var book logbook
	db := music(t, e.With(t, &gorm.Config{Logger: logger.New(&book, logger.Config{LogLevel: logger.Info, SlowThreshold: time.Hour})}))
	book.lines = nil
	require.NoError(t, tracks(db).Append(trackRefs(1, 3)))
	insert := slices.DeleteFunc(book.having("INSERT INTO"), func(line string) bool { return !strings.Contains(line, tableOf(db, "playlist_tracks")) })
	require.Len(t, insert, 1)
	require.Contains(t, insert[0], "3")
}
