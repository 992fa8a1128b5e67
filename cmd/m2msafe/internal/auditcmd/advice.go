package auditcmd

import (
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
)

// remedies are what helps where tables could not be looked at, by a piece of the reason:
// package audit, which gives that, knows of no flags.
var remedies = []struct{ reason, remedy string }{
	{"counting took longer", "--timeout TIME gives each statement longer. --count-up-to ROWS takes the database's estimates of larger tables, and counts nothing there."},
	{"no privilege to read", "To count takes GRANT SELECT on the table, and on those that it links, for the role."},
	{"row-level security", "Row-level security hides nothing from a role with BYPASSRLS."},
}

// advice is what helps, once for each kind of reason.
func advice(unseen []audit.Unseen) (all []string) {
	for _, r := range remedies {
		if slices.ContainsFunc(unseen, func(u audit.Unseen) bool { return strings.Contains(u.Reason, r.reason) }) {
			all = append(all, r.remedy)
		}
	}
	return all
}
