// Package show is how the commands print for people: widths, colors, numbers and
// tables.
package show

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// MinWidth is the narrowest terminal that tables are made for.
const MinWidth = 80

// Wrap breaks the lines of s at blanks. text.WrapSoft alone would run the lines
// together, and fill them up.
func Wrap(s string, width int) string {
	var wrapped []string
	for line := range strings.SplitSeq(s, "\n") {
		for part := range strings.SplitSeq(text.WrapSoft(line, width), "\n") {
			wrapped = append(wrapped, strings.TrimRight(part, " "))
		}
	}
	return strings.Join(wrapped, "\n")
}

// Palette paints parts of a text, or doesn't.
type Palette bool

func (p Palette) paint(code, s string) string {
	if !p || s == "" {
		return s
	}
	// A sequence for each line: a cell's lines are padded one by one.
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = "\x1b[" + code + "m" + line + "\x1b[0m"
	}
	return strings.Join(lines, "\n")
}

// Bold is s in bold.
func (p Palette) Bold(s string) string { return p.paint("1", s) }

// Dim is s for what matters less.
func (p Palette) Dim(s string) string { return p.paint("2", s) }

// Good is s for what is right.
func (p Palette) Good(s string) string { return p.paint("32", s) }

// Bad is s for what is wrong.
func (p Palette) Bad(s string) string { return p.paint("31;1", s) }

// Doubtful is s for what may go wrong.
func (p Palette) Doubtful(s string) string { return p.paint("33;1", s) }

// Aside is s for what is to be known.
func (p Palette) Aside(s string) string { return p.paint("36;1", s) }

// PlainStyle has a line below the headings and two blanks between columns.
var PlainStyle = func() table.Style {
	s := table.StyleLight
	s.Options = table.Options{SeparateHeader: true}
	s.Format.Header = text.FormatDefault
	return s
}()

// Plural is "no error", "1 error" or "2 errors".
func Plural[N int | int64](n N, noun string) string {
	switch n {
	case 0:
		return "no " + noun
	case 1:
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Number is n with a comma every three digits.
func Number[N int | int64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Visible is s with what would not be seen, or would move a terminal's cursor,
// written as an escape sequence of Go. Line ends and tabs stay in place if lines.
func Visible(s string, lines bool) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(s, string(unicode.ReplacementChar)) {
		if unicode.IsPrint(r) || lines && (r == '\n' || r == '\t') {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}
