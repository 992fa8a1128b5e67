package auditcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/m2msafe/m2msafe/audit"
)

// writable says whether a file can be written, and leaves it as it was.
func writable(path string) error {
	_, before := os.Stat(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644) // #nosec G302 G304 -- the user's own path, and no secret
	if err != nil {
		return err
	}
	err = file.Close()
	if errors.Is(before, os.ErrNotExist) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// page writes the report as a page, in the place of an older one.
func (c *Command) page(r *report) (err error) {
	file, err := os.Create(c.HTML)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return writeHTML(file, r, c.Now())
}

// fix writes the migration, and says on standard error what it has written.
func fix(m *migration, r *report, stderr io.Writer) error {
	findings := slices.DeleteFunc(slices.Clone(r.Findings), func(f audit.Finding) bool { return len(f.Fix) == 0 })
	if len(findings) == 0 {
		fmt.Fprintln(stderr, "m2msafe: there is nothing to mend, so --fix wrote nothing")
		return nil
	}
	paths, err := m.write(findings)
	for _, path := range paths {
		fmt.Fprintf(stderr, "m2msafe: wrote %s\n", path)
	}
	return err
}

// write writes the report in one of Formats. Of an audit that failed only SARIF says so.
func (c *Command) write(w io.Writer, r *report, failures []string) error {
	switch {
	case c.Format == "sarif":
		return writeSARIF(w, r, failures)
	case r == nil:
		return nil
	case c.Format == "json":
		return writeJSON(w, r)
	}
	return writeText(w, r, c.Width, c.Color)
}

// plainReport is a report whose JSON can be added to.
type plainReport audit.Report

// writeJSON writes the report for programs.
func writeJSON(w io.Writer, r *report) error {
	all := struct {
		plainReport
		Ignored int `json:"ignored"`
	}{plainReport(*r.Report), len(r.ignored)}
	all.Tables, all.Findings = append([]audit.JoinTable{}, r.Tables...), append([]audit.Finding{}, r.Findings...)
	all.Unseen = append([]audit.Unseen{}, r.Unseen...)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}
