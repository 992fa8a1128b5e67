package auditcmd

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

//go:embed page
var pageFiles embed.FS

func pageFile(name string) string {
	text, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"line":   func(s string) string { return show.Visible(s, false) },
	"number": func(n int) string { return show.Number(n) },
	"plural": func(n int, noun string) string { return show.Plural(n, noun) },
	"sign":   sign,
}).Parse(pageFile("page.html")))

// maxDiagrams bounds a page's size: a browser should open it.
const maxDiagrams = 300

type (
	page struct {
		Report           *report
		Ignored          string
		Advice           []string
		Policy           string
		CSS              template.CSS
		JS               template.JS
		Counts, Headline string
		When             string
		Tiles            []tile
		Index            []*pageFinding
		Tables           []pageTable
		Sound            []pageTable
	}
	tile struct {
		Class, Sign, Text string
		N                 int
	}
	pageTable struct {
		ID, Name, About string
		Diagrams        []diagram
		Findings        []*pageFinding
	}
	pageFinding struct {
		*audit.Finding
		ID, RowsText string
	}
	pageSQL struct {
		Label      string
		Statements []audit.Statement
	}
)

// FixSQL is what mends the finding.
func (f *pageFinding) FixSQL() pageSQL {
	return pageSQL{"the SQL that mends " + show.Visible(f.Table, false) + ", " + string(f.Rule), f.Fix}
}

// UndoSQL is what takes that back.
func (f *pageFinding) UndoSQL() pageSQL {
	return pageSQL{"the SQL that takes the mending of " + show.Visible(f.Table, false) + ", " + string(f.Rule) + ", back", f.Undo}
}

// sign stands beside a severity's color.
func sign(s audit.Severity) string {
	switch s {
	case audit.Error:
		return "✕"
	case audit.Warning:
		return "▲"
	}
	return "●"
}

// writeHTML writes the report as one page, which loads nothing.
func writeHTML(w io.Writer, r *report, now time.Time) error {
	css, js := pageFile("page.css"), pageFile("page.js")
	p := page{
		Report: r, Ignored: ignoredText(r), Advice: advice(r.Unseen), CSS: template.CSS(css), JS: template.JS(js), // #nosec G203 -- the embedded files
		Policy: fmt.Sprintf("default-src 'none'; base-uri 'none'; form-action 'none'; style-src '%s'; script-src '%s'", hash(css), hash(js)),
		Counts: counts(r), Headline: headline(r), When: now.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	for i, found := range byTable(r) {
		f := &pageFinding{Finding: found, ID: fmt.Sprintf("f%d", i+1), RowsText: ""}
		if text := rows(f.Rows, f.Estimated); text != "" {
			f.RowsText = text + " rows"
			if f.Rows == 1 {
				f.RowsText = text + " row"
			}
		}
		p.Index = append(p.Index, f)
	}
	p.Tables = pageTables(r, p.Index)
	slices.SortStableFunc(p.Index, func(a, b *pageFinding) int { return cmp.Compare(b.Severity, a.Severity) })
	clean := map[string]bool{}
	for _, name := range sound(r) {
		clean[name] = true
	}
	for _, t := range r.Tables {
		if clean[t.Name] {
			p.Sound = append(p.Sound, pageTable{Name: t.Name, About: aboutTable(&t)})
		}
	}
	p.Tiles = tiles(r, len(p.Sound))
	return pageTemplate.Execute(w, &p)
}

func headline(r *report) string {
	switch {
	case len(r.Findings) > 0:
		return strings.ToUpper(counts(r)[:1]) + counts(r)[1:]
	case len(r.Unseen) > 0:
		return "No finding, but not all could be looked at"
	case len(r.Tables) == 0:
		return "No join table was recognized"
	}
	if len(r.ignored) > 0 {
		return "Nothing but what is ignored"
	}
	return "Clean: nothing to mend"
}

func tiles(r *report, sound int) []tile {
	var all []tile
	for _, s := range severities {
		n, class := countOf(r, s), s.String()
		if n == 0 {
			class = ""
		}
		text := s.String() + "s"
		if n == 1 {
			text = s.String()
		}
		all = append(all, tile{class, sign(s), text, n})
	}
	all = append(all, tile{"good", "✓", "clean", sound})
	if n := len(r.ignored); n > 0 {
		all = append(all, tile{"", "–", "ignored", n})
	}
	if n := len(r.Unseen); n > 0 {
		all = append(all, tile{"warning", "?", "not looked at", n})
	}
	return all
}

// pageTables are the tables with findings, the worst first.
func pageTables(r *report, findings []*pageFinding) []pageTable {
	joins := map[string]*audit.JoinTable{}
	for i := range r.Tables {
		joins[r.Tables[i].Name] = &r.Tables[i]
	}
	var tables []pageTable
	at := map[string]int{}
	for _, f := range findings {
		i, ok := at[f.Table]
		if !ok {
			i = len(tables)
			at[f.Table] = i
			t := pageTable{ID: fmt.Sprintf("t%d", i+1), Name: f.Table, About: "A table that is linked."}
			if j := joins[f.Table]; j != nil {
				t.About = aboutTable(j)
				if i < maxDiagrams {
					t.Diagrams = diagrams(j, r)
				}
			}
			tables = append(tables, t)
		}
		tables[i].Findings = append(tables[i].Findings, f)
	}
	return tables
}

// aboutTable is what a join table links, how it was recognized, and its size.
func aboutTable(t *audit.JoinTable) string {
	text := show.Visible(t.Ends[0].Table+" – "+t.Ends[1].Table, false)
	switch t.Convention {
	case "":
	case "names":
		text += " · known by its names"
	case "foreign keys":
		if !t.Ends[0].Declared || !t.Ends[1].Declared {
			text += " · known by a foreign key and its names"
			break
		}
		text += " · known by its foreign keys"
	case "models":
		text += " · known by the models"
	case "named":
		text += " · known by --table"
	default:
		text += " · known by the names of " + t.Convention
	}
	if n := rows(t.Rows, t.Estimated); n != "" {
		text += " · " + n + " rows"
	}
	return text
}

// hash is how a policy names a text that may be in the page.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
