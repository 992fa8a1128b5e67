package dialect

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// Named types of each kind.
type (
	myInt    int16
	myUint   uint64
	myString string
	myBool   bool
	myBytes  []byte
	myFloat  float64
)

// valued is a driver.Valuer by value, pointed one by pointer.
type (
	valued  struct{ v any }
	pointed struct{ v any }
	text    struct{ s string }
)

func (v valued) Value() (driver.Value, error) { return v.v, nil }

func (v *pointed) Value() (driver.Value, error) { return v.v, nil }

func (t text) MarshalText() ([]byte, error) {
	if t.s == "" {
		return nil, errFailing
	}
	return []byte(t.s), nil
}

var errFailing = errors.New("refused by the type")

type failing struct{}

func (failing) Value() (driver.Value, error) { return nil, errFailing }

func to[T any](v T) *T { return &v }

func TestTextOfEveryKindOfValue(t *testing.T) {
	id := [16]byte{0x12, 0x34, 0xab, 15: 0xff}
	at := time.Date(2016, 4, 5, 6, 7, 8, 123456789, time.UTC)
	for _, c := range []struct {
		value any
		typ   string
		want  string
	}{
		{"a,{}\"\\", "text", "a,{}\"\\"}, {"", "text", ""}, {myString("x"), "text", "x"}, {to("p"), "text", "p"},
		{int(-1), "bigint", "-1"}, {int8(-8), "bigint", "-8"}, {int16(16), "bigint", "16"}, {int32(32), "bigint", "32"},
		{int64(math.MinInt64), "bigint", "-9223372036854775808"}, {myInt(3), "bigint", "3"}, {to(int64(5)), "bigint", "5"}, {to(to(6)), "bigint", "6"},
		{uint(1), "bigint", "1"}, {uint8(8), "bigint", "8"}, {uint16(16), "bigint", "16"}, {uint32(32), "bigint", "32"},
		{uint64(math.MaxUint64), "numeric", "18446744073709551615"}, {myUint(1 << 63), "numeric", "9223372036854775808"},
		{true, "boolean", "true"}, {myBool(false), "boolean", "false"},
		{float32(0.1), "real", "0.1"}, {0.1, "double precision", "0.1"}, {math.Inf(-1), "double precision", "-Inf"}, {myFloat(1e300), "double precision", "1e+300"},
		{[]byte{0, 255, '\\'}, "bytea", `\x00ff5c`}, {[]byte{}, "bytea", `\x`}, {myBytes("ab"), "bytea", `\x6162`}, {[2]byte{1, 2}, "bytea", `\x0102`},
		{[]byte("ab"), "", `\x6162`}, {[]byte(`{"a":1}`), "jsonb", `{"a":1}`}, {[]byte("ab"), "text", "ab"},
		{id, "uuid", "1234ab000000000000000000000000ff"}, {id[:], "uuid", "1234ab000000000000000000000000ff"},
		{[]byte("1234ab00-0000-0000-0000-0000000000ff"), "uuid", "1234ab00-0000-0000-0000-0000000000ff"},
		{at, "timestamp with time zone", "2016-04-05T06:07:08.123456Z"}, {to(at), "date", "2016-04-05T06:07:08.123456Z"},
		{at.In(time.FixedZone("", 5400)), "timestamp with time zone", "2016-04-05T07:37:08.123456+01:30"},
		{at.In(time.FixedZone("", -1172)), "timestamp with time zone", "2016-04-05T05:47:36.123456-00:19:32"},
		{at.In(time.FixedZone("", -52)), "timestamp with time zone", "2016-04-05T06:06:16.123456-00:00:52"},
		{valued{"v"}, "text", "v"}, {to(valued{int64(1)}), "bigint", "1"}, {&pointed{"p"}, "text", "p"}, {valued{[]byte{1}}, "bytea", `\x01`},
		{sql.NullString{String: "n", Valid: true}, "text", "n"}, {sql.NullInt64{Int64: 4, Valid: true}, "bigint", "4"}, {valued{at}, "date", "2016-04-05T06:07:08.123456Z"},
		{gorm.DeletedAt{Time: at, Valid: true}, "timestamp with time zone", "2016-04-05T06:07:08.123456Z"},
		{text{"marshalled"}, "text", "marshalled"}, {netip.MustParseAddr("10.0.0.1"), "inet", "10.0.0.1"}, {net.IPv4(10, 0, 0, 1).To4(), "bytea", `\x0a000001`},
	} {
		t.Run(fmt.Sprintf("%T %v as %s", c.value, c.value, c.typ), func(t *testing.T) {
			got, null, err := Text(c.value, c.typ)
			require.NoError(t, err)
			assert.False(t, null)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestTextOfWhatIsNull(t *testing.T) {
	for _, v := range []any{
		nil, (*string)(nil), (*int)(nil), (**int)(nil), to((*int)(nil)), []byte(nil), (*time.Time)(nil),
		sql.NullString{}, sql.NullInt64{}, gorm.DeletedAt{}, valued{nil}, (*valued)(nil), (*pointed)(nil), &pointed{nil}, valued{[]byte(nil)},
	} {
		got, null, err := Text(v, "text")
		require.NoError(t, err, "%T", v)
		assert.True(t, null, "%T %v", v, v)
		assert.Empty(t, got)
	}
}

func TestTextOfWhatNoDriverTakesIsAnError(t *testing.T) {
	for _, v := range []any{struct{ A int }{1}, map[string]int{}, []int{1}, [2]int{}, make(chan int), func() {}, complex(1, 1), valued{valued{1}}, &[]string{"x"}} {
		_, _, err := Text(v, "text")
		assert.Error(t, err, "%T", v)
	}
	_, _, err := Text(failing{}, "text")
	assert.ErrorIs(t, err, errFailing)
	_, _, err = Text(text{}, "text")
	assert.ErrorIs(t, err, errFailing)
}

// statement is a real GORM statement to write into, without a connection.
func statement() *gorm.Statement {
	db := &gorm.DB{Config: &gorm.Config{Dialector: postgres.Dialector{Config: &postgres.Config{}}}}
	db.Statement = &gorm.Statement{DB: db}
	return db.Statement
}

func TestAnArrayIsOneParameterWithACast(t *testing.T) {
	stmt := statement()
	require.NoError(t, writer{stmt}.array(Column{Name: "c", Type: "text"}, []any{"a b", nil, 12, `"`}))
	assert.Equal(t, "$1::text[]", stmt.SQL.String())
	assert.Equal(t, []any{`{"a b",NULL,12,"\""}`}, stmt.Vars)

	stmt = statement()
	require.NoError(t, writer{stmt}.array(Column{Name: "c", Type: "bigint"}, nil))
	assert.Equal(t, []any{"{}"}, stmt.Vars)

	err := writer{statement()}.array(Column{Name: "colour", Type: "text"}, []any{1, failing{}})
	require.ErrorIs(t, err, errFailing)
	assert.ErrorContains(t, err, "colour")
}
