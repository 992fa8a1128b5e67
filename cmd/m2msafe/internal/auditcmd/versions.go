package auditcmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// clock is how a time is a version.
const clock = "20060102150405"

// migrations are the files that goose and golang-migrate take for some.
var migrations = regexp.MustCompile(`^([0-9]+)_.+\.(?:sql|go)$`)

// version is that of a file.
type version struct {
	number int64
	digits int
	file   string // "" if there is none
}

// lastVersion is the highest version of a folder.
func lastVersion(folder string) (last version, err error) {
	last.number = -1
	entries, err := os.ReadDir(folder)
	if err != nil {
		return last, err
	}
	for _, entry := range entries {
		name := migrations.FindStringSubmatch(entry.Name())
		if name == nil || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		if number, err := strconv.ParseInt(name[1], 10, 63); err == nil && number > last.number {
			last = version{number, len(name[1]), entry.Name()}
		}
	}
	return last, nil
}

// next is the name of a file with the version behind it.
func (v version) next(title string) string {
	return fmt.Sprintf("%0*d_%s.sql", v.digits, v.number+1, title)
}

// freshName is that of a file in a folder: with the time as its version, unless somebody's
// clock is ahead.
func freshName(folder string, now time.Time) string {
	const title = "m2msafe_audit"
	text := now.UTC().Format(clock)
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		if last, err := lastVersion(folder); err == nil && last.number >= number {
			return last.next(title)
		}
	}
	return text + "_" + title + ".sql"
}

// name is that of the file of the step at an index.
func (m *migration) name(index int, direction string) string {
	title := m.title
	if index > 0 {
		title = fmt.Sprintf("%s_%d", m.title, index+1)
	}
	return filepath.Join(filepath.Dir(m.path), fmt.Sprintf("%0*d_%s%s.sql", m.digits, m.version+int64(index), title, direction))
}
