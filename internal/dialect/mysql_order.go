package dialect

import (
	"cmp"
	"slices"
	"strings"
)

// order is the order in which the rows of a call are inserted: by the pair's
// columns, numbers as numbers. An INSERT … SELECT could have the database sort them,
// and would lock the table's AUTO_INCREMENT until its end (1467 where that ends in a
// deadlock) and count it up by powers of two.
func (MySQL) order(c *Call) []int {
	rows := make([]int, c.N)
	texts := make([][]string, c.N)
	for i := range rows {
		rows[i] = i
		for ref := range c.Refs {
			if text, _, _ := Text(c.Key(ref, i), ""); !c.shared(ref) {
				texts[i] = append(texts[i], text)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		return slices.CompareFunc(texts[a], texts[b], func(a, b string) int {
			if isDigits(a) && isDigits(b) && len(a) != len(b) {
				return len(a) - len(b)
			}
			// Keys that differ by case may be equal to the database.
			return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
		})
	})
	return rows
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
