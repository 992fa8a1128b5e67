package lab

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// MinWidth is the narrowest terminal that tables are made for.
const MinWidth = 80

const (
	effectWidth = 6
	// othersWidth is what the columns besides errors and effect take, with
	// their padding.
	othersWidth = 55
)

// wrap breaks the lines of s at blanks. text.WrapSoft alone would run the lines
// together, and fill them up.
func wrap(s string, width int) string {
	var wrapped []string
	for line := range strings.SplitSeq(s, "\n") {
		for part := range strings.SplitSeq(text.WrapSoft(line, width), "\n") {
			wrapped = append(wrapped, strings.TrimRight(part, " "))
		}
	}
	return strings.Join(wrapped, "\n")
}

// palette paints parts of a table, or doesn't.
type palette bool

func (p palette) paint(code, s string) string {
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

func (p palette) bold(s string) string { return p.paint("1", s) }
func (p palette) dim(s string) string  { return p.paint("2", s) }
func (p palette) good(s string) string { return p.paint("32", s) }
func (p palette) bad(s string) string  { return p.paint("31;1", s) }

// table is the report as blocks of text, one an experiment.
func (r *Report) table(width int, color bool) string {
	p, width := palette(color), max(width, MinWidth)
	var out strings.Builder
	say := func(lines ...string) {
		for _, line := range lines {
			out.WriteString(line + "\n")
		}
	}
	say(p.bold("m2msafe lab"), p.dim(wrap(r.setting(), width)))
	if r.Note != "" {
		say("", p.bold(wrap(r.Note, width)))
	}
	say("", "Each experiment makes the same calls in three ways:")
	for _, w := range Ways() {
		say("  " + p.bold(text.Pad(w.Name, 12, ' ')) + w.About)
	}
	for _, b := range r.Blocks {
		asked := ""
		if b.Asked != "" {
			asked = " (go-gorm/gorm " + b.Asked + ")"
		}
		say("", p.bold(b.Name), wrap(b.About+asked, width), b.table(p, width))
		say(b.footnotes(p, width)...)
	}
	say("", p.dim(wrap(legend, width)), "")
	for i, w := range Ways() {
		paint := p.bad
		if i < len(r.Summary) && r.total(w.Name).unclean == 0 {
			paint = p.good
		}
		if i < len(r.Summary) {
			say(paint(wrap(r.Summary[i], width)))
		}
	}
	if r.Interrupted {
		say("", p.bad("Interrupted: the rest was not run."))
	}
	return out.String()
}

const legend = "errors: calls that returned one, by kind and SQLSTATE (✓ it was the right answer) · " +
	"dupes: join rows beyond the first of their pair · lost: links that calls returned nil for and that are not stored · " +
	"wrong: join rows nobody asked for, and rows in memory with another row's ID. " +
	"All are counted in the database after each round; time is that of the calls alone."

// table is the block's three lines.
func (b *Block) table(p palette, width int) string {
	errorsWidth := width - othersWidth
	columns := []string{"way", "calls", "errors", "dupes", "lost", "wrong", "time"}
	if b.column != "" {
		columns = slices.Insert(columns, 6, b.column)
		errorsWidth -= effectWidth + 2
	}
	t := table.NewWriter()
	t.SetStyle(plainStyle)
	var configs []table.ColumnConfig
	head := table.Row{}
	for i, name := range columns {
		c := table.ColumnConfig{Number: i + 1, WidthMin: 6, Align: text.AlignRight, AlignHeader: text.AlignRight}
		switch name {
		case "way":
			c.WidthMin, c.Align, c.AlignHeader = 10, text.AlignLeft, text.AlignLeft
		case "errors":
			c.WidthMin, c.WidthMax, c.WidthMaxEnforcer = errorsWidth, errorsWidth, wrap
			c.Align, c.AlignHeader = text.AlignLeft, text.AlignLeft
		case "time":
			c.WidthMin = 7
		}
		configs = append(configs, c)
		head = append(head, p.dim(name))
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(head)
	for _, r := range b.Results {
		t.AppendRow(b.row(p, r, len(columns)))
	}
	return t.Render()
}

// plainStyle has a line below the headings and two blanks between columns.
var plainStyle = func() table.Style {
	s := table.StyleLight
	s.Options = table.Options{SeparateHeader: true}
	s.Format.Header = text.FormatDefault
	return s
}()

func (b *Block) row(p palette, r *Result, columns int) table.Row {
	name := r.Way
	if name == Plugin {
		name = p.bold(name)
	}
	if r.Skipped != "" {
		row := table.Row{name}
		for len(row) < columns {
			row = append(row, p.dim("–"))
		}
		return row
	}
	count := func(n int) string {
		if n == 0 {
			return p.dim("0")
		}
		return p.bad(number(n))
	}
	errors := p.dim("none")
	if found := append(lines(p.bad, faults(r.Errors, "")), lines(p.good, faults(r.Expected, " ✓"))...); len(found) > 0 {
		errors = strings.Join(found, "\n")
	}
	row := table.Row{name, number(r.Calls), errors, count(r.Duplicates), count(r.Lost), count(r.Wrong)}
	if r.Effect != nil {
		row = append(row, count(int(*r.Effect)))
	}
	return append(row, duration(r.Elapsed))
}

func lines(paint func(string) string, all []string) []string {
	for i, line := range all {
		all[i] = paint(line)
	}
	return all
}

// footnotes are what the table can't say: why a line is empty, and the words of
// the errors that should not have been.
func (b *Block) footnotes(p palette, width int) []string {
	var notes []string
	for _, r := range b.Results {
		if r.Skipped != "" {
			notes = append(notes, p.dim("– "+r.Skipped))
		}
		if r.Way != Plugin {
			continue
		}
		for kind := range r.Errors {
			sample, _, _ := strings.Cut(r.Samples[kind], "\ngoroutine ")
			notes = append(notes, p.bad(wrap(r.Way+", "+kind+": "+sample, width)))
		}
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}
