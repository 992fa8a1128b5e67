package dialect

import (
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// server is PostgreSQL for the corpus of a fuzz test; nil while it is being fuzzed.
func server(f *testing.F) *gorm.DB {
	f.Helper()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return nil
	}
	db, err := gorm.Open(postgres.Open(pgtest.DSN(f)), &gorm.Config{Logger: logger.Discard})
	require.NoError(f, err)
	pool, err := db.DB()
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, pool.Close()) })
	return db
}

// arrayText is the parameter that an array of a type travels as.
func arrayText(t *testing.T, typ string, values []any) string {
	t.Helper()
	stmt := statement()
	require.NoError(t, writer{stmt}.array(Column{Type: typ}, values))
	require.Len(t, stmt.Vars, 1)
	return stmt.Vars[0].(string)
}

// FuzzArrayText reads what is written with a parser of its own, with that of pgx and, of
// the corpus, with PostgreSQL's. Elements are the input's parts between zero bytes, which
// PostgreSQL's texts can't hold; one that is "nil" stands for NULL.
func FuzzArrayText(f *testing.F) {
	for _, seed := range []string{"", "a", "NULL", "null", "nil", "a\x00b", "\x00", "{}", `{"`, `\`, `\\"`, ",", " x ", "12\x0034", "\n\t\r\v\f", "é\x00日本", "0123", "nil\x00nil"} {
		f.Add(seed)
	}
	db, types := server(f), pgtype.NewMap()
	f.Fuzz(func(t *testing.T, input string) {
		var values []any
		for _, part := range strings.Split(input, "\x00") {
			if part == "nil" {
				values = append(values, nil)
			} else {
				values = append(values, part)
			}
		}
		text := arrayText(t, "text", values)
		got, err := parseArray(text)
		require.NoError(t, err)
		require.Equal(t, values, got)

		if !utf8.ValidString(input) {
			return // to pgx and PostgreSQL it is no text
		}
		var scanned []*string
		require.NoError(t, types.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(text), &scanned))
		require.Equal(t, values, behind(scanned))

		if db != nil {
			texts, is := unnest(t, db, "coalesce(v, '')", "text", values...), unnest(t, db, "(v IS NULL)::text", "text", values...)
			for i, v := range values {
				require.Equal(t, strconv.FormatBool(v == nil), is[i])
				if v != nil {
					require.Equal(t, v, texts[i])
				}
			}
		}
	})
}

// behind are the values behind pointers, nil for nil.
func behind(pointers []*string) []any {
	values := make([]any, len(pointers))
	for i, p := range pointers {
		if p != nil {
			values[i] = *p
		}
	}
	return values
}

// FuzzArrayValues: numbers, bytes, truth values and times come back from their elements'
// texts, as PostgreSQL's manual has these.
func FuzzArrayValues(f *testing.F) {
	f.Add(int64(math.MinInt64), uint64(math.MaxUint64), -0.1, []byte{0, 255, '\\', '"'}, true, int64(-62135596800), int64(999999999), 0)
	f.Add(int64(0), uint64(0), math.Inf(1), []byte{}, false, int64(253402300799), int64(999), -1172)
	f.Add(int64(7), uint64(1<<63), 5e-324, []byte("NULL"), false, int64(0), int64(1000), 5*3600+45*60)
	db := server(f)
	f.Fuzz(func(t *testing.T, i int64, u uint64, d float64, b []byte, truth bool, seconds, nanos int64, offset int) {
		if offset %= 15 * 3600; offset == -1 {
			offset = 0 // to Go's parser it says that there is none
		}
		at := time.Unix(seconds%253402300800, nanos%1e9).In(time.FixedZone("", offset))
		if b == nil {
			b = []byte{}
		}
		parse := func(typ string, v any) string {
			elements, err := parseArray(arrayText(t, typ, []any{v}))
			require.NoError(t, err)
			require.Len(t, elements, 1)
			return elements[0].(string)
		}
		n, err := strconv.ParseInt(parse("bigint", i), 10, 64)
		require.NoError(t, err)
		require.Equal(t, i, n)
		un, err := strconv.ParseUint(parse("numeric", u), 10, 64)
		require.NoError(t, err)
		require.Equal(t, u, un)
		dn, err := strconv.ParseFloat(parse("double precision", d), 64)
		require.NoError(t, err)
		require.True(t, d == dn || math.IsNaN(d) && math.IsNaN(dn))
		require.Equal(t, strconv.FormatBool(truth), parse("boolean", truth))
		digits, prefixed := strings.CutPrefix(parse("bytea", b), `\x`)
		require.True(t, prefixed)
		bytes, err := hex.DecodeString(digits)
		require.NoError(t, err)
		require.Equal(t, b, bytes)
		if at.Year() > 0 && at.Year() < 10000 {
			text := parse("timestamp with time zone", at)
			layout := "2006-01-02T15:04:05.999999Z07:00:00"
			if len(text[strings.LastIndexAny(text, "+-Z"):]) < len("+00:00:00") {
				layout = strings.TrimSuffix(layout, ":00") // no seconds in the zone
			}
			read, err := time.Parse(layout, text)
			require.NoError(t, err)
			require.True(t, at.Truncate(time.Microsecond).Equal(read), "%s %s", at, read)
		}

		if db != nil {
			require.Equal(t, []string{strconv.FormatInt(i, 10)}, unnest(t, db, "v::text", "bigint", i))
			require.Equal(t, []string{strconv.FormatUint(u, 10)}, unnest(t, db, "v::text", "numeric", u))
			require.Equal(t, []string{hex.EncodeToString(b)}, unnest(t, db, "encode(v, 'hex')", "bytea", b))
			require.Equal(t, []string{strconv.FormatInt(at.UnixMicro(), 10)},
				unnest(t, db, "(extract(epoch FROM v) * 1000000)::bigint::text", "timestamp with time zone", at))
		}
	})
}

// parseArray reads a one-dimensional array as PostgreSQL does (manual, 8.15.6).
func parseArray(s string) (values []any, err error) {
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") || len(s) < 2 {
		return nil, errors.New("no braces")
	}
	s = s[1 : len(s)-1]
	for {
		var element strings.Builder
		i, inQuotes, wasQuoted := 0, false, false
	scan:
		for ; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\':
				i++
				if i == len(s) {
					return nil, errors.New("a backslash at the end")
				}
				element.WriteByte(s[i])
				wasQuoted = true
			case c == '"':
				inQuotes, wasQuoted = !inQuotes, true
			case inQuotes:
				element.WriteByte(c)
			case c == ',':
				break scan
			case c == '{' || c == '}':
				return nil, errors.New("a brace outside quotes")
			case !strings.ContainsRune(" \t\n\r\v\f", rune(c)):
				element.WriteByte(c)
			}
		}
		switch text := element.String(); {
		case inQuotes:
			return nil, errors.New("an open quote")
		case wasQuoted:
			values = append(values, text)
		case strings.EqualFold(text, "null"):
			values = append(values, nil)
		case text == "":
			return nil, errors.New("an element that is nothing")
		default:
			values = append(values, text)
		}
		if i >= len(s) {
			return values, nil
		}
		s = s[i+1:]
	}
}
