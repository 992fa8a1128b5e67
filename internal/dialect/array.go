package dialect

import (
	"database/sql/driver"
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Array is a column of keys in the form in which PostgreSQL takes them: its array
// text form. One text parameter is understood alike by pgx (extended and simple
// protocol) and lib/pq.
type Array struct {
	typ  string
	text []byte
}

// NewArray makes an array for n values of a column.
func NewArray(column Column, n int) *Array {
	return &Array{typ: column.Type, text: make([]byte, 0, 8*n+2)}
}

// Append adds a value; see [Text].
func (a *Array) Append(v any) error {
	s, null, err := Text(v, a.typ)
	if err != nil {
		return err
	}
	a.next()
	if null {
		a.text = append(a.text, "NULL"...)
	} else {
		a.text = appendElement(a.text, s)
	}
	return nil
}

// AppendUint adds a number, without making an any of it.
func (a *Array) AppendUint(v uint64) {
	a.next()
	a.text = strconv.AppendUint(a.text, v, 10)
}

// AppendInt is the same for one with a sign.
func (a *Array) AppendInt(v int64) {
	a.next()
	a.text = strconv.AppendInt(a.text, v, 10)
}

func (a *Array) next() {
	if len(a.text) == 0 {
		a.text = append(a.text, '{')
	} else {
		a.text = append(a.text, ',')
	}
}

// bindArray writes an array as a parameter, and its cast.
func (w writer) bindArray(a *Array) {
	if len(a.text) == 0 {
		a.text = append(a.text, '{')
	}
	w.bind(string(append(a.text, '}')))
	w.sql("::", elementType(a.typ), "[]")
}

// array writes a column of values as one.
func (w writer) array(column Column, values []any) error {
	a := NewArray(column, len(values))
	for _, v := range values {
		if err := a.Append(v); err != nil {
			return fmt.Errorf("column %s: %w", column.Name, err)
		}
	}
	w.bindArray(a)
	return nil
}

// keys writes a column of a call's keys as an array.
func (w writer) keys(c *Call, i int, ref Column) error {
	if c.Keys[i] == nil {
		w.bindArray(c.Arrays[i])
		return nil
	}
	return w.array(ref, c.Keys[i])
}

// scalar writes one value as a parameter, as an array's element would be.
func (w writer) scalar(column Column, v any) error {
	s, null, err := Text(v, column.Type)
	if err != nil {
		return fmt.Errorf("column %s: %w", column.Name, err)
	}
	if null {
		w.sql("NULL")
	} else {
		w.bind(s)
	}
	if column.Type == "bytea" { // lib/pq would take the text for the bytes
		w.sql("::text")
	}
	w.sql("::", column.Type)
	return nil
}

// elementType is the type of a column's elements in its array. Arrays go as
// their text: an array of arrays would be one with more dimensions, which
// unnest takes apart.
func elementType(typ string) string {
	if strings.HasSuffix(typ, "[]") {
		return "text"
	}
	return typ
}

// appendElement appends an array element. Digits go as they are; everything
// else is quoted, which makes commas, braces, spaces, the word NULL and the
// empty string plain text; quotes and backslashes are escaped
// (PostgreSQL manual, 8.15.6 Array Input and Output Syntax).
func appendElement(dst []byte, s string) []byte {
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= '0' && s[i] <= '9'
	}
	if plain {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// Text is a value as PostgreSQL reads it for a column of a type, the way that
// the value would have gone through database/sql and pgx. null says that it is
// NULL. With an empty type it is a text that equal values share.
//
// It returns an error for a value that no database/sql driver takes, or whose
// driver.Valuer fails.
func Text(v any, typ string) (text string, null bool, err error) {
	switch v := v.(type) {
	case nil:
		return "", true, nil
	case string:
		return v, false, nil
	case int:
		return strconv.Itoa(v), false, nil
	case int64:
		return strconv.FormatInt(v, 10), false, nil
	case uint:
		return strconv.FormatUint(uint64(v), 10), false, nil
	case []byte:
		if v == nil {
			return "", true, nil
		}
		return bytesText(v, typ), false, nil
	case time.Time:
		return timeText(v), false, nil
	case time.Duration:
		if typ == "interval" {
			return strconv.FormatInt(v.Microseconds(), 10) + " microseconds", false, nil
		}
		return strconv.FormatInt(int64(v), 10), false, nil
	case driver.Valuer:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return "", true, nil // as database/sql does with a nil *Valuer
		}
		inner, err := v.Value()
		if err != nil {
			return "", false, err
		}
		if _, again := inner.(driver.Valuer); again {
			return "", false, fmt.Errorf("%T: Value returned a driver.Valuer", v)
		}
		return Text(inner, typ)
	}
	return kindText(reflect.ValueOf(v), typ)
}

// Plain says whether a value of any column may travel as Text: whether what a
// driver makes of it does not depend on more than the value.
func Plain(v any) bool {
	if valuer, ok := v.(driver.Valuer); ok {
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return true
		}
		inner, err := valuer.Value()
		_, again := inner.(driver.Valuer)
		return err == nil && !again && Plain(inner)
	}
	switch v.(type) {
	case nil, string, []byte, time.Time, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return true
	case time.Duration:
		return false
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer:
		return rv.IsNil() || Plain(rv.Elem().Interface())
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// kindText is Text for named types, pointers and arrays.
func kindText(v reflect.Value, typ string) (string, bool, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "", true, nil
		}
		text, null, err := Text(v.Elem().Interface(), typ)
		if err != nil {
			return ownText(v) // a pointer has more methods
		}
		return text, null, nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), false, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), false, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), false, nil
	case reflect.Float32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32), false, nil
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), false, nil
	case reflect.String:
		return v.String(), false, nil
	case reflect.Slice, reflect.Array:
		if _, own := v.Interface().(encoding.TextMarshaler); own && typ != "bytea" {
			return ownText(v) // net.IP
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return bytesText(b, typ), false, nil
		}
	}
	return ownText(v)
}

// ownText is the text that a value makes of itself.
func ownText(v reflect.Value) (string, bool, error) {
	switch s := v.Interface().(type) {
	case encoding.TextMarshaler:
		text, err := s.MarshalText()
		return string(text), false, err
	case fmt.Stringer:
		return s.String(), false, nil
	}
	return "", false, fmt.Errorf("unsupported type %s", v.Type())
}

// bytesText is what bytes mean to a type: raw for bytea, digits for uuid,
// characters for everything else.
func bytesText(b []byte, typ string) string {
	switch {
	case typ == "bytea" || typ == "":
		return `\x` + hex.EncodeToString(b)
	case typ == "uuid" && len(b) == 16:
		return hex.EncodeToString(b)
	default:
		return string(b)
	}
}

// timeText is a time with its zone, to the microsecond that the database
// stores, cut off as pgx does, not rounded. Types without a zone ignore it.
func timeText(t time.Time) string {
	text := t.Truncate(time.Microsecond).Format("2006-01-02T15:04:05.999999Z07:00:00")
	// Go writes a zone less than a minute behind UTC (Accra's, once) with two signs.
	text = strings.Replace(text, "+00:00:-", "-00:00:", 1)
	return strings.TrimSuffix(text, ":00")
}
