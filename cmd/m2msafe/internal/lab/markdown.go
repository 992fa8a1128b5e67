package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// markdown is the report as the README shows it: one table, then what its rows
// mean.
func (r *Report) markdown() string {
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	say("%s.", r.setting())
	if r.Note != "" {
		say("\n%s", r.Note)
	}
	say("\n| experiment | way | calls | errors | duplicate rows | lost links | wrong IDs | side effects | time |")
	say("| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
	var about, skipped []string
	for _, b := range r.Blocks {
		for i, result := range b.Results {
			name := ""
			if i == 0 {
				name = "**" + b.Name + "**"
			}
			say("| %s | %s | %s |", name, result.Way, strings.Join(b.cells(result), " | "))
			if result.Skipped != "" && i == 0 {
				skipped = append(skipped, fmt.Sprintf("- – (%s): %s.", b.Name, result.Skipped))
			}
		}
		line := fmt.Sprintf("- **%s**: %s", b.Name, b.About)
		if b.Effect != "" {
			line += " Side effect: " + b.Effect + "."
		}
		if b.Asked != "" {
			line += " (" + b.Asked + ")"
		}
		about = append(about, line)
	}
	say("\n%s", strings.Join(slices.Concat(about, skipped), "\n"))
	say("\n%s", strings.Join(r.Summary, "  \n"))
	if r.Interrupted {
		say("\nInterrupted: the rest was not run.")
	}
	return out.String()
}

// cells are a line's cells from the calls on; what is wrong stands out.
func (b *Block) cells(r *Result) []string {
	if r.Skipped != "" {
		return []string{"–", "–", "–", "–", "–", "–", "–"}
	}
	count := func(n int) string {
		if n == 0 {
			return "0"
		}
		return "**" + show.Number(n) + "**"
	}
	errors := "none"
	if found := faults(r.Errors, ""); len(found) > 0 {
		errors = "**" + strings.Join(found, ", ") + "**"
	}
	if found := faults(r.Expected, " ✓"); len(found) > 0 {
		errors = strings.TrimPrefix(errors+", ", "none, ") + strings.Join(found, ", ")
	}
	effect := ""
	if r.Effect != nil {
		effect = count(int(*r.Effect))
	}
	return []string{show.Number(r.Calls), errors, count(r.Duplicates), count(r.Lost), count(r.Wrong), effect, duration(r.Elapsed)}
}
