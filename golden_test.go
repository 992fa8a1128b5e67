package m2msafe_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

var update = flag.Bool("update", false, "write what is sent into testdata/golden and docs/semantics.md")

// goldenFolder has a file a case. Its first line says why the case is there; it
// is written by hand, and a file without it is refused, by -update too.
const (
	goldenFolder = "testdata/golden"
	whyPrefix    = "-- why: "
)

// golden is a call with exactly what it sends to a real server, and what the
// server then holds.
type golden struct {
	name    string
	config  gorm.Config
	options []m2msafe.Option
	setup   func(t *testing.T, db *gorm.DB)
	call    func(db *gorm.DB) error
	logged  bool   // compare what GORM's logger is told: nothing is to be sent
	fails   error  // what the call is to fail with
	query   string // of what is stored afterwards; links if empty
	want    []string
}

func TestEveryStatementIsTheGoldenOne(t *testing.T) {
	files := map[string]bool{}
	for _, c := range goldenCases {
		files[c.name+".sql"] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
	found, err := os.ReadDir(goldenFolder)
	require.NoError(t, err)
	for _, f := range found {
		assert.True(t, files[f.Name()], "%s belongs to no case", f.Name())
	}
}

func (c golden) run(t *testing.T) {
	book := newLogbook()
	c.config.Logger = book
	db, rec := recorded(t, &c.config, c.options...)
	c.setup(t, db)
	rec.take()
	book.statements = nil

	err := c.call(db)
	if c.fails != nil {
		require.ErrorIs(t, err, c.fails)
	} else {
		require.NoError(t, err)
	}
	sent, logged := rec.take(), book.statements

	if c.query == "" {
		assert.Equal(t, c.want, links(t, db))
	} else {
		assert.Equal(t, c.want, stored(t, db, c.query))
	}
	var text strings.Builder
	if c.logged {
		for _, s := range sent {
			// GORM begins and ends its transaction in DryRun too.
			assert.Contains(t, []string{"catalogue", "BEGIN", "COMMIT"}, kinds([]statement{s})[0], s.SQL)
		}
		for _, s := range logged {
			fmt.Fprintf(&text, "\n%s;\n", s)
		}
	} else {
		for _, s := range sent {
			if !s.OfCatalogue() {
				text.WriteString(goldenText(s))
			}
		}
	}
	c.compare(t, schemaName.ReplaceAllString(text.String(), "other_schema"))
}

// schemaName is what otherSchema calls its schema, which can't be the same in
// each run.
var schemaName = regexp.MustCompile(`other_[0-9a-f]{16}`)

// goldenText is a statement with its parameters below.
func goldenText(s statement) string {
	text := "\n" + s.SQL + ";\n"
	for i, v := range s.Vars {
		switch v := v.(type) {
		case string:
			text += fmt.Sprintf("-- $%d = %q\n", i+1, v)
		case time.Time:
			text += fmt.Sprintf("-- $%d = time %s\n", i+1, v.Format(time.RFC3339Nano))
		default:
			text += fmt.Sprintf("-- $%d = %T %v\n", i+1, v, v)
		}
	}
	return text
}

func (c golden) compare(t *testing.T, got string) {
	path := filepath.Join(goldenFolder, c.name+".sql")
	file, err := os.ReadFile(path)
	require.NoError(t, err, "make the file with one line: %swhat the case is for", whyPrefix)
	why, want, _ := strings.Cut(string(file), "\n")
	reason, ok := strings.CutPrefix(why, whyPrefix)
	require.True(t, ok && len(strings.Fields(reason)) >= 4, "%s: the first line must say why the case is there: %q", path, whyPrefix)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(why+"\n"+got), 0o644))
		return
	}
	if want != got {
		t.Errorf("%s: %s\nif that is on purpose: go test -run Golden -update", path, firstDifference(want, got))
	}
}

// firstDifference shows two long texts where they part.
func firstDifference(want, got string) string {
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	from := max(0, at-80)
	return fmt.Sprintf("at byte %d\nwant: …%.200s…\ngot:  …%.200s…", at, want[from:], got[from:])
}

// docBlock is a statement that the documentation shows.
var docBlock = regexp.MustCompile("(?s)<!-- golden: ([\\w/]+) -->\n```sql\n(.*?)```\n")

// The documentation shows the statements of a golden file that look up, insert,
// link or lock, wrapped for reading.
func TestTheDocumentationShowsTheGoldenStatements(t *testing.T) {
	const path = "docs/semantics.md"
	doc, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotEmpty(t, docBlock.FindString(string(doc)), "%s has no golden block", path)
	blank := strings.NewReplacer(" ", "", "\n", "")
	fresh := docBlock.ReplaceAllStringFunc(string(doc), func(block string) string {
		found := docBlock.FindStringSubmatch(block)
		name, all := filepath.Join(goldenFolder, found[1]+".sql"), false
		if strings.Contains(found[1], "/") { // another module's
			name, all = found[1]+".sql", true
		}
		file, err := os.ReadFile(name)
		require.NoError(t, err, "%s shows a case that is not there", path)
		var shown []string
		for _, line := range strings.Split(string(file), "\n") {
			if all && line != "" && !strings.HasPrefix(line, "--") || strings.HasPrefix(line, "WITH ") || strings.HasPrefix(line, "INSERT INTO ") || strings.Contains(line, "pg_advisory_xact_lock") {
				shown = append(shown, line)
			}
		}
		require.NotEmpty(t, shown, "%s: the case links nothing", found[1])
		if !*update {
			if want, got := blank.Replace(strings.Join(shown, "")), blank.Replace(found[2]); want != got {
				t.Errorf("%s, golden: %s: %s\ngo test -run Golden -update writes it", path, found[1], firstDifference(want, got))
			}
			return block
		}
		return "<!-- golden: " + found[1] + " -->\n```sql\n" + wrap(strings.Join(shown, "\n")) + "\n```\n"
	})
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(fresh), 0o644))
	}
}

// lineBreaks are where the eye wants them.
var lineBreaks = regexp.MustCompile(` (FROM m2m_rows AS r|FROM m2m_asked WHERE s IN \('n'|FROM m2m_asked ORDER|FROM m2m_asked AS|LEFT JOIN|ON CONFLICT|RETURNING|ORDER BY k1|CASE|WHEN|ELSE|JOIN m2m_written)`)

func wrap(sql string) string {
	sql = strings.NewReplacer("), m2m_", "),\nm2m_", ") SELECT ", ")\nSELECT ", " UNION ALL ", "\nUNION ALL ").Replace(sql)
	return lineBreaks.ReplaceAllString(sql, "\n  $1")
}
