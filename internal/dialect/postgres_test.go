package dialect

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// protocols runs a test through both protocols that pgx speaks.
func protocols(t *testing.T, test func(t *testing.T, db *gorm.DB)) {
	for name, simple := range map[string]bool{"extended protocol": false, "simple protocol": true} {
		t.Run(name, func(t *testing.T) {
			db, err := gorm.Open(postgres.New(postgres.Config{DSN: pgtest.DSN(t), PreferSimpleProtocol: simple}), &gorm.Config{Logger: logger.Discard})
			require.NoError(t, err)
			pool, err := db.DB()
			require.NoError(t, err)
			pool.SetMaxOpenConns(1) // settings are a session's
			t.Cleanup(func() { require.NoError(t, pool.Close()) })
			test(t, db)
		})
	}
}

// unnest sends values as an array of a type, and returns what an expression on
// each (v) is.
func unnest(t *testing.T, db *gorm.DB, expr, typ string, values ...any) (found []string) {
	t.Helper()
	stmt := db.Session(&gorm.Session{NewDB: true, Initialized: true}).Statement
	w := writer{stmt}
	w.sql("SELECT " + expr + " FROM unnest(")
	require.NoError(t, w.array(Column{Name: "c", Type: typ}, values))
	w.sql(") WITH ORDINALITY AS a (v, n) ORDER BY n")
	require.NoError(t, stmt.Error)
	rows, err := stmt.ConnPool.QueryContext(stmt.Context, stmt.SQL.String(), stmt.Vars...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		found = append(found, s)
	}
	require.NoError(t, rows.Err())
	return found
}

func TestTextsComeBackFromTheServerAsTheyWere(t *testing.T) {
	texts := []string{
		"", "a", "a,b", "{", "}", "{}", "{a,b}", `"`, `""`, `\`, `\\`, `\"`, `a"b\c`, "NULL", "null", "Null", `"NULL"`, " ", "  lead and trail  ",
		"\n", "a\nb", "\t", "\r\n", "\v\f", "'", "''", "a'; DROP TABLE x; --", "$1", "?", "@name", "%s", "é", "日本語", "🙂", "\u200b", "0123", "12", "-1", "1e5",
		strings.Repeat("very long, ", 100_000), strings.Repeat(`\"`, 10_000),
	}
	protocols(t, func(t *testing.T, db *gorm.DB) {
		values := make([]any, len(texts))
		for i, s := range texts {
			values[i] = s
		}
		assert.Equal(t, texts, unnest(t, db, "v", "text", values...))
		assert.Equal(t, texts, unnest(t, db, "v", "character varying", values...))
		assert.Equal(t, []string{"true", "false", "false"}, unnest(t, db, "(v IS NULL)::text", "text", nil, "NULL", ""))
		assert.Empty(t, unnest(t, db, "v", "text"))
	})
}

func TestValuesOfEachTypeAreTheOnesThatLiteralsName(t *testing.T) {
	at := time.Date(1999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	amsterdam := time.Date(1930, 1, 2, 3, 4, 5, 6000, time.FixedZone("LMT", 1172))
	for _, c := range []struct {
		typ, literal string
		value        any
	}{
		{"bytea", `'\x00ff5c2c7b7d22'`, []byte{0, 255, '\\', ',', '{', '}', '"'}}, {"bytea", `''`, []byte{}}, {"bytea", `'\x01'`, [1]byte{1}},
		{"uuid", `'1234ab00-0000-0000-0000-0000000000ff'`, [16]byte{0x12, 0x34, 0xab, 15: 0xff}}, {"uuid", `'1234ab00-0000-0000-0000-0000000000ff'`, "1234AB00-0000-0000-0000-0000000000FF"},
		{"timestamp with time zone", `'1999-12-31 23:59:59.999999+00'`, at}, {"timestamp with time zone", `'1999-12-31 23:59:59.999999+00'`, at.In(time.FixedZone("", -3*3600-1800))},
		{"timestamp with time zone", `'1930-01-02 02:44:33.000006+00'`, amsterdam}, {"timestamp without time zone", `'1930-01-02 03:04:05.000006'`, amsterdam},
		{"timestamp without time zone", `'1999-12-31 23:59:59.999999'`, at}, {"date", `'1999-12-31'`, at}, {"date", `'2000-01-01'`, at.In(time.FixedZone("", 3600))},
		{"timestamp with time zone", `'0001-01-01 00:00:00+00'`, time.Time{}}, {"timestamp with time zone", `'9999-12-31 00:00:00+00'`, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)},
		{"timestamp with time zone", `'12345-01-02 00:00:00+00'`, time.Date(12345, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"numeric", `18446744073709551615`, ^uint64(0)}, {"numeric", `123456789012345678901234567890.5`, "123456789012345678901234567890.5"}, {"numeric", `0.1`, 0.1},
		{"double precision", `'-Infinity'`, -1 / zero}, {"double precision", `'NaN'`, zero / zero}, {"real", `0.1::real`, float32(0.1)},
		{"boolean", `true`, true}, {"boolean", `false`, false}, {"bigint", `-9223372036854775808`, int64(-1 << 63)}, {"smallint", `7`, uint8(7)},
		{"mood", `'so, so'`, "so, so"}, {"jsonb", `'{"a": [1, "b"]}'`, []byte(`{"a":[1,"b"]}`)}, {"inet", `'10.0.0.1'`, "10.0.0.1"}, {"bpchar", `'ab'`, "ab"}, {`"char"`, `'x'`, "x"},
		{"interval", `'1 day 02:00:00'`, "1 day 2 hours"}, {`"Odd Name"`, `'{'`, "{"},
	} {
		protocols(t, func(t *testing.T, db *gorm.DB) {
			require.NoError(t, db.Exec(`CREATE TYPE mood AS ENUM ('so, so', 'NULL'); CREATE DOMAIN "Odd Name" AS text`).Error)
			// Neither the zone nor the date style of the session must matter.
			require.NoError(t, db.Exec(`SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'`).Error)
			expr := "(v IS NOT DISTINCT FROM CAST(" + c.literal + " AS " + c.typ + ") AND NOT v IS NULL)::text || ' ' || v::text"
			got := unnest(t, db, expr, c.typ, c.value)
			require.Len(t, got, 1)
			assert.True(t, strings.HasPrefix(got[0], "true "), "%s %v: got %s, want %s", c.typ, c.value, got[0], c.literal)
		})
	}
}

func TestArraysAreElementsThatStayWhole(t *testing.T) {
	protocols(t, func(t *testing.T, db *gorm.DB) {
		assert.Equal(t, []string{`{1,2}`, `{}`, `{{3,4},{5,6}}`},
			unnest(t, db, "CAST(v AS bigint[])::text", "bigint[]", "{1,2}", valued{"{}"}, []byte("{{3,4},{5,6}}")))
		assert.Equal(t, []string{`{"a,b",NULL,"\\"}`}, unnest(t, db, "CAST(v AS text[])::text", "text[]", `{"a,b",NULL,"\\"}`))
	})
}

// zero keeps the compiler from dividing by it.
var zero float64

// In the simple protocol pgx sends types without a zone as UTC, not as the
// clock that the time shows; this compares the extended one, which is the
// default.
func TestTimesAreTheOnesThatPgxSends(t *testing.T) {
	protocols(t, func(t *testing.T, db *gorm.DB) {
		simple := db.Dialector.(*postgres.Dialector).PreferSimpleProtocol
		for _, typ := range []string{"timestamp with time zone", "timestamp without time zone", "date"} {
			if simple && typ != "timestamp with time zone" {
				continue
			}
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 5*3600+45*60), time.FixedZone("", -12*3600)} {
				at := time.Date(2016, 2, 29, 23, 59, 58, 987654999, zone)
				var sent string
				require.NoError(t, db.Raw("SELECT CAST(CAST(? AS "+typ+") AS text)", at).Scan(&sent).Error)
				assert.Equal(t, []string{sent}, unnest(t, db, "v::text", typ, at), "%s %s", typ, zone)
			}
		}
	})
}
