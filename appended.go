package m2msafe

import (
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// appended is a field before a try.
type appended struct {
	was   reflect.Value // a copy
	owner string        // and its relation
}

// leftover is a value as a failed try has left it, and as it was before.
type leftover struct{ is, was reflect.Value }

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
	at, name := field.Addr().Interface(), nameOf(stmt, rel, owner)
	m.comeAgain(stmt, rel, field, name)
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
		m.appended = map[any]appended{}
	}
	m.appended[at] = appended{reflect.AppendSlice(reflect.MakeSlice(field.Type(), 0, field.Len()), field), name}
}

// nameOf tells an owner and a relation of its: by the key, or where it is.
func nameOf(stmt *gorm.Statement, rel *schema.Relationship, owner reflect.Value) string {
	name := fmt.Sprintf("%p", rel)
	for _, field := range rel.Schema.PrimaryFields {
		key, zero := field.ValueOf(stmt.Context, owner)
		if zero {
			key = owner.Addr().Pointer()
		}
		name += fmt.Sprintf("|%v", key)
	}
	return name
}

// comeAgain has values that the last try has left be what they were before, each once.
func (m *memory) comeAgain(stmt *gorm.Statement, rel *schema.Relationship, field reflect.Value, name string) {
	for i := range field.Len() {
		element := field.Index(i)
		if len(m.left[name]) == 0 || element.Kind() != reflect.Struct || element.Type() != rel.FieldSchema.ModelType {
			return
		}
		if !slices.ContainsFunc(rel.FieldSchema.PrimaryFields, func(f *schema.Field) bool { _, zero := f.ValueOf(stmt.Context, element); return !zero }) {
			continue // it is new
		}
		at := slices.IndexFunc(m.left[name], func(l leftover) bool { return reflect.DeepEqual(element.Interface(), l.is.Interface()) })
		if at >= 0 {
			element.Set(m.left[name][at].was)
			m.left[name] = slices.Delete(m.left[name], at, at+1)
		}
	}
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

// leave notes what a try has made of values.
func (m *memory) leave(is reflect.Value, before appended) {
	was := before.was
	for i := range min(is.Len(), was.Len()) {
		if is.Index(i).Kind() != reflect.Struct || reflect.DeepEqual(is.Index(i).Interface(), was.Index(i).Interface()) {
			continue
		}
		l := leftover{reflect.New(is.Type().Elem()).Elem(), was.Index(i)}
		l.is.Set(is.Index(i))
		m.left[before.owner] = append(m.left[before.owner], l)
	}
}
