package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page says what is kept, of every engine, and that nothing has failed.
func TestPageIsThatOfTheKeptRuns(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	results, err := load(docs)
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(docs, "engines.md"))
	require.NoError(t, err)
	require.Equal(t, string(write(results)), string(page), `"go run ./internal/engines page" in compat writes it`)
	for name, r := range results {
		require.Contains(t, known(), name, "docs/engines holds the run of an engine that is no more")
		require.Empty(t, r.Failed, name)
		require.Positive(t, r.Passed, name)
	}
	require.GreaterOrEqual(t, len(results), 10)
}

func TestReadCountsTheTestsThatHaveNoneBelow(t *testing.T) {
	lines := `{"Action":"output","Test":"TestEngine/x/suite","Output":"    compat.go:1: engine: X 1.0\n"}
{"Action":"pass","Test":"TestEngine/x/suite/A/one"}
{"Action":"output","Test":"TestEngine/x/suite/A/two","Output":"    a_test.go:7: it has none\n"}
{"Action":"skip","Test":"TestEngine/x/suite/A/two"}
{"Action":"pass","Test":"TestEngine/x/suite/A"}
{"Action":"output","Test":"TestEngine/y","Output":"    run.go:7: make test-engine\n"}
{"Action":"skip","Test":"TestEngine/y"}
{"Action":"pass","Test":"TestEngine/x/suite"}
{"Action":"pass","Test":"TestEngine/x"}
{"Action":"pass","Test":"TestEngine"}
{"Action":"pass","Elapsed":2.5}
`
	r, err := read("x", strings.NewReader(lines), io.Discard)
	require.NoError(t, err)
	require.Equal(t, &result{Engine: "x", Version: "X 1.0", Passed: 1, Skipped: map[string][]string{"it has none": {"A/two"}}, Seconds: 2.5}, r)

	failed, err := read("x", strings.NewReader(strings.Replace(lines, `"pass","Test":"TestEngine/x/suite/A/one"`, `"fail","Test":"TestEngine/x/suite/A/one"`, 1)), io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"TestEngine/x/suite/A/one"}, failed.Failed)

	_, err = read("x", strings.NewReader(`{"Action":"skip","Test":"TestEngine/x"}
{"Action":"pass"}
`), io.Discard)
	require.ErrorContains(t, err, "no test of engine x has run")

	crashed, err := read("x", strings.NewReader(`{"Action":"fail"}
`), io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"the run itself"}, crashed.Failed)
}
