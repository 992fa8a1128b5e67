package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"
)

// units are the names that people read.
var units = map[string]string{"sec/op": "s", "B/op": "B"}

// String is the median and how far the confidence interval reaches.
func (v Value) String() string {
	text := scaled(v.Center, units[v.Unit])
	if v.Lo == v.Hi || v.Samples == 1 {
		return text
	}
	reach := math.Max(v.Hi-v.Center, v.Center-v.Lo) / v.Center
	if math.IsInf(reach, 0) || math.IsNaN(reach) {
		return text + " ± ∞"
	}
	return fmt.Sprintf("%s ± %.0f%%", text, 100*reach)
}

// scaled is a number with three digits and its unit.
func scaled(x float64, unit string) string {
	if unit == "" {
		return count(x)
	}
	scaler := benchunit.CommonScale([]float64{x}, benchunit.Decimal)
	return strings.TrimSpace(digits(x/scaler.Factor) + " " + scaler.Prefix + unit)
}

// digits is a number with three digits, or all of those before the point.
func digits(x float64) string {
	switch abs := math.Abs(x); {
	case abs == 0 || abs >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}

// count is a whole number with its thousands apart, or with what it has behind
// the point.
func count(x float64) string {
	whole := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	if r := math.Abs(x - math.Round(x)); r > 0.005 && x < 100 {
		return digits(x)
	}
	if whole == "-0" {
		whole = "0"
	}
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole
}

func (r Ratio) String() string { return digits(r.Center) }

// table writes Markdown.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, row := range rows {
		line(row)
	}
	return b.String()
}
