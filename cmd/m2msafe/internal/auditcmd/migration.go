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
		if err := m.free(sqlUndo(path), path); err != nil {
			return nil, err
		}
		return m, m.writable(path, sqlUndo(path))
	}
	if folder {
		m.path = filepath.Join(path, freshName(path, now))
	}
	name := versioned.FindStringSubmatch(filepath.Base(m.path))
	if name == nil {
		return nil, fmt.Errorf("--fix %s: %s wants VERSION_title.sql, as %s_m2msafe_audit.sql; or give the folder", path, format, now.UTC().Format(clock))
	}
	m.digits, m.title = len(name[1]), name[2]
	if m.version, err = strconv.ParseInt(name[1], 10, 63); err != nil {
		return nil, fmt.Errorf("--fix %s: its version is too large", path)
	}
	if err := m.unused(); err != nil {
		return nil, err
	}
	if format == "goose" {
		return m, m.writable(m.name(0, ""))
	}
	return m, m.writable(m.name(0, ".up"), m.name(0, ".down"))
}

func (m *migration) free(paths ...string) error {
	if info, err := os.Stat(filepath.Dir(m.path)); err != nil || !info.IsDir() {
		return fmt.Errorf("--fix: there is no folder %s", filepath.Dir(m.path))
	}
	for _, path := range paths {
		switch _, err := os.Lstat(path); {
		case err == nil:
			return fmt.Errorf("--fix: %s exists already, and is not written over", path)
		case !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("--fix: %w", err)
		}
	}
	return nil
}

// writable says whether files can be made that are not there.
func (m *migration) writable(paths ...string) error {
	for _, path := range paths {
		if err := writable(path); err != nil {
			return fmt.Errorf("--fix: %w", err)
		}
	}
	return nil
}

// runnerNames are of who runs a format whose files have versions. Neither runs a version below
// one that it has run: golang-migrate passes it over, and goose refuses it.
var runnerNames = map[string]string{"goose": "goose", "migrate": "golang-migrate"}

// unused refuses versions that are not above all of the folder.
func (m *migration) unused() error {
	if err := m.free(); err != nil {
		return err
	}
	last, err := lastVersion(filepath.Dir(m.path))
	if err != nil {
		return fmt.Errorf("--fix: %w", err)
	}
	if last.number >= m.version {
		return fmt.Errorf("--fix: %s is there, and %s runs versions in their order: take one above it, as %s",
			filepath.Join(filepath.Dir(m.path), last.file), runnerNames[m.format], last.next(m.title))
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
		if err := m.unused(); err != nil {
			return nil, err
		}
	}
	files, err := m.files(steps)
	if err != nil {
		return nil, fmt.Errorf("--fix: %w", err)
	}
	for _, f := range files {
		if err := create(f); err != nil {
			return paths, fmt.Errorf("--fix: %w", err)
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
