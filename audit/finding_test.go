package audit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSeveritiesAreTexts(t *testing.T) {
	for _, s := range []Severity{Note, Warning, Error} {
		text, err := json.Marshal(Finding{Severity: s})
		require.NoError(t, err)
		require.Contains(t, string(text), `"severity":"`+s.String()+`"`)
		var back Finding
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, s, back.Severity)
	}
	var s Severity
	require.EqualError(t, s.UnmarshalText([]byte("fatal")), `audit: no severity: "fatal"`)
	require.Zero(t, s)
	require.Equal(t, "Severity(7)", Severity(7).String())
}
