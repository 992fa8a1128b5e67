package m2msafe

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// memory is what a statement may change of the models in memory, as it was: the
// fields of its owners and of all that their relations hold.
type memory struct {
	fields []saved
	seen   map[any][2]int // pointers to models, and where fields has theirs
	named  map[any]bool   // those that are looked up by a natural key
	// Fields that Associations have put targets into before anything could be kept, in
	// the try at hand, and in failed ones.
	appended map[any]appended      // by pointers to slices
	stale    map[any]reflect.Value // pointers to slices, and copies of these
	// Where such a slice has values, GORM writes what has become of them back to what was
	// appended, which nothing leads to: so they come again, as the last try has left them.
	left map[string][]leftover // by owner and relation
	maps []savedMap
}

// savedMap is a map that is a model, and a copy of it.
type savedMap struct {
	at, was map[string]any
	named   bool
}

// saved is a place and a copy of what was there.
type saved struct{ at, was reflect.Value }

// keepAll keeps a statement's owners, if they are not kept already.
func (m *memory) keepAll(stmt *gorm.Statement) {
	if m.seen == nil {
		m.seen = map[any][2]int{}
	}
	m.keepEach(stmt, stmt.Schema, stmt.ReflectValue)
	m.keepEach(stmt, stmt.Schema, reflect.ValueOf(stmt.Model))
}

// keepEach keeps a model, or each of several.
func (m *memory) keepEach(stmt *gorm.Statement, s *schema.Schema, v reflect.Value) {
	eachModel(v, func(model reflect.Value) { m.keep(stmt, s, model) })
}

// eachModel calls f for a struct, or for each of several.
func eachModel(v reflect.Value, f func(reflect.Value)) {
	switch v = reflect.Indirect(v); v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			eachModel(v.Index(i), f)
		}
	case reflect.Struct:
		f(v)
	}
}

func (m *memory) keep(stmt *gorm.Statement, s *schema.Schema, v reflect.Value) {
	if !v.CanAddr() || v.Type() != s.ModelType || m.has(v) {
		return
	}
	from := len(m.fields)
	m.seen[v.Addr().Interface()] = [2]int{from, from}
	m.keepFields(v)
	m.seen[v.Addr().Interface()] = [2]int{from, len(m.fields)}
	for _, rel := range s.Relationships.Relations {
		// GORM notes has-many relations at their other end too, and those of a join table
		// by the owner's field.
		if rel.Schema.ModelType != s.ModelType || rel.Field.Schema.ModelType != s.ModelType {
			continue
		}
		if _, zero := rel.Field.ValueOf(stmt.Context, v); !zero {
			m.keepEach(stmt, rel.FieldSchema, rel.Field.ReflectValueOf(stmt.Context, v))
		}
	}
}

// keepFields keeps what GORM can set in a struct, in those that are embedded, and behind
// pointers.
func (m *memory) keepFields(v reflect.Value) {
	for i := range v.NumField() {
		field, of := v.Field(i), v.Type().Field(i)
		settings := schema.ParseTagSetting(of.Tag.Get("gorm"), ";")
		if ignored := strings.ToLower(settings["-"]); !field.CanSet() || ignored != "" && ignored != "migration" {
			continue
		}
		m.keepValue(field)
		inner := reflect.Indirect(field)
		_, isTime := field.Interface().(*time.Time)
		_, tagged := settings["EMBEDDED"]
		switch {
		case !inner.IsValid(): // a nil pointer
		case inner.Kind() == reflect.Struct && (of.Anonymous || tagged):
			m.keepFields(inner)
		case field.Kind() == reflect.Pointer && (inner.Kind() != reflect.Struct || isTime):
			m.keepValue(inner)
		}
	}
}

func (m *memory) keepValue(v reflect.Value) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	m.fields = append(m.fields, saved{v, was})
}

// restore puts back what has changed, and touches nothing else: a model may be in
// others' hands too. What Associations have put into fields stays.
func (m *memory) restore() {
	m.left = map[string][]leftover{}
	for at, a := range m.appended {
		if m.stale == nil {
			m.stale = map[any]reflect.Value{}
		}
		m.stale[at] = a.was
		m.leave(reflect.ValueOf(at).Elem(), a)
	}
	m.appended = nil
	putBack(m.fields)
	for _, k := range m.maps {
		k.putBack()
	}
}

// keepMap keeps a map that is a model.
func (m *memory) keepMap(values map[string]any) {
	if !slices.ContainsFunc(m.maps, func(k savedMap) bool { return k.is(values) }) {
		m.maps = append(m.maps, savedMap{at: values, was: maps.Clone(values)})
	}
}

// nameMap notes that one is looked up by a natural key.
func (m *memory) nameMap(values map[string]any) {
	for i := range m.maps {
		m.maps[i].named = m.maps[i].named || m.maps[i].is(values)
	}
}

func (k savedMap) is(values map[string]any) bool {
	return reflect.ValueOf(k.at).Pointer() == reflect.ValueOf(values).Pointer()
}

func (k savedMap) putBack() {
	if reflect.DeepEqual(k.at, k.was) {
		return
	}
	clear(k.at)
	maps.Copy(k.at, k.was)
}

// restoreNamed does so with targets that have a natural key, and leaves others their
// keys.
func (m *memory) restoreNamed() {
	for target := range m.named {
		part := m.seen[target]
		putBack(m.fields[part[0]:part[1]])
	}
	for _, k := range m.maps {
		if k.named {
			k.putBack()
		}
	}
}

func putBack(fields []saved) {
	for _, k := range fields {
		if !same(k.at, k.was) {
			k.at.Set(k.was)
		}
	}
}

// name notes that a target is looked up by a natural key.
func (m *memory) name(target reflect.Value) {
	if m.named == nil {
		m.named = map[any]bool{}
	}
	m.named[target.Interface()] = true
}

func (m *memory) has(model reflect.Value) bool {
	_, kept := m.seen[model.Addr().Interface()]
	return kept
}

// forget is for a [Transaction] that runs again, and keeps anew what it meets.
func (m *memory) forget() { m.fields, m.seen, m.named, m.maps = nil, nil, nil, nil }

// same says whether nothing was set in a value, as far as restore would: what slices, maps
// and pointers lead to is not looked at.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice:
		return a.Pointer() == b.Pointer() && a.Len() == b.Len()
	case reflect.Map, reflect.Func:
		return a.Pointer() == b.Pointer()
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Array:
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Interface:
		if a.IsNil() || b.IsNil() || a.Elem().Type() != b.Elem().Type() {
			return a.IsNil() && b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	}
	return a.Comparable() && a.Equal(b)
}
