package linear

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// The times of calls: those of first come before those of second, and both meet wide.
var (
	first  = [2]int64{10, 20}
	second = [2]int64{30, 40}
	third  = [2]int64{50, 60}
	wide   = [2]int64{5, 45}
)

// noted puts down calls of owner 1.
func noted(puts ...func(*History)) *History {
	var h History
	for _, put := range puts {
		put(&h)
	}
	return &h
}

func wrote(at [2]int64, kind Kind, targets Set, told Told) func(*History) {
	n := note{call: call{Kind: kind, Pairs: Pairs{Owner: 1, Targets: targets}}, told: told, from: at[0], to: at[1]}
	return n.made
}

// replaced has appended at a time in between.
func replaced(at [2]int64, targets Set, told Told) func(*History) {
	n := note{call: call{Kind: Replace, Pairs: Pairs{Owner: 1, Targets: targets}}, told: told, from: at[0], between: (at[0] + at[1]) / 2, to: at[1]}
	return n.made
}

func whole(at [2]int64, kind Kind, targets Set, told Told) func(*History) {
	n := note{call: call{Kind: kind, Pairs: Pairs{Owner: 1, Targets: targets}}, told: told, whole: true, from: at[0], to: at[1]}
	return n.made
}

func missed(at [2]int64, kind Kind, targets Set) func(*History) {
	n := note{call: call{Kind: kind, Pairs: Pairs{Owner: 1, Targets: targets}}, from: at[0], to: at[1]}
	return n.unknown
}

func saw(at [2]int64, ids ...uint) func(*History) {
	n := note{call: call{Kind: Find, Pairs: Pairs{Owner: 1}}, found: ids, from: at[0], to: at[1]}
	return n.made
}

func sawCount(at [2]int64, rows int) func(*History) {
	n := note{call: call{Kind: Count, Pairs: Pairs{Owner: 1}}, rows: rows, from: at[0], to: at[1]}
	return n.made
}

func fresh(targets ...uint) Told { return Told{New: of(targets...)} }
func old(targets ...uint) Told   { return Told{Old: of(targets...)} }

func TestTheModelTellsRightFromWrong(t *testing.T) {
	for _, c := range []struct {
		name    string
		right   bool
		history *History
	}{
		{"a link is added once, then there", true, noted(wrote(first, Append, of(1), fresh(1)), wrote(second, Append, of(1), old(1)), saw(third, 1))},
		{"a link is added twice", false, noted(wrote(first, Append, of(1), fresh(1)), wrote(second, Append, of(1), fresh(1)))},
		{"a link is added twice at the same time", false, noted(wrote(first, Append, of(1), fresh(1)), wrote(wide, Append, of(1), fresh(1)))},
		{"a link is added twice, with a Delete between", true, noted(wrote(first, Append, of(1), fresh(1)), wrote(second, Delete, of(1), Told{}), wrote(third, Append, of(1), fresh(1)))},
		{"a link was there before anybody added it", false, noted(wrote(first, Append, of(1), old(1)), wrote(second, Append, of(1), fresh(1)))},
		{"of two at the same time one adds", true, noted(wrote(first, Append, of(1), old(1)), wrote(wide, Append, of(1), fresh(1)))},
		{"a link is added and not seen", false, noted(wrote(first, Append, of(1), Told{}), saw(second))},
		{"a link is deleted and seen", false, noted(wrote(first, Append, of(1), fresh(1)), wrote(second, Delete, of(1), Told{}), saw(third, 1))},
		{"a read at the same time sees it", true, noted(wrote(wide, Append, of(1), fresh(1)), saw(first, 1))},
		{"a read at the same time does not", true, noted(wrote(wide, Append, of(1), fresh(1)), saw(first))},
		{"two reads see it come and go", false, noted(wrote(wide, Append, of(1), fresh(1)), saw(first, 1), saw(second))},
		{"half of an Append is seen", false, noted(wrote(wide, Append, of(1, 2), fresh(1, 2)), saw(first, 1))},
		{"a link is found twice", false, noted(wrote(first, Append, of(1), fresh(1)), saw(second, 1, 1))},
		{"a link is counted", true, noted(wrote(first, Append, of(1, 3), fresh(1, 3)), sawCount(second, 2))},
		{"a link is counted twice", false, noted(wrote(first, Append, of(1), fresh(1)), sawCount(second, 2))},
		{"owners have sets of their own", true, func() *History {
			n := note{call: call{Kind: Append, Pairs: Pairs{Owner: 2, Targets: of(1)}}, told: fresh(1), from: 1, to: 2}
			return noted(n.made, saw(first), wrote(second, Append, of(1), fresh(1)))
		}()},

		{"an Append finds a link that goes before it adds another", true, noted(wrote(first, Append, of(1), fresh(1)),
			wrote([2]int64{25, 100}, Append, of(1, 2), Told{New: of(2), Old: of(1)}), wrote(second, Delete, of(1), Told{}), saw(third), saw([2]int64{110, 120}, 2))},
		{"which is no one moment", false, noted(wrote(first, Append, of(1), fresh(1)),
			whole([2]int64{25, 100}, Append, of(1, 2), Told{New: of(2), Old: of(1)}), wrote(second, Delete, of(1), Told{}), saw(third), saw([2]int64{110, 120}, 2))},

		{"a Replace is seen before it deletes", true, noted(wrote(first, Append, of(1), fresh(1)), replaced([2]int64{30, 100}, of(2), fresh(2)), saw(second, 1, 2))},
		{"a Replace deletes before it appends", false, noted(wrote(first, Append, of(1), fresh(1)), replaced([2]int64{30, 100}, of(2), fresh(2)), saw(second))},
		{"a whole Replace is seen half done", false, noted(wrote(first, Append, of(1), fresh(1)), whole([2]int64{30, 100}, Replace, of(2), fresh(2)), saw(second, 1, 2))},
		{"a whole Replace", true, noted(wrote(first, Append, of(1), fresh(1)), whole(second, Replace, of(2), fresh(2)), saw(third, 2))},

		{"an unknown Append is never seen", true, noted(missed(first, Append, of(1)), saw(second), saw(third))},
		{"an unknown Append is seen late", true, noted(missed(first, Append, of(1)), saw(second), saw(third, 1))},
		{"an unknown Append is seen early", false, noted(missed(second, Append, of(1)), saw(first, 1))},
		{"an unknown Append is seen no more", false, noted(missed(first, Append, of(1)), saw(second, 1), saw(third))},
		{"an unknown Delete", true, noted(wrote(first, Append, of(1), fresh(1)), missed(second, Delete, of(1)), saw(third))},
		{"an unknown Delete that was none", true, noted(wrote(first, Append, of(1), fresh(1)), missed(second, Delete, of(1)), saw(third, 1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := map[bool]porcupine.CheckResult{true: porcupine.Ok, false: porcupine.Illegal}[c.right]
			require.Equal(t, want, c.history.Check(time.Minute))
		})
	}
}

// The calls of a seed are the same each time, and of all kinds.
func TestASeedMakesTheSameCalls(t *testing.T) {
	w := Workload{Seed: 7, Calls: 200, Hurry: 20}
	require.Equal(t, w.calls(3), w.calls(3))
	require.NotEqual(t, w.calls(3), w.calls(4))
	kinds := map[Kind]int{}
	for _, call := range w.calls(3) {
		kinds[call.Kind]++
	}
	require.Len(t, kinds, 5)
}
