package auditcmd

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// severities, the worst first.
var severities = []audit.Severity{audit.Error, audit.Warning, audit.Note}

// minWidth is the narrowest terminal that the report is made for. Below listWidth the
// overview is a list: four columns have no room.
const (
	minWidth  = 40
	listWidth = 70
)

// soundNames is how many tables without findings are named one by one.
const soundNames = 40

// writeText writes the report for a terminal: a table of the findings, then the story and
// the SQL of each.
func writeText(w io.Writer, r *report, width int, color bool) error {
	p, width := show.Palette(color), min(max(width, minWidth), 100)
	var out strings.Builder
	say := func(lines ...string) {
		for _, line := range lines {
			out.WriteString(line + "\n")
		}
	}
	say(p.Bold("m2msafe audit"), p.Dim(show.Wrap(show.Visible(r.Database, false)+" · "+show.Plural(len(r.Tables), "join table")+" · "+counts(r)+ignoredText(r), width)))
	if len(r.Findings) > 0 {
		if width < listWidth {
			say(narrowOverview(p, r, width)...)
		} else {
			say("", overview(p, r, width))
		}
	}
	for _, f := range byTable(r) {
		say("")
		tell(say, p, f, width)
	}
	if len(r.Unseen) > 0 {
		say("", p.Bad("Not looked at:"))
		for _, u := range r.Unseen {
			say(indent(show.Wrap(show.Visible(u.Table+": "+u.Reason, false), width-2), "  "))
		}
		for _, line := range advice(r.Unseen) {
			say(show.Wrap(line, width))
		}
	}
	if names := sound(r); len(names) > 0 {
		say("", show.Wrap(p.Good("Without a finding: ")+show.Visible(list(names, soundNames), false)+".", width))
	}
	say("", verdict(p, r, width))
	if left := r.leftOut(); left != "" {
		say(show.Wrap(left, width))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// counts are the findings by severity, in words.
func counts(r *report) string {
	var parts []string
	for _, s := range severities {
		if n := countOf(r, s); n > 0 {
			parts = append(parts, show.Plural(n, s.String()))
		}
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

func countOf(r *report, s audit.Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// ignoredText is how many findings are left out, behind the others' counts.
func ignoredText(r *report) string {
	if len(r.ignored) == 0 {
		return ""
	}
	return " · " + show.Number(len(r.ignored)) + " ignored"
}

// sound are the tables that were looked at, and of which there is no finding, nor one that
// is left out.
func sound(r *report) (names []string) {
	with := map[string]bool{}
	for _, f := range r.Findings {
		with[f.Table] = true
	}
	for _, f := range r.ignored {
		with[f.Table] = true
	}
	for _, u := range r.Unseen {
		with[u.Table] = true
	}
	for _, t := range r.Tables {
		if !with[t.Name] {
			names = append(names, t.Name)
		}
	}
	return names
}

// list is the first names, and how many more there are.
func list(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + " and " + show.Number(len(names)-most) + " more"
}

// paint is a severity's color.
func paint(p show.Palette, s audit.Severity) func(string) string {
	switch s {
	case audit.Error:
		return p.Bad
	case audit.Warning:
		return p.Doubtful
	}
	return p.Aside
}

// rows is how many rows a finding or a table has, "" if nobody knows.
func rows(n int64, estimated bool) string {
	switch {
	case n < 0:
		return ""
	case estimated:
		return "~" + show.Number(n)
	}
	return show.Number(n)
}

// narrowOverview is the findings as a list, the worst first.
func narrowOverview(p show.Palette, r *report, width int) []string {
	lines := []string{""}
	for _, s := range severities {
		for _, f := range byTable(r) {
			if f.Severity != s {
				continue
			}
			line := show.Visible(f.Title, false)
			if n := rows(f.Rows, f.Estimated); n != "" {
				line += " (" + n + ")"
			}
			name := text.WrapHard(show.Visible(f.Table, false), width-9)
			lines = append(lines, paint(p, s)(fmt.Sprintf("%-7s", s))+"  "+strings.ReplaceAll(name, "\n", "\n"+strings.Repeat(" ", 9)), indent(show.Wrap(line, width-2), "  "))
		}
	}
	return lines
}

// overview is the table of the findings, the worst first.
func overview(p show.Palette, r *report, width int) string {
	const severityWidth, rowsWidth, padding = 8, 11, 8
	rest := width - severityWidth - rowsWidth - padding
	tableWidth := len("table")
	for _, f := range r.Findings {
		tableWidth = max(tableWidth, text.StringWidth(show.Visible(f.Table, false)))
	}
	tableWidth = min(tableWidth, rest*2/5)
	t := table.NewWriter()
	t.SetStyle(show.PlainStyle)
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMin: severityWidth},
		{Number: 2, WidthMax: tableWidth, WidthMaxEnforcer: text.WrapHard},
		{Number: 3, WidthMax: rest - tableWidth, WidthMaxEnforcer: show.Wrap},
		{Number: 4, Align: text.AlignRight, AlignHeader: text.AlignRight, WidthMax: rowsWidth},
	})
	t.AppendHeader(table.Row{p.Dim("severity"), p.Dim("table"), p.Dim("finding"), p.Dim("rows")})
	for _, s := range severities {
		for _, f := range byTable(r) {
			if f.Severity == s {
				t.AppendRow(table.Row{paint(p, s)(s.String()), show.Visible(f.Table, false), show.Visible(f.Title, false), rows(f.Rows, f.Estimated)})
			}
		}
	}
	lines := strings.Split(t.Render(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// tell is a finding at length.
func tell(say func(...string), p show.Palette, f *audit.Finding, width int) {
	head := paint(p, f.Severity)(f.Severity.String()) + "  " + p.Bold(show.Visible(f.Table, false))
	if f.Relation != "" {
		head += " " + p.Dim("("+show.Visible(f.Relation, false)+")")
	}
	say(head+"  "+p.Dim(string(f.Rule)), show.Wrap(p.Bold(show.Visible(f.Title, false)+"."), width), show.Wrap(show.Visible(f.Story, false), width))
	if len(f.Fix) == 0 {
		return
	}
	say("", "  "+p.Dim("To mend it:"))
	for _, s := range f.Fix {
		why := s.Why
		if s.Solo {
			why += " (outside a transaction)"
		}
		say(indent(p.Dim(indent(show.Wrap(show.Visible(why, false), width-7), "-- ")), "  "), indent(show.Visible(s.SQL, true)+";", "  "))
	}
}

func indent(s, by string) string { return by + strings.ReplaceAll(s, "\n", "\n"+by) }

// verdict is the closing line.
func verdict(p show.Palette, r *report, width int) string {
	switch {
	case len(r.Findings) > 0:
		mendable := 0
		for _, f := range r.Findings {
			if len(f.Fix) > 0 {
				mendable++
			}
		}
		line := show.Plural(len(r.Findings), "finding") + ": " + counts(r) + "."
		if mendable > 0 {
			line += " --fix FILE writes the SQL that mends, and the SQL that takes it back."
		}
		return show.Wrap(line, width)
	case len(r.Unseen) > 0:
		return p.Bad(show.Wrap("No finding, but "+show.Plural(len(r.Unseen), "table")+" could not be looked at.", width))
	case len(r.Tables) == 0:
		return show.Wrap("No join table was recognized. --table NAME names one.", width)
	}
	if len(r.ignored) > 0 {
		return show.Wrap("Nothing else was found.", width)
	}
	return p.Good(show.Wrap(fmt.Sprintf("Clean: %s, and nothing to mend.", show.Plural(len(r.Tables), "join table")), width))
}

// byTable are the findings in the order of a report for people: the tables with the worst
// first, and of a table in the order of their fixes.
func byTable(r *report) []*audit.Finding {
	worst := map[string]audit.Severity{}
	var all []*audit.Finding
	for i := range r.Findings {
		f := &r.Findings[i]
		worst[f.Table] = max(worst[f.Table], f.Severity)
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b *audit.Finding) int { return cmp.Compare(worst[b.Table], worst[a.Table]) })
	return all
}
