package auditcmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

// FixFormats are the forms that a migration can be written in.
var FixFormats = []string{"sql", "goose", "migrate"}

// file is one to be written.
type file struct{ path, text string }

// migration is where and how the mending is written.
type migration struct {
	format string
	kind   string // of the database
	path   string // of the first file
	// version is that of the first step, where the format has versions; digits is how many
	// it is written with.
	version int64
	digits  int
	title   string
}

// versioned is a migration's name, as goose and golang-migrate know it; the directions
// of the latter may stand in it or not.
var versioned = regexp.MustCompile(`^([0-9]+)_(.+?)(?:\.(?:up|down))?\.sql$`)

// newMigration refuses what can't be written, before anything is looked at. An existing
// folder as path stands for a name with the time as its version.
func newMigration(path, format string, now time.Time) (*migration, error) {
	m := &migration{format: format, path: path}
	info, err := os.Stat(path)
	folder := err == nil && info.IsDir()
	if format == "sql" {
		if folder {
			return nil, fmt.Errorf("--fix %s: it is a folder, and plain SQL is written to a file", path)
		}
		return m, m.free(sqlUndo(path), path)
	}
	if folder {
		m.path = filepath.Join(path, now.UTC().Format("20060102150405")+"_m2msafe_audit.sql")
	}
	name := versioned.FindStringSubmatch(filepath.Base(m.path))
	if name == nil {
		return nil, fmt.Errorf("--fix %s: %s wants VERSION_title.sql, as %s_m2msafe_audit.sql; or give the folder", path, format, now.UTC().Format("20060102150405"))
	}
	m.digits, m.title = len(name[1]), name[2]
	if m.version, err = strconv.ParseInt(name[1], 10, 63); err != nil {
		return nil, fmt.Errorf("--fix %s: its version is too large", path)
	}
	return m, m.unused(1)
}

func (m *migration) free(paths ...string) error {
	if info, err := os.Stat(filepath.Dir(m.path)); err != nil || !info.IsDir() {
		return fmt.Errorf("--fix: there is no folder %s", filepath.Dir(m.path))
	}
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("--fix: %s exists already, and is not written over", path)
		}
	}
	return nil
}

// unused refuses versions that the folder has already.
func (m *migration) unused(steps int) error {
	if err := m.free(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(m.path))
	if err != nil {
		return fmt.Errorf("--fix: %w", err)
	}
	for _, entry := range entries {
		digits, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseInt(digits, 10, 63)
		if err == nil && version >= m.version && version < m.version+int64(steps) {
			return fmt.Errorf("--fix: %s has the version of a file to be written", filepath.Join(filepath.Dir(m.path), entry.Name()))
		}
	}
	return nil
}

// files are the migration's: of plain SQL two, else one or two a step.
func (m *migration) files(steps []step) ([]file, error) {
	switch m.format {
	case "sql":
		return []file{{m.path, m.plain(steps, false)}, {sqlUndo(m.path), m.plain(steps, true)}}, nil
	case "goose":
		return m.goose(steps)
	}
	return m.migrate(steps)
}

// write writes the migration, and returns the paths of its files.
func (m *migration) write(findings []audit.Finding) (paths []string, err error) {
	steps := stepsOf(m.kind, findings)
	if m.format != "sql" {
		if err := m.unused(len(steps)); err != nil {
			return nil, err
		}
	}
	files, err := m.files(steps)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := create(f); err != nil {
			return paths, err
		}
		paths = append(paths, f.path)
	}
	return paths, nil
}

// create writes a file that must not be there.
func create(f file) (err error) {
	to, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // #nosec G302 G304 -- the user's own path, and no secret
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	_, err = to.WriteString(f.text)
	return err
}

// name is that of the file of the step at an index.
func (m *migration) name(index int, direction string) string {
	title := m.title
	if index > 0 {
		title = fmt.Sprintf("%s_%d", m.title, index+1)
	}
	return filepath.Join(filepath.Dir(m.path), fmt.Sprintf("%0*d_%s%s.sql", m.digits, m.version+int64(index), title, direction))
}

// about are the comments above a step.
func about(s step) string {
	text := "-- " + comment(s.finding.Table) + ", " + string(s.finding.Rule) + ": " + comment(s.finding.Title)
	if s.parts > 1 {
		text += fmt.Sprintf(" (part %d of %d)", s.part, s.parts)
	}
	return text + "\n"
}

// comment is a text that stays in its line.
func comment(text string) string {
	return strings.ReplaceAll(show.Visible(text, false), "+goose", "+ goose") // which has commands in comments
}

// statement is one with its comment above.
func statement(s audit.Statement) string {
	return "-- " + comment(s.Why) + "\n" + s.SQL + ";\n"
}

func statements(all []audit.Statement) string {
	var out strings.Builder
	for _, s := range all {
		out.WriteString(statement(s))
	}
	return out.String()
}

// backwards are the steps from the last to the first.
func backwards(steps []step) []step {
	steps = slices.Clone(steps)
	slices.Reverse(steps)
	return steps
}
