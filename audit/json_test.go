package audit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who reads the report by a program goes through its lists.
func TestJSONHasListsAndNoNull(t *testing.T) {
	for _, r := range []Report{{}, {Tables: []JoinTable{{}}, Findings: []Finding{{Severity: Note}}, Unseen: []Unseen{{}}}} {
		for _, v := range []any{r, &r} {
			text, err := json.Marshal(v)
			require.NoError(t, err)
			require.NotContains(t, string(text), "null")
			for _, name := range []string{"tables", "findings", "unseen"} {
				require.Contains(t, string(text), `"`+name+`":[`)
			}
			var back Report
			require.NoError(t, json.Unmarshal(text, &back))
			again, err := json.Marshal(back)
			require.NoError(t, err)
			require.JSONEq(t, string(text), string(again))
		}
	}
	text, err := json.Marshal(Report{Findings: []Finding{{Severity: Note, Rows: -1}}})
	require.NoError(t, err)
	require.JSONEq(t, `{"database": "", "tables": [], "unseen": [], "findings": [{
		"rule": "", "severity": "note", "table": "", "columns": [], "relation": "", "title": "", "story": "",
		"rows": -1, "estimated": false, "fix": [], "undo": []}]}`, string(text))
}
