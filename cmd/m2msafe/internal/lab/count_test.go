package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// openLite is an embedded database for a test, with its engine.
func openLite(t *testing.T) (*Engine, *gorm.DB) {
	t.Helper()
	engine, err := OpenEngine(t.Context(), SQLite, "", true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close(t.Context())) })
	db, closeDB, err := engine.Open(t.Context(), 4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeDB()) })
	return engine, db
}

// The counters are the lab's word on everything, so each kind of damage is
// planted and has to be found, and nothing else with it.
func TestCountersFindWhatIsPlanted(t *testing.T) {
	loan := func(reader int, books ...int) Append {
		return Append{Owner: &Reader{Row: named("r", reader)}, Targets: targets(books, func(n int) *Book { return &Book{Row: named("b", n)} })}
	}
	for _, test := range []struct {
		name  string
		plant string         // SQL, on top of the links (1,1), (1,2), (2,1)
		spoil func([]Append) // what the calls left in memory
		links int
		want  Damage
	}{
		{name: "nothing", links: 3},
		{name: "a duplicate", plant: `INSERT INTO loans (reader_id, book_id) VALUES (1, 2)`, want: Damage{Duplicates: 1}},
		{name: "two duplicates of one pair", plant: `INSERT INTO loans (reader_id, book_id) VALUES (1, 2), (1, 2)`, want: Damage{Duplicates: 2}},
		{name: "a lost link", plant: `DELETE FROM loans WHERE reader_id = 2`, want: Damage{Lost: 1}},
		{name: "all links lost", plant: `DELETE FROM loans`, want: Damage{Lost: 3}},
		{name: "too few links, whatever the calls returned", links: 5, want: Damage{Lost: 2}},
		{name: "a link to another row", plant: `UPDATE loans SET book_id = 3 WHERE reader_id = 2`, want: Damage{Lost: 1, Wrong: 1}},
		{name: "a link to nothing", plant: `PRAGMA foreign_keys = off; UPDATE loans SET book_id = 0 WHERE reader_id = 2`, want: Damage{Lost: 1, Wrong: 1}},
		{name: "a link too many", plant: `INSERT INTO loans (reader_id, book_id) VALUES (2, 3)`, want: Damage{Wrong: 1}},
		{
			name: "a target with another's ID", want: Damage{Wrong: 1},
			spoil: func(calls []Append) { calls[0].Targets[1].row().ID = 3 },
		},
		{
			name: "an owner with no ID", want: Damage{Wrong: 1},
			spoil: func(calls []Append) { calls[1].Owner.row().ID = 0 },
		},
		{
			name: "a target that is not stored", want: Damage{Wrong: 1, Lost: 1},
			plant: `INSERT INTO loans (reader_id, book_id) VALUES (2, 2); DELETE FROM loans WHERE reader_id = 2 AND book_id = 2`,
			spoil: func(calls []Append) { calls[1].Targets[0].row().Name = "b99" },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, db := openLite(t)
			sqlDB, err := db.DB()
			require.NoError(t, err)
			sqlDB.SetMaxOpenConns(1) // a PRAGMA is a connection's
			rel := borrowed()
			require.NoError(t, joined(&Reader{}, &Book{}, &Loan{}, rel, 2, 3)(db, Size{}))
			require.NoError(t, db.Exec(`INSERT INTO loans (reader_id, book_id) VALUES (1, 1), (1, 2), (2, 1)`).Error)
			if test.plant != "" {
				require.NoError(t, db.Exec(test.plant).Error)
			}
			calls := []Append{loan(1, 1, 2), loan(2, 1)}
			if test.spoil != nil {
				test.spoil(calls)
			}
			asked := newAsked()
			for _, call := range calls {
				asked.add(&rel, call, true)
			}
			got, err := inspect(db, &rel, asked, test.links)
			require.NoError(t, err)
			if test.name == "a target that is not stored" {
				// The link that is there was then asked for by nobody.
				test.want.Wrong++
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestCountersCountLivingRowsOnly(t *testing.T) {
	_, db := openLite(t)
	var e *Experiment
	for _, e = range All() {
		if e.Name == "soft-delete" {
			break
		}
	}
	require.NoError(t, e.Setup(db, Size{}))
	require.NoError(t, e.Reset(db, Size{}))
	var dead int64
	require.NoError(t, db.Table("memberships").Where("deleted_at IS NOT NULL").Count(&dead).Error)
	require.EqualValues(t, 25, dead)

	asked := newAsked()
	asked.add(&e.Relation, e.Calls(nil, Size{Writers: 1})[0][0], true)
	got, err := inspect(db, &e.Relation, asked, 0)
	require.NoError(t, err)
	require.Equal(t, Damage{Lost: 1}, got)
}

func TestFailedCallsPromiseNothing(t *testing.T) {
	_, db := openLite(t)
	rel := borrowed()
	require.NoError(t, joined(&Reader{}, &Book{}, &Loan{}, rel, 1, 2)(db, Size{}))
	asked := newAsked()
	asked.add(&rel, Append{Owner: reader(1), Targets: []Entity{book(1)}}, false)
	got, err := inspect(db, &rel, asked, 0)
	require.NoError(t, err)
	require.Zero(t, got)

	// Its row may be there, though: somebody else may have asked for it.
	require.NoError(t, db.Exec(`INSERT INTO loans (reader_id, book_id) VALUES (1, 1)`).Error)
	got, err = inspect(db, &rel, asked, 0)
	require.NoError(t, err)
	require.Zero(t, got)
}

func TestInverseCallsAskForTheSamePairs(t *testing.T) {
	rel := published()
	one, other := newAsked(), newAsked()
	one.add(&rel, Append{Owner: publication(1), Targets: []Entity{article(2)}}, true)
	other.add(&rel, Append{Owner: article(2), Targets: []Entity{publication(1)}, Inverse: true}, true)
	require.Equal(t, one, other)
}
