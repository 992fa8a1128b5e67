package report

import (
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

//go:embed page.md.tmpl
var page string

// Write writes the page and its charts into a folder of documentation.
func (r *Results) Write(dir string) error {
	text, err := r.Page()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, chartFolder), 0o755); err != nil {
		return err
	}
	for _, c := range r.charts() {
		svg, err := r.draw(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, chartFolder, c.file), svg, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(text), 0o644)
}

// Page is the page's text.
func (r *Results) Page() (string, error) {
	t, err := template.New("page").Option("missingkey=error").Funcs(template.FuncMap{
		"contenders": contender.All,
		"bulk":       contender.Bulk,
		"floor":      func(m string) string { return contender.Model(m).Floor(false) },
		"matrix":     r.Matrix,
		"config": func(key string) (string, error) {
			value, ok := r.Config[key]
			if !ok {
				return "", fmt.Errorf("the raw results say no %q", key)
			}
			return value, nil
		},
		"versions": r.versions,
		"chart":    func(file string) string { return chartFolder + "/" + file },
		"samples":  r.samples,
		"bulksamples": func() string {
			for _, name := range r.bulkCases() {
				v, _ := r.Value(name, contender.Plugin, seconds)
				return fmt.Sprint(v.Samples)
			}
			return "no"
		},
	}).Parse(page)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, r); err != nil {
		return "", err
	}
	return b.String(), nil
}

// versionPrefix marks the versions of modules among the configuration.
const versionPrefix = "module-"

// ModuleKey is the configuration key of a module's version.
func ModuleKey(path string) string { return versionPrefix + strings.ToLower(path) }

func (r *Results) versions() (list []string) {
	for k, v := range ordered(r.Config) {
		if module, ok := strings.CutPrefix(k, versionPrefix); ok {
			list = append(list, module+" "+v)
		}
	}
	return list
}

// samples is how many measurements a contender has in each case below a prefix.
func (r *Results) samples(prefix string) string {
	least, most := 0, 0
	names, _ := r.Cases(prefix)
	for _, name := range names {
		if v, ok := r.Value(name, contender.Plugin, seconds); ok {
			if least == 0 || v.Samples < least {
				least = v.Samples
			}
			most = max(most, v.Samples)
		}
	}
	if least == most {
		return fmt.Sprint(most)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// Matrix is a table of the cases below a prefix, a column a contender.
func (r *Results) Matrix(prefix, unit string) string {
	names, rest := r.Cases(prefix)
	head, rows := []string{""}, make([][]string, len(names))
	for i := range rows {
		rows[i] = []string{label(rest[i])}
	}
	for _, c := range contender.All() {
		column, any := make([]string, len(names)), false
		for i, name := range names {
			v, ok := r.Value(name, c.Name, unit)
			any = any || ok
			switch {
			case !ok:
				column[i] = "–"
			case unit == failures:
				column[i] = count(r.Total(name, c.Name, unit))
			case unit == trips && r.Total(name, c.Name, failures) > 0:
				column[i] = "fails"
			default:
				column[i] = v.String()
			}
		}
		if !any {
			continue
		}
		head = append(head, c.Title)
		for i := range rows {
			rows[i] = append(rows[i], column[i])
		}
	}
	return table(head, rows)
}

// label is what people read for the rest of a case's name.
func label(rest string) string {
	words := strings.Split(rest, "/")
	for i, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case name == "n" && value == "1":
			words[i] = "1 link"
		case name == "n":
			words[i] = thousands(value) + " links"
		case name == "groups":
			words[i] = value + " groups"
		case name == "side":
			words[i] = value + " users × " + value + " groups"
		default:
			words[i] = strings.ReplaceAll(value, "-", " ")
		}
	}
	return strings.Join(words, ", ")
}

// ordered is a map in the order of its keys.
func ordered[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
