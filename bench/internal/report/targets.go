package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/m2msafe/m2msafe/bench/internal/contender"
)

// Target is a figure that the plugin is to reach.
type Target struct {
	What string
	Unit string
	// Case is the case's name, or how the only one's begins; %s stands for the model.
	Case  string
	Of    string // the contender it is compared with; "" for none
	Limit float64
}

const (
	seconds   = "sec/op"
	bytesUnit = "B/op"
	allocs    = "allocs/op"
	trips     = "roundtrips/op"
	failures  = "failures/op"
	heapEarly = "heap-quarter-bytes"
	heapLate  = "heap-end-bytes"
)

// targets are all, for cases that the results have.
func targets(r *Results) []Target {
	var list []Target
	add := func(what, unit, name, of string, limit float64) {
		list = append(list, Target{what, unit, name, of, limit})
	}
	_, sizes := r.Cases("Wire/model=plain/links=new")
	if len(sizes) > 0 {
		last := strings.TrimPrefix(sizes[len(sizes)-1], "n=")
		for _, state := range []string{"new", "existing"} {
			add(fmt.Sprintf("round trips, %s links, the most from 1 to %s", state, thousands(last)), trips, "Wire/model=%s/links="+state, "", 1)
		}
	}
	link := func(state string, n string, of string, limit float64) {
		add(links(state, n), seconds, "Link/model=%s/links="+state+"/n="+n, of, limit)
	}
	link("existing", "1", contender.Stock, 0.20)
	link("existing", "1", contender.Floor, 1.20)
	link("new", "1", contender.Stock, 0.45)
	link("new", "1", contender.Floor, 1.25)
	for _, n := range []string{"1000", "10000"} {
		link("new", n, contender.Floor, 1.15)
		link("existing", n, contender.Floor, 1.30)
	}
	add("eight writers, shuffled targets from both sides", seconds, "Writers/model=%s/work=shuffled", contender.Stock, 0.30)
	add("failed calls (deadlocks) there", failures, "Writers/model=%s/work=shuffled", "", 0)
	_, sizes = r.Cases("Delay/model=plain/links=new")
	for _, size := range sizes {
		n := strings.TrimPrefix(size, "n=")
		for _, state := range []string{"new", "existing"} {
			add("with 1 ms each way, "+links(state, n), seconds, "Delay/model=%s/links="+state+"/n="+n, contender.Stock, 0.25)
		}
	}
	for _, state := range []string{"new", "existing"} {
		add("bytes allocated, "+links(state, "10000"), bytesUnit, "Link/model=%s/links="+state+"/n=10000", contender.Stock, 0.25)
	}
	return list
}

func links(state, n string) string {
	if n == "1" {
		return "1 " + state + " link"
	}
	return thousands(n) + " " + state + " links"
}

func thousands(n string) string {
	x, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return n
	}
	return count(x)
}

// measured is a target's figure on a model.
func (r *Results) measured(t Target, model contender.Model) (figure string, reached, ok bool) {
	name := fmt.Sprintf(t.Case, model)
	if below, _ := r.Cases(name); len(below) == 1 {
		name = below[0] // the models differ in what comes after
	}
	switch {
	case t.Of != "":
		ratio, ok := r.Ratio(name, t.Unit, contender.Plugin, t.Of)
		return ratio.String(), ratio.Center <= t.Limit, ok
	case t.Unit == failures:
		_, ok := r.Value(name, contender.Plugin, t.Unit)
		total := r.Total(name, contender.Plugin, t.Unit)
		return count(total), total <= t.Limit, ok
	}
	most := 0.0
	names, _ := r.Cases(name)
	for _, name := range names {
		v, ok := r.Value(name, contender.Plugin, t.Unit)
		if !ok || r.Total(name, contender.Plugin, failures) > 0 {
			return "fails", false, true
		}
		most = max(most, v.Center)
	}
	return count(most), most <= t.Limit, len(names) > 0
}

// Targets is the table of targets; what was not measured is left out.
func (r *Results) Targets() string {
	titles := map[string]string{"": "–"}
	for _, c := range contender.All() {
		titles[c.Name] = c.Title
	}
	var rows [][]string
	for _, t := range targets(r) {
		limit := "≤ " + strconv.FormatFloat(t.Limit, 'f', 2, 64)
		if t.Of == "" {
			limit = count(t.Limit)
		}
		row := []string{t.What, titles[t.Of], limit}
		for _, model := range contender.Models {
			figure, reached, ok := r.measured(t, model)
			if !ok {
				break
			}
			row = append(row, verdict(figure, reached))
		}
		if len(row) == 3+len(contender.Models) {
			rows = append(rows, row)
		}
	}
	return table([]string{"what", "as a multiple of", "target", "without updated_at", "with updated_at"}, rows)
}

func verdict(figure string, reached bool) string {
	if reached {
		return figure + " reached"
	}
	return "**" + figure + " not reached**"
}

// idleLimit is how much longer a statement may take that has no relation to save.
const idleLimit = 1.01

// Idle is the table of statements that have nothing to do with the plugin.
func (r *Results) Idle() string {
	calls := map[string]string{
		"create/relation=none":  "Create, no relation",
		"create/relation=empty": "Create, a relation that is empty",
		"update/relation=none":  "Updates, no relation",
		"update/relation=empty": "Updates, a relation that is empty",
	}
	var rows [][]string
	for call, title := range ordered(calls) {
		name := "Idle/call=" + call
		ratio, ok := r.Ratio(name, seconds, contender.Plugin, contender.Stock)
		if !ok {
			continue
		}
		stock, _ := r.Value(name, contender.Stock, seconds)
		rows = append(rows, []string{
			title, stock.String(),
			verdict(fmt.Sprintf("%.3f", ratio.Center), ratio.Center < idleLimit) + fmt.Sprintf(" (%.3f to %.3f)", ratio.Lo, ratio.Hi),
			r.more(name, allocs, true), r.more(name, bytesUnit, false),
		})
	}
	return table([]string{"call", "stock GORM", "m2msafe as a multiple", "allocations more", "bytes more"}, rows)
}

// bulkLimit is the share of a bare COPY's speed that LinkPairs is to have.
const bulkLimit = 0.9

// Bulk is the table of bulk calls.
func (r *Results) Bulk() string {
	head, rows := []string{"order of the pairs"}, [][]string(nil)
	for _, c := range contender.Bulk() {
		head = append(head, c.Title)
	}
	for _, name := range r.bulkCases() {
		_, order, _ := strings.Cut(name, "order=")
		row := []string{map[string]string{"key": "the key's"}[order]}
		if row[0] == "" {
			row[0] = order
		}
		for _, c := range contender.Bulk() {
			v, _ := r.Value(name, c.Name, seconds)
			row = append(row, v.String())
		}
		ratio, _ := r.Ratio(name, seconds, contender.Copy, contender.Plugin)
		row = append(row, verdict(ratio.String(), ratio.Center >= bulkLimit))
		for _, unit := range []string{heapEarly, heapLate} {
			v, _ := r.Value(name, contender.Plugin, unit)
			row = append(row, scaled(v.Center, "B"))
		}
		rows = append(rows, row)
	}
	return table(append(head, "share of COPY's speed", "memory in use, at a quarter", "at the end"), rows)
}

func (r *Results) bulkCases() (names []string) {
	for _, name := range r.cases {
		if strings.HasPrefix(name, "Bulk/") {
			names = append(names, name)
		}
	}
	return names
}

// BulkPairs is how many pairs a bulk call has.
func (r *Results) BulkPairs() string {
	for _, name := range r.bulkCases() {
		pairs, _, _ := strings.Cut(strings.TrimPrefix(name, "Bulk/pairs="), "/")
		return thousands(pairs)
	}
	return "0"
}

// more is how much more the plugin has than stock GORM. What is judged must be
// nothing at all; a median of a few calls may be off by a fraction.
func (r *Results) more(name, unit string, judged bool) string {
	stock, _ := r.Value(name, contender.Stock, unit)
	plugin, _ := r.Value(name, contender.Plugin, unit)
	more := math.Round(plugin.Center - stock.Center)
	text := count(more)
	if judged {
		return verdict(text, more <= 0)
	}
	return text
}
