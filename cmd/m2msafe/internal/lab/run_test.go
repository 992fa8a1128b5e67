package lab

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// labOf is a quick lab of one experiment on the embedded database.
func labOf(t *testing.T, name string, ways ...*Way) *Lab {
	t.Helper()
	engine, err := OpenEngine(t.Context(), SQLite, "", true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close(t.Context())) })
	experiments, err := Choose([]string{name})
	require.NoError(t, err)
	return &Lab{Engine: engine, Experiments: experiments, Ways: ways, Size: Size{Writers: 4, Quick: true}, Seed: 1}
}

// A way that does something wrong under the plugin's name must not pass.
func TestEveryFaultOfThePluginIsSeen(t *testing.T) {
	insert := func(db *gorm.DB, owner, target uint) error {
		return db.Create(&Loan{ReaderID: owner, BookID: target}).Error
	}
	for _, test := range []struct {
		name, experiment string
		do               func(*gorm.DB, *Relation, Append) error
		check            func(*testing.T, *Result)
	}{
		{
			"it does nothing", "no-key",
			func(*gorm.DB, *Relation, Append) error { return nil },
			func(t *testing.T, r *Result) { require.Equal(t, Damage{Lost: 50}, r.Damage) },
		},
		{
			"it inserts each time", "no-key",
			func(db *gorm.DB, _ *Relation, c Append) error {
				return insert(db, c.Owner.row().ID, c.Targets[0].row().ID)
			},
			func(t *testing.T, r *Result) { require.Equal(t, Damage{Duplicates: 150}, r.Damage) },
		},
		{
			"it links another row", "no-key",
			func(db *gorm.DB, _ *Relation, c Append) error {
				return insert(db, c.Owner.row().ID, c.Targets[0].row().ID%25+1)
			},
			func(t *testing.T, r *Result) { require.Equal(t, Damage{Duplicates: 150}, r.Damage) },
		},
		{
			"it spoils the ID in memory", "origin",
			func(db *gorm.DB, rel *Relation, c Append) error {
				defer func() { c.Targets[0].row().ID++ }()
				return appendTargets(db, rel, c)
			},
			func(t *testing.T, r *Result) { require.NotZero(t, r.Wrong) },
		},
		{
			"it fails", "no-key",
			func(*gorm.DB, *Relation, Append) error { return errors.New("no") },
			func(t *testing.T, r *Result) { require.Equal(t, map[string]int{"other": 200}, r.Errors) },
		},
		{
			"it panics", "no-key",
			func(*gorm.DB, *Relation, Append) error { panic("no") },
			func(t *testing.T, r *Result) { require.Equal(t, map[string]int{"panic": 200}, r.Errors) },
		},
		{
			"it fails where an error is right, but with another", "second-key",
			func(*gorm.DB, *Relation, Append) error { return errors.New("no") },
			func(t *testing.T, r *Result) { require.Equal(t, 160, r.Failed()) },
		},
		{
			"it refuses everybody", "second-key",
			func(db *gorm.DB, _ *Relation, _ Append) error {
				return db.Exec(`INSERT INTO seats (id, name) SELECT id, name FROM seats`).Error
			},
			func(t *testing.T, r *Result) { require.Equal(t, Damage{Lost: 40}, r.Damage) },
		},
		{
			"it links by name and leaves the ID out", "by-name",
			func(db *gorm.DB, _ *Relation, c Append) error {
				return db.Exec(`INSERT INTO story_topics (story_id, topic_id) SELECT ?, id FROM topics WHERE name = ?`,
					c.Owner.row().ID, c.Targets[0].row().Name).Error
			},
			func(t *testing.T, r *Result) { require.Equal(t, Damage{Wrong: 50}, r.Damage) },
		},
		{
			"it swaps two IDs", "mixed",
			func(db *gorm.DB, rel *Relation, c Append) error {
				err := checkThenInsert(db, rel, c)
				one, other := c.Targets[0].row(), c.Targets[1].row()
				one.ID, other.ID = other.ID, one.ID
				return err
			},
			func(t *testing.T, r *Result) {
				require.Zero(t, r.Failed())
				require.NotZero(t, r.Wrong)
				require.Zero(t, r.Lost)
			},
		},
		{
			"it mixes up IDs, as stock GORM does", "mixed", appendTargets,
			func(t *testing.T, r *Result) {
				require.NotZero(t, r.Wrong)
				require.NotZero(t, r.Lost)
			},
		},
		{
			"it fails on maps, as stock GORM does", "maps", appendTargets,
			func(t *testing.T, r *Result) { require.Equal(t, map[string]int{"unique": 200}, r.Errors) },
		},
		{
			"it runs hooks", "hooks", appendTargets,
			func(t *testing.T, r *Result) { require.EqualValues(t, 400, *r.Effect) },
		},
		{
			"it moves the sequence", "sequence", appendTargets,
			func(t *testing.T, r *Result) { require.EqualValues(t, 1000, *r.Effect) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := labOf(t, test.experiment, &Way{Name: Plugin, Do: test.do})
			results, err := l.Run(t.Context())
			require.NoError(t, err)
			require.Len(t, results, 1)
			test.check(t, results[0])
			require.False(t, l.Report(results).OK)
		})
	}
}

func TestStockHasFaultsAndDoesNotDecide(t *testing.T) {
	l := labOf(t, "no-key", Ways()...)
	var progress atomic.Int64
	l.Progress = func(*Experiment, *Way) { progress.Add(1) }
	results, err := l.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 150, results[1].Duplicates, "every writer but one stores each pair again")
	require.True(t, results[2].Clean())
	require.True(t, l.Report(results).OK)
	require.EqualValues(t, l.Calls(), progress.Load())
}

func TestNothingRunIsNotOK(t *testing.T) {
	l := labOf(t, "deferrable", Ways()...)
	results, err := l.Run(t.Context())
	require.NoError(t, err)
	require.Zero(t, l.Calls())
	require.False(t, l.Report(results).OK)
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := labOf(t, "origin", Ways()...)
	l.Progress = func(_ *Experiment, w *Way) {
		if w.Name == Stock {
			cancel()
		}
	}
	results, err := l.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, results, 1, "what is complete is kept")
}

func TestSetUpErrorsAreNamed(t *testing.T) {
	l := labOf(t, "origin", Ways()...)
	l.Experiments[0].Setup = func(*gorm.DB, Size) error { return errors.New("no room") }
	_, err := l.Run(t.Context())
	require.EqualError(t, err, "experiment origin, by hand: set-up: no room")
}

// The ways are compared call by call, so they must get the same ones.
func TestCallsAreTheSameEachTime(t *testing.T) {
	l := &Lab{Size: Size{Writers: 3, Quick: true}, Seed: 42}
	other := &Lab{Size: l.Size, Seed: 43}
	for _, e := range All() {
		require.Equal(t, l.calls(e, 1), l.calls(e, 1), e.Name)
		if e.Name == "shuffled" {
			require.NotEqual(t, l.calls(e, 1), other.calls(e, 1), "another seed")
			require.NotEqual(t, l.calls(e, 1), l.calls(e, 0), "another round")
		}
	}
}

func TestExperimentsAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, e := range All() {
		require.False(t, names[e.Name], "%s: the name is taken", e.Name)
		names[e.Name] = true
		require.NotEmpty(t, e.About, e.Name)
		require.NotNil(t, e.Relation.Rows, e.Name)
		if e.Effect != nil {
			require.LessOrEqual(t, len(e.Effect.Column), effectWidth, e.Name)
		}
		for _, quick := range []bool{true, false} {
			require.Positive(t, e.Rounds(Size{Writers: 8, Quick: quick}), e.Name)
		}
	}
}

func TestOriginIsTheOneOfTheQuestion(t *testing.T) {
	l := &Lab{
		Engine: &Engine{Name: Postgres}, Experiments: originExperiments(), Ways: Ways()[:1], Size: Size{Writers: 8},
	}
	require.Equal(t, 8*99*4*4, l.Calls())
}
