package m2msafe

import (
	"maps"
	"reflect"
	"slices"
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
	appended, stale map[any]reflect.Value // pointers to slices, and copies of these
	// Where such a slice has values, GORM writes what has become of them back to what was
	// appended, which nothing leads to: so they come again, as failed tries have left them.
	left []leftover
	maps []savedMap
}

// leftover is a value as a failed try has left it, and as it was before.
type leftover struct{ is, was reflect.Value }

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

// keepAppended is for an owner that an Association has put targets into before
// anything about it could be kept. What was there before nobody can tell, and restore
// leaves the field alone. If the same is appended again, it stands there once; if
// something else is, that alone is left: what the failed try has put there is not asked
// for any more.
func (m *memory) keepAppended(stmt *gorm.Statement, rel *schema.Relationship, owner reflect.Value) {
	if !owner.CanAddr() || owner.Type() != rel.Schema.ModelType || m.has(owner) {
		return
	}
	field := reflect.Indirect(rel.Field.ReflectValueOf(stmt.Context, owner))
	if field.Kind() != reflect.Slice || !field.CanAddr() {
		return
	}
	for i := range field.Len() {
		for _, l := range m.left {
			if element := field.Index(i); element.Type() == l.is.Type() && reflect.DeepEqual(element.Interface(), l.is.Interface()) {
				element.Set(l.was)
			}
		}
	}
	at := field.Addr().Interface()
	if left, ok := m.stale[at]; ok {
		delete(m.stale, at)
		n := left.Len()
		if field.Len() >= n && sameElements(field.Slice(0, n), left) {
			again := field.Slice(n, field.Len())
			if k := n - again.Len(); k >= 0 && sameElements(left.Slice(k, n), again) {
				again = left
			}
			field.Set(reflect.AppendSlice(reflect.MakeSlice(field.Type(), 0, again.Len()), again))
		}
	}
	if m.appended == nil {
		m.appended = map[any]reflect.Value{}
	}
	m.appended[at] = reflect.AppendSlice(reflect.MakeSlice(field.Type(), 0, field.Len()), field)
}

// emptyStale takes from fields what failed tries have put there, if the one that stands
// has not come back to them.
func (m *memory) emptyStale() {
	for at := range m.stale {
		reflect.ValueOf(at).Elem().SetZero()
	}
}

// sameElements says whether two slices hold the same pointers, or equal values.
func sameElements(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if x, y := a.Index(i).Interface(), b.Index(i).Interface(); a.Index(i).Kind() == reflect.Pointer && x != y || !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
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
		if rel.Schema.ModelType != s.ModelType {
			continue // GORM notes has-many relations at their other end too
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
		if !field.CanSet() || of.Tag.Get("gorm") == "-" {
			continue
		}
		m.keepValue(field)
		inner := reflect.Indirect(field)
		_, isTime := field.Interface().(*time.Time)
		_, tagged := schema.ParseTagSetting(of.Tag.Get("gorm"), ";")["EMBEDDED"]
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
	for at, was := range m.appended {
		if m.stale == nil {
			m.stale = map[any]reflect.Value{}
		}
		m.stale[at] = was
		m.leave(reflect.ValueOf(at).Elem(), was)
	}
	m.appended = nil
	putBack(m.fields)
	for _, k := range m.maps {
		k.putBack()
	}
}

// leave notes what a try has made of values.
func (m *memory) leave(is, was reflect.Value) {
	for i := range min(is.Len(), was.Len()) {
		if is.Index(i).Kind() != reflect.Struct || reflect.DeepEqual(is.Index(i).Interface(), was.Index(i).Interface()) {
			continue
		}
		l := leftover{reflect.New(is.Type().Elem()).Elem(), was.Index(i)}
		l.is.Set(is.Index(i))
		m.left = append(m.left, l)
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

func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice:
		return a.Pointer() == b.Pointer() && a.Len() == b.Len()
	case reflect.Map, reflect.Func:
		return a.Pointer() == b.Pointer()
	}
	return a.Comparable() && b.Comparable() && a.Equal(b)
}
