package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/perf/benchfmt"

	"github.com/m2msafe/m2msafe/bench/internal/report"
	"github.com/m2msafe/m2msafe/bench/internal/workload"
)

// measured are the modules whose versions matter for the figures.
var measured = []string{
	"gorm.io/gorm", "gorm.io/driver/postgres", "github.com/jackc/pgx/v5",
	"entgo.io/ent", "github.com/uptrace/bun", "github.com/Shopify/toxiproxy/v2",
}

// about says of what the results are: it heads each file of them.
func about(ctx context.Context, admin *pgx.Conn, c *runCommand, size workload.Size) ([]benchfmt.Config, error) {
	server, err := serverAbout(ctx, admin)
	if err != nil {
		return nil, err
	}
	command := "`make bench`"
	if len(c.Suites) > 0 || c.Quick {
		command = "`" + strings.Join(append([]string{"bench"}, os.Args[1:]...), " ") + "`"
	}
	pairs := [][2]string{
		{report.RunKey, time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"command", command},
		{"seed", strconv.FormatUint(c.Seed, 10)},
		{"stored", strconv.Itoa(size.Users / 2 * size.Stored)},
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{"go", runtime.Version()},
		{"cpu", proc("/proc/cpuinfo", "model name")},
		{"cores", strconv.Itoa(runtime.NumCPU())},
		{"memory", proc("/proc/meminfo", "MemTotal")},
		{"system", system()},
		{"load", load()},
		{"commit", commit(ctx)},
	}
	pairs = append(pairs, server...)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("the program does not know its modules")
	}
	for _, name := range measured {
		for _, module := range info.Deps {
			if module.Path == name {
				pairs = append(pairs, [2]string{report.ModuleKey(name), module.Version})
			}
		}
	}
	var config []benchfmt.Config
	for _, p := range pairs {
		config = append(config, benchfmt.Config{Key: p[0], Value: []byte(p[1]), File: true})
	}
	return config, nil
}

// serverAbout asks the server for its version and for the settings that the
// figures depend on.
func serverAbout(ctx context.Context, admin *pgx.Conn) ([][2]string, error) {
	var names []string
	for _, s := range settings {
		name, _, _ := strings.Cut(s, "=")
		names = append(names, name)
	}
	var list []string
	for _, name := range names {
		var value string
		if err := admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return nil, err
		}
		list = append(list, name+"="+value)
	}
	var version string
	err := admin.QueryRow(ctx, "SELECT 'PostgreSQL ' || current_setting('server_version')").Scan(&version)
	return [][2]string{{"postgres", version}, {"settings", strings.Join(list, ", ")}}, err
}

// unknown is said where the machine does not tell.
const unknown = "unknown"

// proc reads a line of one of Linux's files.
func proc(file, name string) string {
	text, err := os.ReadFile(path.Clean(file))
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func system() string {
	name := strings.Trim(osRelease(), `"`)
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return name
	}
	return name + ", Linux " + strings.TrimSpace(string(kernel))
}

func osRelease() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return unknown
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// commit is the plugin's, with a mark if a file in the tree differs from it.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=10").Output()
	if err != nil {
		return unknown
	}
	return "commit " + strings.TrimSpace(string(out))
}
