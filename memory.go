package m2msafe

import (
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// memory is what a statement may change of the models in memory, as it was: the
// fields of its owners and of all that their relations hold.
type memory struct {
	fields []saved
	seen   map[any]bool // pointers to models
}

// saved is a place and a copy of what was there.
type saved struct{ at, was reflect.Value }

// keepAll keeps a statement's owners.
func (m *memory) keepAll(stmt *gorm.Statement) {
	m.seen = map[any]bool{}
	m.keepEach(stmt, stmt.Schema, stmt.ReflectValue)
	m.keepEach(stmt, stmt.Schema, reflect.ValueOf(stmt.Model))
}

// keepEach keeps a model, or each of several.
func (m *memory) keepEach(stmt *gorm.Statement, s *schema.Schema, v reflect.Value) {
	switch v = reflect.Indirect(v); v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			m.keepEach(stmt, s, v.Index(i))
		}
	case reflect.Struct:
		m.keep(stmt, s, v)
	}
}

func (m *memory) keep(stmt *gorm.Statement, s *schema.Schema, v reflect.Value) {
	if !v.CanAddr() || v.Type() != s.ModelType || m.seen[v.Addr().Interface()] {
		return
	}
	m.seen[v.Addr().Interface()] = true
	m.keepFields(v)
	for _, rel := range s.Relationships.Relations {
		if rel.Schema.ModelType != s.ModelType {
			continue // GORM notes has-many relations at their other end too
		}
		if _, zero := rel.Field.ValueOf(stmt.Context, v); !zero {
			m.keepEach(stmt, rel.FieldSchema, rel.Field.ReflectValueOf(stmt.Context, v))
		}
	}
}

// keepFields keeps what GORM can set in a struct, and behind its pointers.
func (m *memory) keepFields(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		if !field.CanSet() || v.Type().Field(i).Tag.Get("gorm") == "-" {
			continue
		}
		m.keepValue(field)
		if field.Kind() != reflect.Pointer || field.IsNil() {
			continue
		}
		_, isTime := field.Interface().(*time.Time)
		switch inner := field.Elem(); {
		case v.Type().Field(i).Anonymous && inner.Kind() == reflect.Struct:
			m.keepFields(inner)
		case inner.Kind() != reflect.Struct || isTime:
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
// others' hands too.
func (m *memory) restore() {
	for _, k := range m.fields {
		if !same(k.at, k.was) {
			k.at.Set(k.was)
		}
	}
}

func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice:
		return a.Pointer() == b.Pointer() && a.Len() == b.Len()
	case reflect.Map, reflect.Func:
		return a.Pointer() == b.Pointer()
	}
	return a.Comparable() && b.Comparable() && a.Equal(b)
}
