package pgcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// BinEnv names the environment variable that holds the folder of the
// PostgreSQL programs to use. When it is set nothing else is looked at.
const BinEnv = "M2MSAFE_POSTGRES_BIN"

// ErrNoPrograms is returned by [Start] and [Programs] when this machine has no
// PostgreSQL server programs (initdb and postgres).
var ErrNoPrograms = errors.New("pgcluster: no PostgreSQL server programs (initdb, postgres) on this machine")

// installFolders are the places where packages put a server that they do not
// put on PATH: Debian, Red Hat, Alpine, Homebrew on ARM and on Intel.
var installFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// Programs returns the folder that holds initdb and postgres.
func Programs() (string, error) {
	if dir := os.Getenv(BinEnv); dir != "" {
		if !hasPrograms(dir) {
			return "", fmt.Errorf("%w: %s is %q, which does not hold both", ErrNoPrograms, BinEnv, dir)
		}
		// The server's user has another working folder.
		return filepath.Abs(dir)
	}
	for _, dir := range programFolders() {
		if hasPrograms(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: looked on PATH, in pg_config --bindir and in %s",
		ErrNoPrograms, strings.Join(installFolders, ", "))
}

// programFolders lists the folders to look into, the most deliberate first.
func programFolders() []string {
	var dirs []string
	if found, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(found))
		// A lone postgres on PATH is often a link into the whole installation.
		if target, err := filepath.EvalSymlinks(found); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	var installed []string
	for _, pattern := range installFolders {
		matches, err := filepath.Glob(pattern)
		if err == nil {
			installed = append(installed, matches...)
		}
	}
	return append(dirs, newestFirst(installed)...)
}

var versionInPath = regexp.MustCompile(`(?:postgresql[@/]?|pgsql-)(\d+)(?:\.(\d+))?`)

// newestFirst orders by the version in the path, as a number: 9.6 is older
// than 15. Paths without a version come last.
func newestFirst(dirs []string) []string {
	version := func(dir string) int {
		m := versionInPath.FindStringSubmatch(filepath.ToSlash(dir))
		if m == nil {
			return -1
		}
		major, _ := strconv.Atoi(m[1])
		minor, _ := strconv.Atoi(m[2])
		return major*1000 + minor
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	return dirs
}

func hasPrograms(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(program(dir, name))
		if err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

func program(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}
