package compat

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"pgregory.net/rapid"
)

// world is a shape's database, and what it should hold: rows by their numbers, with
// their keys, and pairs of these numbers, the left one first.
type world struct {
	shape
	db    *gorm.DB
	r     *rapid.T
	rows  [2]map[int][]any
	links map[[2]int]bool
	deep  int // in how many transactions
}

// element is a row in memory. One that is not stored has its key, unless the database
// counts it.
func (w *world) element(end, num int) reflect.Value {
	key := w.rows[end][num]
	if key == nil && !w.sides[end].counts() {
		key = keyOf(w.sides[end].kinds, num)
	}
	row := reflect.New(w.sides[end].model)
	for i, v := range key {
		row.Elem().Field(i).Set(reflect.ValueOf(v))
	}
	row.Elem().FieldByName("Num").SetInt(int64(num))
	return row
}

// stored takes an element for one whose row is stored now.
func (w *world) stored(end, num int, row reflect.Value) {
	key := make([]any, len(w.sides[end].kinds))
	for i := range key {
		key[i] = row.Elem().Field(i).Interface()
		require.False(w.r, row.Elem().Field(i).IsZero(), "row %d has no key", num)
	}
	if known := w.rows[end][num]; known != nil {
		require.Equal(w.r, known, key, "row %d has another key", num)
		return
	}
	for other, taken := range w.rows[end] {
		require.NotEqual(w.r, taken, key, "rows %d and %d have one key", num, other)
	}
	w.rows[end][num] = key
}

// check compares the database with what it should hold.
func (w *world) check(db *gorm.DB) {
	var rows [2][]int
	for end, table := range []string{"shape_lefts", "shape_rights"} {
		require.NoError(w.r, db.Raw("SELECT num FROM "+table+" ORDER BY 1").Scan(&rows[end]).Error)
		require.Equal(w.r, slices.Sorted(maps.Keys(w.rows[end])), rows[end], "rows of %s", table)
	}
	join := func(table, alias string, end int) string {
		columns, _ := w.sides[end].columns(end)
		on := make([]string, len(columns))
		for i, c := range columns {
			on[i] = alias + "." + string("abc"[i]) + " = j." + c
		}
		return " LEFT JOIN " + table + " AS " + alias + " ON " + strings.Join(on, " AND ")
	}
	query := "SELECT l.num AS l, r.num AS r FROM shape_links AS j" + join("shape_lefts", "l", 0) + join("shape_rights", "r", 1)
	if w.deletes {
		query += " WHERE deleted_at IS NULL"
	}
	var found []struct{ L, R *int }
	require.NoError(w.r, db.Raw(query).Scan(&found).Error)
	var links, want []string
	for _, pair := range found {
		require.True(w.r, pair.L != nil && pair.R != nil, "a link of nothing")
		links = append(links, fmt.Sprint(*pair.L, "–", *pair.R))
	}
	for pair := range w.links {
		want = append(want, fmt.Sprint(pair[0], "–", pair[1]))
	}
	slices.Sort(links)
	slices.Sort(want)
	require.Equal(w.r, want, links, "links")
}

// link notes links, and returns how many of them are new.
func (w *world) link(end, owner int, targets ...int) (fresh int) {
	for _, target := range targets {
		pair := [2]int{owner, target}
		if end == 1 {
			pair = [2]int{target, owner}
		}
		if !w.links[pair] {
			w.links[pair] = true
			fresh++
		}
	}
	return fresh
}

// unlink notes that links of an owner are gone, but for some.
func (w *world) unlink(end, owner int, gone func(target int) bool) {
	maps.DeleteFunc(w.links, func(pair [2]int, _ bool) bool { return pair[end] == owner && gone(pair[1-end]) })
}

// some draws a stored row, and targets draws rows of the other end, which need not be
// stored if others may be.
func (w *world) some(end int) int {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(w.rows[end]))).Draw(w.r, "row")
}

func (w *world) targets(end int, others bool) []int {
	var nums []int
	for _, num := range rapid.SliceOfN(rapid.IntRange(0, rowsOfASide-1), 1, 4).Draw(w.r, "targets") {
		// Two elements that are new and have no key yet would be two rows.
		if w.rows[end][num] != nil || others && !slices.Contains(nums, num) {
			nums = append(nums, num)
		}
	}
	return nums
}

// elements are targets as a relation's field holds them. In memory stored ones have
// another number than their rows.
func (w *world) elements(end int, nums []int, pointers bool) reflect.Value {
	of := w.sides[end].model
	if pointers {
		of = reflect.PointerTo(of)
	}
	slice := reflect.MakeSlice(reflect.SliceOf(of), 0, len(nums))
	for _, num := range nums {
		row := w.element(end, num)
		if w.rows[end][num] != nil {
			row.Elem().FieldByName("Num").SetInt(int64(100 + num))
		}
		if !pointers {
			row = row.Elem()
		}
		slice = reflect.Append(slice, row)
	}
	return slice
}

// linked checks what a call has left in memory.
func (w *world) linked(end int, owner reflect.Value, nums []int) {
	field := owner.Elem().FieldByName(w.sides[end].relation)
	require.Equal(w.r, len(nums), field.Len(), "elements in memory")
	for i, num := range nums {
		row := field.Index(i)
		if row.Kind() != reflect.Pointer {
			row = row.Addr()
		}
		w.stored(1-end, num, row)
	}
}

// key is a row's key as LinkKeys takes it.
func (w *world) key(end, num int) any {
	if key := w.rows[end][num]; len(key) > 1 {
		return key
	} else {
		return key[0]
	}
}
