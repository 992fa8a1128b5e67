package compat

import (
	"maps"
	"reflect"
	"slices"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/m2msafe/m2msafe"
)

// step makes a call.
func (w *world) step(db *gorm.DB) {
	calls := []string{"Append", "Append", "Replace", "Delete", "Clear", "Find", "Create", "Save", "Updates", "LinkKeys", "LinkPairs"}
	if w.deep < 2 {
		calls = append(calls, "transaction")
	}
	call, end := rapid.SampledFrom(calls).Draw(w.r, "call"), rapid.IntRange(0, 1).Draw(w.r, "end")
	of := w.sides[end]
	if call == "transaction" {
		w.transaction(db)
		return
	}
	num := w.some(end)
	owner, ctx := w.element(end, num), db.Statement.Context
	association := func(db *gorm.DB) *gorm.Association { return db.Model(owner.Interface()).Association(of.relation) }
	switch call {
	case "Append", "Replace":
		nums := w.targets(1-end, true)
		var report m2msafe.Report
		a := association(m2msafe.With(db, m2msafe.ReportTo(&report)))
		elems := w.elements(1-end, nums, rapid.Bool().Draw(w.r, "pointers"))
		if call == "Append" {
			require.NoError(w.r, a.Append(elems.Interface()))
		} else {
			w.unlink(end, num, func(target int) bool { return !slices.Contains(nums, target) })
			require.NoError(w.r, a.Replace(elems.Interface()))
		}
		w.linked(end, owner, nums)
		require.Equal(w.r, w.link(end, num, nums...), len(report.Created())+len(report.Revived()), "new links, by the report")
	case "Delete":
		if nums := w.targets(1-end, false); len(nums) > 0 {
			require.NoError(w.r, association(db).Delete(w.elements(1-end, nums, true).Interface()))
			w.unlink(end, num, func(target int) bool { return slices.Contains(nums, target) })
		}
	case "Clear":
		require.NoError(w.r, association(db).Clear())
		w.unlink(end, num, func(int) bool { return true })
	case "Find":
		w.find(association(db), end, num)
	case "Create":
		w.create(db, end)
	case "Save", "Updates":
		nums := w.targets(1-end, true)
		field := owner.Elem().FieldByName(of.relation)
		field.Set(w.elements(1-end, nums, field.Type().Elem().Kind() == reflect.Pointer))
		if call == "Save" {
			require.NoError(w.r, db.Save(owner.Interface()).Error)
		} else {
			require.NoError(w.r, db.Updates(owner.Interface()).Error)
		}
		w.linked(end, owner, nums)
		w.link(end, num, nums...)
	case "LinkKeys":
		nums := w.targets(1-end, false)
		keys := make([]any, len(nums))
		for i, target := range nums {
			keys[i] = w.key(1-end, target)
		}
		links, err := m2msafe.LinkKeys(ctx, db, reflect.New(of.model).Interface(), of.relation, w.key(end, num), keys...)
		require.NoError(w.r, err)
		fresh := slices.DeleteFunc(links, func(l m2msafe.Link) bool { return l.Outcome == m2msafe.Existing })
		require.Len(w.r, fresh, w.link(end, num, nums...), "new links")
	case "LinkPairs":
		w.linkPairs(db, end)
	}
}

// linkPairs links any stored rows with any.
func (w *world) linkPairs(db *gorm.DB, end int) {
	of, fresh := w.sides[end], 0
	var pairs [][2]any
	for range rapid.IntRange(1, 6).Draw(w.r, "pairs") {
		owner, target := w.some(end), w.some(1-end)
		pairs = append(pairs, [2]any{w.key(end, owner), w.key(1-end, target)})
		fresh += w.link(end, owner, target)
	}
	done, err := m2msafe.LinkPairs(db.Statement.Context, db, reflect.New(of.model).Interface(), of.relation, func(yield func(owner, target any) bool) {
		for _, pair := range pairs {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}, m2msafe.ChunkSize(rapid.IntRange(1, 4).Draw(w.r, "chunk")))
	require.NoError(w.r, err)
	require.EqualValues(w.r, fresh, done.Created+done.Revived, "new links")
}

func (w *world) find(a *gorm.Association, end, num int) {
	var want, got []int
	for pair := range w.links {
		if pair[end] == num {
			want = append(want, pair[1-end])
		}
	}
	found := reflect.New(reflect.SliceOf(w.sides[1-end].model))
	require.NoError(w.r, a.Find(found.Interface()))
	for i := range found.Elem().Len() {
		got = append(got, int(found.Elem().Index(i).FieldByName("Num").Int()))
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(w.r, want, got, "found")
	require.EqualValues(w.r, len(want), a.Count(), "counted")
}

// create makes an owner with targets.
func (w *world) create(db *gorm.DB, end int) {
	for num := range rowsOfASide {
		if w.rows[end][num] != nil {
			continue
		}
		owner, nums := w.element(end, num), w.targets(1-end, true)
		field := owner.Elem().FieldByName(w.sides[end].relation)
		field.Set(w.elements(1-end, nums, field.Type().Elem().Kind() == reflect.Pointer))
		require.NoError(w.r, db.Create(owner.Interface()).Error)
		w.stored(end, num, owner)
		w.linked(end, owner, nums)
		w.link(end, num, nums...)
		return
	}
}

// transaction makes calls in one, which may be rolled back.
func (w *world) transaction(db *gorm.DB) {
	rows, links := [2]map[int][]any{maps.Clone(w.rows[0]), maps.Clone(w.rows[1])}, maps.Clone(w.links)
	back := rapid.Bool().Draw(w.r, "rolled back")
	w.deep++
	err := db.Transaction(func(tx *gorm.DB) error {
		for range rapid.IntRange(1, 3).Draw(w.r, "calls in it") {
			w.step(tx)
			w.check(tx)
		}
		return map[bool]error{true: errHook}[back]
	})
	w.deep--
	require.Equal(w.r, back, err != nil)
	if back {
		w.rows, w.links = rows, links
	}
}
