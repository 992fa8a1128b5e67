package dialect

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOfKnowsTheDatabasesThatHaveStatements(t *testing.T) {
	assert.Equal(t, Postgres{}, Of("postgres"))
	assert.Equal(t, SQLite{}, Of("sqlite"))
	assert.Equal(t, MySQL{}, Of("mysql"))
	assert.Equal(t, SQLServer{}, Of("sqlserver"))
	for _, name := range []string{"", "MySQL", "Postgres", "clickhouse"} {
		assert.Nil(t, Of(name), name)
	}
	_, ok := Of("postgres").(Linker)
	assert.True(t, ok)
	for _, d := range []Dialect{SQLite{}, MySQL{}, SQLServer{}, PostgresPlain{}} {
		_, ok = d.(Linker)
		assert.False(t, ok, "%T", d)
	}
	for _, d := range []Dialect{Postgres{}, PostgresPlain{}} {
		_, ok = d.(Returner)
		assert.True(t, ok, "%T", d)
	}
}

func TestAChunkStaysBelowTheParameterLimit(t *testing.T) {
	assert.Zero(t, Postgres{}.Chunk(2), "all rows at once")
	assert.Equal(t, maxRows, SQLite{}.Chunk(0))
	for columns := 1; columns <= 2000; columns++ { // SQLITE_MAX_COLUMN is 2000
		rows := SQLite{}.Chunk(columns)
		// The columns that all rows share are bound up to twice more: in the
		// insert and to revive.
		if rows < 1 || rows > maxRows || rows*columns+2*columns > maxParameters {
			t.Fatalf("%d columns: %d rows", columns, rows)
		}
	}
	assert.Equal(t, maxRows, SQLite{}.Chunk(65))
	assert.Less(t, SQLite{}.Chunk(66), maxRows)
}

func TestCutAndPickLeaveTheCallAsItIs(t *testing.T) {
	call := &Call{
		Link: &Link{Refs: []Column{{Name: "a"}, {Name: "b"}}},
		N:    4,
		Keys: [][]any{{1, 2, 3, 4}, {"a", "b", "c", "d"}},
		Extra: []Extra{
			{Column: Column{Name: "same"}, Value: "x"},
			{Column: Column{Name: "each"}, Rows: []any{10, 20, 30, 40}},
		},
	}
	require.Equal(t, 3, call.Columns(), "a shared value is no column of the rows")

	cut := call.Cut(1, 3)
	assert.Equal(t, 2, cut.N)
	assert.Equal(t, [][]any{{2, 3}, {"b", "c"}}, cut.Keys)
	assert.Equal(t, []any{20, 30}, cut.Extra[1].Rows)
	assert.Equal(t, "x", cut.Extra[0].Value)

	pick := call.Pick([]int{3, 0})
	assert.Equal(t, 2, pick.N)
	assert.Equal(t, [][]any{{4, 1}, {"d", "a"}}, pick.Keys)
	assert.Equal(t, []any{40, 10}, pick.Extra[1].Rows)
	assert.Nil(t, pick.Extra[0].Rows)

	assert.Equal(t, 4, call.N)
	assert.Equal(t, [][]any{{1, 2, 3, 4}, {"a", "b", "c", "d"}}, call.Keys)
	assert.Equal(t, []any{10, 20, 30, 40}, call.Extra[1].Rows)
	assert.Zero(t, call.Pick(nil).N)
}
