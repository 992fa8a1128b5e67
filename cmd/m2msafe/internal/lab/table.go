package lab

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

const (
	effectWidth = 6
	// othersWidth is what the columns besides errors and effect take, with
	// their padding.
	othersWidth = 55
)

// table is the report as blocks of text, one an experiment.
func (r *Report) table(width int, color bool) string {
	p, width := show.Palette(color), max(width, show.MinWidth)
	var out strings.Builder
	say := func(lines ...string) {
		for _, line := range lines {
			out.WriteString(line + "\n")
		}
	}
	say(p.Bold("m2msafe lab"), p.Dim(show.Wrap(r.setting(), width)))
	if r.Note != "" {
		say("", p.Bold(show.Wrap(r.Note, width)))
	}
	say("", "Each experiment makes the same calls in three ways:")
	for _, w := range Ways() {
		say("  " + p.Bold(text.Pad(w.Name, 12, ' ')) + w.About)
	}
	for _, b := range r.Blocks {
		asked := ""
		if b.Asked != "" {
			asked = " (go-gorm/gorm " + b.Asked + ")"
		}
		say("", p.Bold(b.Name), show.Wrap(b.About+asked, width), b.table(p, width))
		say(b.footnotes(p, width)...)
	}
	say("", p.Dim(show.Wrap(legend, width)), "")
	for i, w := range Ways() {
		paint := p.Bad
		if i < len(r.Summary) && r.total(w.Name).unclean == 0 {
			paint = p.Good
		}
		if i < len(r.Summary) {
			say(paint(show.Wrap(r.Summary[i], width)))
		}
	}
	if r.Interrupted {
		say("", p.Bad("Interrupted: the rest was not run."))
	}
	return out.String()
}

const legend = "errors: calls that returned one, by kind and SQLSTATE (✓ it was the right answer) · " +
	"dupes: join rows beyond the first of their pair · lost: links that calls returned nil for and that are not stored · " +
	"wrong: join rows nobody asked for, and rows in memory with another row's ID. " +
	"All are counted in the database after each round; time is that of the calls alone."

// table is the block's three lines.
func (b *Block) table(p show.Palette, width int) string {
	errorsWidth := width - othersWidth
	columns := []string{"way", "calls", "errors", "dupes", "lost", "wrong", "time"}
	if b.column != "" {
		columns = slices.Insert(columns, 6, b.column)
		errorsWidth -= effectWidth + 2
	}
	t := table.NewWriter()
	t.SetStyle(show.PlainStyle)
	var configs []table.ColumnConfig
	head := table.Row{}
	for i, name := range columns {
		c := table.ColumnConfig{Number: i + 1, WidthMin: 6, Align: text.AlignRight, AlignHeader: text.AlignRight}
		switch name {
		case "way":
			c.WidthMin, c.Align, c.AlignHeader = 10, text.AlignLeft, text.AlignLeft
		case "errors":
			c.WidthMin, c.WidthMax, c.WidthMaxEnforcer = errorsWidth, errorsWidth, show.Wrap
			c.Align, c.AlignHeader = text.AlignLeft, text.AlignLeft
		case "time":
			c.WidthMin = 7
		}
		configs = append(configs, c)
		head = append(head, p.Dim(name))
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(head)
	for _, r := range b.Results {
		t.AppendRow(b.row(p, r, len(columns)))
	}
	return t.Render()
}

func (b *Block) row(p show.Palette, r *Result, columns int) table.Row {
	name := r.Way
	if name == Plugin {
		name = p.Bold(name)
	}
	if r.Skipped != "" {
		row := table.Row{name}
		for len(row) < columns {
			row = append(row, p.Dim("–"))
		}
		return row
	}
	count := func(n int) string {
		if n == 0 {
			return p.Dim("0")
		}
		return p.Bad(show.Number(n))
	}
	errors := p.Dim("none")
	if found := append(lines(p.Bad, faults(r.Errors, "")), lines(p.Good, faults(r.Expected, " ✓"))...); len(found) > 0 {
		errors = strings.Join(found, "\n")
	}
	row := table.Row{name, show.Number(r.Calls), errors, count(r.Duplicates), count(r.Lost), count(r.Wrong)}
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
func (b *Block) footnotes(p show.Palette, width int) []string {
	var notes []string
	for _, r := range b.Results {
		if r.Skipped != "" {
			notes = append(notes, p.Dim("– "+r.Skipped))
		}
		if r.Way != Plugin {
			continue
		}
		for kind := range r.Errors {
			sample, _, _ := strings.Cut(r.Samples[kind], "\ngoroutine ")
			notes = append(notes, p.Bad(show.Wrap(r.Way+", "+kind+": "+sample, width)))
		}
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}
