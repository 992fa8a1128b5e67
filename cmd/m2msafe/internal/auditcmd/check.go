package auditcmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// orders are what a call asks for, read.
type orders struct {
	migration *migration // nil without --fix
	failOn    audit.Severity
	ignored   []ignored
}

// check reads a call, and refuses what can't be done before the database is asked: a report
// of ten minutes should find its file.
func (c *Command) check() (*orders, error) {
	if c.DSN == "" {
		return nil, fmt.Errorf("no DSN: give one, or set %s\na DSN is: %s", DSNEnv, dsn.Forms)
	}
	if !slices.Contains(Formats, c.Format) {
		return nil, fmt.Errorf("no format is called %q; there are: %s", c.Format, strings.Join(Formats, ", "))
	}
	if c.Timeout <= 0 || c.CountUpTo < 1 {
		return nil, fmt.Errorf("--timeout %v, --count-up-to %d: they take more than nothing", c.Timeout, c.CountUpTo)
	}
	for _, lookup := range c.Lookups {
		if table, column, ok := strings.Cut(lookup, "."); !ok || table == "" || column == "" {
			return nil, fmt.Errorf("--lookup %s: it takes TABLE.COLUMN", lookup)
		}
	}
	o := &orders{failOn: audit.Note}
	if c.FailOn != "" {
		if err := o.failOn.UnmarshalText([]byte(c.FailOn)); err != nil {
			return nil, fmt.Errorf("--fail-on %s: there are: error, warning, note", c.FailOn)
		}
	}
	for _, text := range c.Ignore {
		i, err := parseIgnored(text)
		if err != nil {
			return nil, err
		}
		o.ignored = append(o.ignored, i)
	}
	for name, path := range map[string]string{"--html": c.HTML, "--fix": c.Fix} {
		if path == "-" {
			return nil, fmt.Errorf("%s -: give a file's name; standard output is the report's", name)
		}
	}
	if c.Fix == "" && c.FixFormat != "" && c.FixFormat != FixFormats[0] {
		return nil, fmt.Errorf("--fix-format %s: there is no --fix FILE to write", c.FixFormat)
	}
	if c.Fix != "" {
		var err error
		if o.migration, err = newMigration(c.Fix, c.FixFormat, c.Now()); err != nil {
			return nil, err
		}
	}
	if c.HTML != "" {
		if err := writable(c.HTML); err != nil {
			return nil, fmt.Errorf("--html: %w", err)
		}
	}
	return o, nil
}
