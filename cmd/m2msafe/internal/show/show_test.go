package show

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, want, Number(n))
	}
	require.Equal(t, []string{"no row", "1 row", "2,000 rows"}, []string{Plural(0, "row"), Plural(1, "row"), Plural(int64(2000), "row")})
}

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"user_groups":        "user_groups",
		"größe, 表":           "größe, 表",
		"a\x1b[2Jb":          `a\x1b[2Jb`,
		"two\nlines":         `two\nlines`,
		"right\u202eto left": `right\u202eto left`,
		"not \x9b UTF-8":     "not \ufffd UTF-8",
	} {
		require.Equal(t, want, Visible(s, false))
	}
	require.Equal(t, "two\nlines, a\ttab, \\x1b", Visible("two\nlines, a\ttab, \x1b", true))
}

func TestPalette(t *testing.T) {
	require.Equal(t, "text", Palette(false).Bad("text"))
	require.Equal(t, "\x1b[1mtwo\x1b[0m\n\x1b[1mlines\x1b[0m", Palette(true).Bold("two\nlines"))
	require.Empty(t, Palette(true).Bold(""))
}
