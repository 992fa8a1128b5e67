package auditcmd

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
)

// mark is a finding in few words.
type mark struct {
	severity audit.Severity
	text     string
}

// marks are what a diagram says of the join table itself, of the way to each end, and of
// the ends.
type marks struct {
	join []mark
	ways [2][]mark
	ends [2][]mark
}

func marksOf(t *audit.JoinTable, r *report) (m marks) {
	keyed := true
	for i := range r.Findings {
		f := &r.Findings[i]
		columns := strings.Join(f.Columns, ", ")
		if f.Rule == audit.LookupNotUnique {
			for i, e := range t.Ends {
				if e.Table == f.Table {
					m.ends[i] = append(m.ends[i], mark{f.Severity, columns + " not unique"})
				}
			}
			continue
		}
		if f.Table != t.Name {
			continue
		}
		if about := wayText(f.Rule); about != "" {
			for i, e := range t.Ends {
				text := about
				if f.Rule == audit.NoForeignKey && e.Declared {
					text = "not validated"
				}
				if within(e.Columns, f.Columns) || within(f.Columns, e.Columns) {
					m.ways[i] = append(m.ways[i], mark{f.Severity, text})
				}
			}
			continue
		}
		var text string
		switch f.Rule {
		case audit.NoUniqueKey:
			text = "pair is not unique"
		case audit.PartialUniqueKey:
			text = "unique key is partial"
		case audit.DeferrableUniqueKey:
			text = "unique key is deferrable"
		case audit.ExpressionUniqueKey:
			text = "unique on expressions"
		case audit.NullableUniqueKey:
			text = "pair permits NULL"
		case audit.SoftDeleteNoKey:
			text = "living pairs not unique"
		case audit.SoftDeleteFullKey:
			text = "key covers deleted links"
		case audit.DuplicatePairs:
			text = "duplicate pairs"
		case audit.NoReverseIndex:
			text = "no index on " + columns
		case audit.CopiedUniqueKey:
			text = columns + " is unique alone"
		default:
			text = string(f.Rule)
		}
		keyed = keyed && !aboutKey(f.Rule)
		m.join = append(m.join, mark{f.Severity, text})
	}
	for _, f := range r.ignored {
		keyed = keyed && !(f.Table == t.Name && aboutKey(f.Rule))
	}
	if keyed {
		m.join = slices.Insert(m.join, 0, mark{0, "pair is unique"})
	}
	return m
}

// aboutKey says whether a rule is about the pair's unique key.
func aboutKey(rule audit.Rule) bool {
	return slices.Contains([]audit.Rule{
		audit.NoUniqueKey, audit.PartialUniqueKey, audit.DeferrableUniqueKey, audit.ExpressionUniqueKey,
		audit.NullableUniqueKey, audit.SoftDeleteNoKey, audit.SoftDeleteFullKey,
	}, rule)
}

// wayText is what a rule says of the way to an end, "" if it is about something else.
func wayText(rule audit.Rule) string {
	switch rule {
	case audit.NoForeignKey:
		return "no foreign key"
	case audit.DanglingLinks:
		return "dangling links"
	case audit.KeyTypesDiffer:
		return "types differ"
	}
	return ""
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(c string) bool { return !slices.Contains(all, c) })
}

// text is a mark with its sign, which does not stand by color alone.
func (m mark) show(most int) (class, text string) {
	if m.severity == 0 {
		return "mark good", "✓ " + m.text
	}
	return "mark " + m.severity.String(), sign(m.severity) + " " + shorten(m.text, most-2)
}
