package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/m2msafe/m2msafe/chaos/faults"
	"github.com/m2msafe/m2msafe/chaos/soak"
)

//go:embed page.md.tmpl
var pageText string

type pageCommand struct {
	Docs string `arg:"" type:"path" help:"Folder of the documentation; its folder reliability has the results."`
}

func (c *pageCommand) run(stderr io.Writer) int {
	k, err := read(filepath.Join(c.Docs, "reliability"))
	if err != nil {
		return fail(stderr, err)
	}
	text, err := k.page()
	if err != nil {
		return fail(stderr, err)
	}
	if err := os.WriteFile(filepath.Join(c.Docs, "reliability.md"), []byte(text), 0o644); err != nil {
		return fail(stderr, err)
	}
	return exitOK
}

// page is the page's text.
func (k *kept) page() (string, error) {
	t, err := template.New("page").Option("missingkey=error").Funcs(template.FuncMap{
		"engines": faults.Engines,
		"total":   total,
		"count":   count,
		"figure":  func(l soak.Flat, x float64) string { return strings.TrimSpace(fmt.Sprintf("%.4g %s", x, l.Unit)) },
	}).Parse(pageText)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, k)
	return b.String(), err
}

// sum is what several runs come to.
type sum struct {
	summary
	Runs, Faults int
	From, To     uint64 // seeds
}

func total(list []summary) sum {
	s := sum{Runs: len(list), From: list[0].Seed, To: list[len(list)-1].Seed}
	s.Version = list[0].Version
	at := map[string]int{}
	for _, r := range list {
		s.Seconds += r.Seconds
		s.Acknowledged, s.Again, s.Failed = s.Acknowledged+r.Acknowledged, s.Again+r.Again, s.Failed+r.Failed
		s.Reruns, s.Rows, s.Done, s.Undone, s.Broken = s.Reruns+r.Reruns, s.Rows+r.Rows, s.Done+r.Done, s.Undone+r.Undone, s.Broken+r.Broken
		for _, c := range r.Injected {
			s.Faults += c.N
			i, known := at[c.What]
			if !known {
				i = len(s.Injected)
				at[c.What] = i
				s.Injected = append(s.Injected, faults.Count{What: c.What})
			}
			s.Injected[i].N += c.N
		}
	}
	return s
}

// count writes a number with commas.
func count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
