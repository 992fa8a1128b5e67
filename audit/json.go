package audit

import "encoding/json"

// MarshalJSON implements json.Marshaler: of lists there is always one, also where nothing is
// in it.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	r.Tables, r.Findings, r.Unseen = filled(r.Tables), filled(r.Findings), filled(r.Unseen)
	return json.Marshal(plain(r))
}

// MarshalJSON implements json.Marshaler, as [Report.MarshalJSON] does.
func (f Finding) MarshalJSON() ([]byte, error) {
	type plain Finding
	f.Columns, f.Fix, f.Undo = filled(f.Columns), filled(f.Fix), filled(f.Undo)
	return json.Marshal(plain(f))
}

// MarshalJSON implements json.Marshaler, as [Report.MarshalJSON] does.
func (t JoinTable) MarshalJSON() ([]byte, error) {
	type plain JoinTable
	t.SoftDelete = filled(t.SoftDelete)
	return json.Marshal(plain(t))
}

// MarshalJSON implements json.Marshaler, as [Report.MarshalJSON] does.
func (e End) MarshalJSON() ([]byte, error) {
	type plain End
	e.Columns, e.References = filled(e.Columns), filled(e.References)
	return json.Marshal(plain(e))
}

// filled is a list that JSON has as one, and not as null.
func filled[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
