package auditcmd

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/itchyny/gojq"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// fieldsOf are the paths of a type's fields in JSON. A type that was met before is not
// gone into again.
func fieldsOf(t reflect.Type, path string, met map[reflect.Type]bool) (all []string) {
	for ; t.Kind() == reflect.Slice || t.Kind() == reflect.Array; t = t.Elem() {
		path += "[]"
	}
	if path != "" {
		all = append(all, path)
	}
	if t.Kind() != reflect.Struct || met[t] {
		return all
	}
	met[t] = true
	for i := range t.NumField() {
		all = append(all, fieldsOf(t.Field(i).Type, path+"."+t.Field(i).Tag.Get("json"), met)...)
	}
	return all
}

func TestDocsHaveTheFieldsOfTheReport(t *testing.T) {
	page, err := os.ReadFile(docs + "audit.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(page), "<!-- fields -->\n")
	require.True(t, ok)
	part, _, _ := strings.Cut(rest, "<!-- end -->")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| \\S").FindAllStringSubmatch(part, -1) {
		documented = append(documented, row[1])
	}
	require.Equal(t, append(fieldsOf(reflect.TypeFor[audit.Report](), "", map[reflect.Type]bool{}), ".ignored"), documented)

	// They are there, also where a report is empty: jq fails at a null where it wants a list.
	for _, r := range []*audit.Report{{}, sample()} {
		_, stdout, _ := call(t, &Command{Format: "json"}, func(audit.Options) (*audit.Report, error) { return r, nil })
		for _, path := range documented {
			for _, value := range jq(t, path, stdout) {
				require.NotNil(t, value, path)
			}
		}
	}
}

// jq runs a program of jq's, by another one's hand.
func jq(t *testing.T, program, input string) (values []any) {
	t.Helper()
	query, err := gojq.Parse(program)
	require.NoError(t, err, program)
	var document any
	require.NoError(t, json.Unmarshal([]byte(input), &document))
	for results := query.Run(document); ; {
		value, ok := results.Next()
		if !ok {
			return values
		}
		if err, failed := value.(error); failed {
			require.NoError(t, err, program)
		}
		values = append(values, value)
	}
}

func TestDocsLineOfJQ(t *testing.T) {
	page, err := os.ReadFile(docs + "audit.md")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^    \./m2msafe audit DSN --format json \| jq -r '(.*)'$`).FindStringSubmatch(string(page))
	require.NotNil(t, line)
	_, stdout, _ := call(t, &Command{Format: "json"}, found)
	require.Equal(t, []any{"user_groups\tduplicate-pairs\t35", "user_groups\tno-unique-key\t1204311"}, jq(t, line[1], stdout))
	require.Equal(t, "[-1]", fmt.Sprint(jq(t, `[.findings[] | select(.rule == "no-foreign-key") | .rows][]`, stdout)))
}

// The library's report has the same JSON as the command's, but for what the call left out.
func TestJSONOfTheLibraryIsTheCommands(t *testing.T) {
	for _, r := range []*audit.Report{{}, sample()} {
		text, err := json.Marshal(r)
		require.NoError(t, err)
		_, stdout, _ := call(t, &Command{Format: "json"}, func(audit.Options) (*audit.Report, error) { return r, nil })
		var library, command map[string]any
		require.NoError(t, json.Unmarshal(text, &library))
		require.NoError(t, json.Unmarshal([]byte(stdout), &command))
		delete(command, "ignored")
		require.Equal(t, command, library)
	}
}
