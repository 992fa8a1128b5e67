package audittest

import "github.com/m2msafe/m2msafe/audit"

// Given are options with a join table that is known: of each end the column, its table and
// the column there.
func Given(table string, a, b []string) audit.Options {
	end := func(e []string) audit.End {
		return audit.End{Columns: e[:1], Table: e[1], References: e[2:]}
	}
	return audit.Options{Joins: []audit.JoinTable{{Name: table, Ends: [2]audit.End{end(a), end(b)}}}}
}

// Lookup are options with nothing but lookups.
func Lookup(columns ...string) audit.Options {
	return audit.Options{Joins: []audit.JoinTable{}, Lookups: columns}
}
