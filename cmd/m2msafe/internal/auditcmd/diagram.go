package auditcmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// diagram is a join table between its two ends, with what is missing marked.
type diagram struct {
	Class, Label  string
	Width, Height int
	Boxes         []box
	Lines         []path
	Texts         []label
}

type (
	box struct {
		Class      string
		X, Y, W, H int
	}
	path  struct{ Class, D string }
	label struct {
		Class, Anchor, Text string
		X, Y                int
	}
)

// shorten leaves out a name's middle.
func shorten(name string, most int) string {
	runes := []rune(show.Visible(name, false))
	if len(runes) <= most {
		return string(runes)
	}
	head := (most - 1) * 3 / 5
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

// The measures of a diagram.
const (
	lineHeight = 18
	headHeight = 32
	boxPadding = 12
	nameWidth  = 8 // of a character, in pixels, rounded up
	markWidth  = 8
)

// diagrams are the wide one and the narrow one, of which a page shows that which fits.
func diagrams(t *audit.JoinTable, r *report) []diagram {
	m := marksOf(t, r)
	return []diagram{wide(t, m), narrow(t, m)}
}

// wide has the ends to the left and right of the join table.
func wide(t *audit.JoinTable, m marks) diagram {
	const side, middle, gap = 160, 240, 130
	d := diagram{Class: "wide", Width: 2*side + middle + 2*gap, Label: describe(t, m)}
	rows := max(len(t.Ends[0].Columns), len(t.Ends[1].Columns))
	d.Height = d.join(t, m, 1+side+gap, 1, middle-2)
	for i, e := range t.Ends {
		x := 1
		from, to, middleOf := 1+side+gap, 1+side, 1+side+gap/2
		if i == 1 {
			x, from, to = d.Width-side-1, 1+side+gap+middle-2, d.Width-side-1
			middleOf = (from + to) / 2
		}
		bottom := d.end(e, m.ends[i], x, 1, side)
		y := 1 + headHeight + boxPadding + (rows*lineHeight)/2 - 7
		d.way(e, m.ways[i], fmt.Sprintf("M%d %dL%d %d", from, y, to, y), arrow(to, y, 1-2*i))
		ways := m.ways[i]
		if len(ways) == 0 {
			d.say(way(e), middleOf, y-8, "middle")
		}
		for n, mark := range ways {
			class, text := mark.show(gap / markWidth)
			at := y - 8
			if n > 0 {
				at = y + 1 + 15*n
			}
			d.Texts = append(d.Texts, label{class, "middle", text, middleOf, at})
			bottom = max(bottom, at+6)
		}
		d.Height = max(d.Height, bottom)
	}
	d.Height++
	return d
}

// narrow has one under the other, for a phone.
func narrow(t *audit.JoinTable, m marks) diagram {
	const width, x = 320, 40
	d := diagram{Class: "narrow", Width: width, Label: describe(t, m)}
	y := d.end(t.Ends[0], m.ends[0], 1, 1, width-2)
	connect := func(i int, up bool) {
		height := 40 + 15*max(0, len(m.ways[i])-1)
		from, to := y+height, y
		if !up {
			from, to = to, from
		}
		head := fmt.Sprintf("M%d %dl-5 9h10z", x, to)
		if !up {
			head = fmt.Sprintf("M%d %dl-5 -9h10z", x, to)
		}
		d.way(t.Ends[i], m.ways[i], fmt.Sprintf("M%d %dL%d %d", x, from, x, to), head)
		if len(m.ways[i]) == 0 {
			d.say(way(t.Ends[i]), x+14, y+24, "start")
		}
		for n, mark := range m.ways[i] {
			class, text := mark.show((width - x - 14) / markWidth)
			d.Texts = append(d.Texts, label{class, "start", text, x + 14, y + 24 + 15*n})
		}
		y += height
	}
	connect(0, true)
	y = d.join(t, m, 1, y, width-2)
	connect(1, false)
	d.Height = d.end(t.Ends[1], m.ends[1], 1, y, width-2) + 1
	return d
}

// join draws the join table, and returns where it ends.
func (d *diagram) join(t *audit.JoinTable, m marks, x, y, w int) int {
	most := (w - 2*boxPadding) / nameWidth
	top := y
	d.Texts = append(d.Texts, label{"table", "start", shorten(t.Name, most), x + boxPadding, y + 21})
	y += headHeight
	d.Lines = append(d.Lines, path{"rule", fmt.Sprintf("M%d %dh%d", x, y, w)})
	y += boxPadding
	for n := range max(len(t.Ends[0].Columns), len(t.Ends[1].Columns)) {
		for i, e := range t.Ends {
			if n >= len(e.Columns) {
				continue
			}
			at, anchor := x+boxPadding, "start"
			if i == 1 {
				at, anchor = x+w-boxPadding, "end"
			}
			d.Texts = append(d.Texts, label{"column", anchor, shorten(e.Columns[n], most/2-1), at, y + 6})
		}
		y += lineHeight
	}
	d.Lines = append(d.Lines, path{"rule", fmt.Sprintf("M%d %dh%d", x, y, w)})
	y += 6
	for _, mark := range m.join {
		class, text := mark.show((w - 2*boxPadding) / markWidth)
		y += lineHeight
		d.Texts = append(d.Texts, label{class, "start", text, x + boxPadding, y - 4})
	}
	y += 8
	d.Boxes = append(d.Boxes, box{"box join", x, top, w, y - top})
	return y
}

// end draws the table at an end, and returns where it ends.
func (d *diagram) end(e audit.End, marks []mark, x, y, w int) int {
	top := y
	d.Texts = append(d.Texts, label{"table", "start", shorten(e.Table, (w-2*boxPadding)/nameWidth), x + boxPadding, y + 21})
	y += headHeight
	d.Lines = append(d.Lines, path{"rule", fmt.Sprintf("M%d %dh%d", x, y, w)})
	y += boxPadding
	for _, c := range e.References {
		d.Texts = append(d.Texts, label{"column", "start", shorten(c, (w-2*boxPadding)/nameWidth), x + boxPadding, y + 6})
		y += lineHeight
	}
	for _, mark := range marks {
		class, text := mark.show((w - 2*boxPadding) / markWidth)
		d.Texts = append(d.Texts, label{class, "start", text, x + boxPadding, y + 6})
		y += lineHeight
	}
	d.Boxes = append(d.Boxes, box{"box", x, top, w, y - top})
	return y
}

// way draws the line to an end: dashed where the database does not know of it.
func (d *diagram) way(e audit.End, marks []mark, line, head string) {
	class := "edge"
	if !e.Declared {
		class = "edge missing"
		if len(marks) > 0 {
			class += " " + marks[0].severity.String()
		}
	}
	d.Lines = append(d.Lines, path{class, line})
	if e.Declared {
		d.Lines = append(d.Lines, path{"head", head})
	}
}

func arrow(x, y, direction int) string { return fmt.Sprintf("M%d %dl%d -5v10z", x, y, 9*direction) }

func (d *diagram) say(text string, x, y int, anchor string) {
	d.Texts = append(d.Texts, label{"soft", anchor, text, x, y})
}

func way(e audit.End) string {
	if e.Declared {
		return "foreign key"
	}
	return "by its name"
}

// describe is the diagram in words.
func describe(t *audit.JoinTable, m marks) string {
	var parts []string
	for i, e := range t.Ends {
		what := []string{way(e)}
		for _, mark := range slices.Concat(m.ways[i], m.ends[i]) {
			what = append(what, mark.text)
		}
		parts = append(parts, e.Table+" by "+strings.Join(e.Columns, ", ")+" ("+strings.Join(what, ", ")+")")
	}
	var join []string
	for _, mark := range m.join {
		join = append(join, mark.text)
	}
	return show.Visible(t.Name+" links "+strings.Join(parts, " with ")+": "+strings.Join(join, ", ")+".", false)
}
