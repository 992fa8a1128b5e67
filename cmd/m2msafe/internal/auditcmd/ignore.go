package auditcmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// report is what an audit has found, without what the call leaves out.
type report struct {
	*audit.Report
	ignored []audit.Finding
}

// ignored is a rule whose findings are left out, of one table or, if that is "", of all.
type ignored struct {
	rule  audit.Rule
	table string
}

// parseIgnored reads RULE or RULE:TABLE. A table's name may have dots and colons.
func parseIgnored(text string) (ignored, error) {
	rule, table, of := strings.Cut(text, ":")
	if of && table == "" {
		return ignored{}, fmt.Errorf("--ignore %s: it takes RULE or RULE:TABLE", text)
	}
	var rules []string
	for _, r := range ruleTexts {
		rules = append(rules, string(r.rule))
	}
	if !slices.Contains(rules, rule) {
		return ignored{}, fmt.Errorf("--ignore %s: no rule is called %q; there are: %s", text, rule, strings.Join(rules, ", "))
	}
	return ignored{audit.Rule(rule), table}, nil
}

func (i ignored) has(f *audit.Finding) bool {
	return i.rule == f.Rule && (i.table == "" || i.table == f.Table)
}

// leaveOut is the report without what is ignored. The fixes of a table count on those
// before them, so that behind one that is left out there is none, but for an index, which
// counts on nothing.
func leaveOut(found *audit.Report, all []ignored) *report {
	rest := *found
	r := &report{Report: &rest}
	rest.Findings = nil
	missing := map[string]audit.Rule{} // whose fix is left out, by table
	for _, f := range found.Findings {
		if slices.ContainsFunc(all, func(i ignored) bool { return i.has(&f) }) {
			r.ignored = append(r.ignored, f)
			if len(f.Fix) > 0 && missing[f.Table] == "" {
				missing[f.Table] = f.Rule
			}
			continue
		}
		if rule := missing[f.Table]; rule != "" && len(f.Fix) > 0 && f.Rule != audit.NoReverseIndex {
			f.Fix, f.Undo = nil, nil
			f.Story += " There is no fix: it would come behind that of " + string(rule) + ", which --ignore leaves out."
		}
		rest.Findings = append(rest.Findings, f)
	}
	return r
}

// leftOut says how many findings are ignored, "" if none is.
func (r *report) leftOut() string {
	switch n := len(r.ignored); n {
	case 0:
		return ""
	case 1:
		return "1 finding is left out by --ignore."
	default:
		return show.Plural(n, "finding") + " are left out by --ignore."
	}
}
