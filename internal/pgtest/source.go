package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/m2msafe/m2msafe/internal/pgcluster"
)

// The environment variables that choose the server; see the package comment.
const (
	dsnEnv    = "M2MSAFE_TEST_POSTGRES"
	imageEnv  = "M2MSAFE_TEST_POSTGRES_IMAGE"
	dockerEnv = "M2MSAFE_TEST_DOCKER"
)

// server is a running server: dsn is its administrator's.
type server struct {
	kind string
	dsn  string
	stop func() error
}

// source is one way to a server.
type source struct {
	name  string
	start func(context.Context) (*server, error)
}

// sources lists the ways to a server in the order to try them.
func sources(getenv func(string) string) []source {
	if dsn := getenv(dsnEnv); dsn != "" {
		return []source{{dsnEnv, func(ctx context.Context) (*server, error) { return fromDSN(ctx, dsn) }}}
	}
	docker := source{"Docker", func(ctx context.Context) (*server, error) {
		return fromDocker(ctx, getenv(imageEnv))
	}}
	switch mode := getenv(dockerEnv); mode {
	case "require":
		return []source{docker}
	case "off":
		return []source{{"cluster", fromCluster}, {"installed cluster", fromInstalled}}
	case "":
		return []source{docker, {"cluster", fromCluster}, {"installed cluster", fromInstalled}}
	default:
		return []source{{dockerEnv, func(context.Context) (*server, error) {
			return nil, fmt.Errorf(`the value is %q, not "", "off" or "require"`, mode)
		}}}
	}
}

// choose returns the first server to be had. If there is none the error holds
// every reason, and what a person can do.
func choose(ctx context.Context, from []source) (*server, error) {
	var errs []error
	for _, s := range from {
		srv, err := s.start(ctx)
		if err == nil {
			return srv, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
	}
	errs = append(errs, errors.New("to run these tests install PostgreSQL's server (Debian: postgresql; "+
		"Fedora: postgresql-server; Alpine: postgresql; Homebrew: postgresql@17), or start Docker, or set "+
		dsnEnv+" to the DSN of a server that may be written to"))
	return nil, fmt.Errorf("no PostgreSQL server:\n%w", errors.Join(errs...))
}

func fromDSN(ctx context.Context, dsn string) (*server, error) {
	db, err := open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	return &server{kind: "dsn", dsn: dsn, stop: func() error { return nil }}, db.Close()
}

func fromCluster(ctx context.Context) (*server, error) {
	c, err := pgcluster.Start(ctx)
	if err != nil {
		return nil, err
	}
	return &server{kind: "cluster", dsn: c.DSN(), stop: c.Stop}, nil
}

func fromInstalled(ctx context.Context) (*server, error) {
	if _, err := pgcluster.Programs(); err == nil {
		return nil, errors.New("nothing to install: the programs are there")
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("only root can install PostgreSQL")
	}
	if err := script(ctx, "install.sh"); err != nil {
		return nil, err
	}
	return fromCluster(ctx)
}

// script runs one of testdata/postgres, which is found from the tests' working
// folder upwards: the nested modules use it too.
func script(ctx context.Context, name string, args ...string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for {
		path := filepath.Join(dir, "testdata", "postgres", name)
		if _, err := os.Stat(path); err == nil {
			out := new(bytes.Buffer)
			cmd := exec.CommandContext(ctx, "bash", append([]string{path}, args...)...) // #nosec G204 -- a script of the repository
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w\n%s", name, err, out)
			}
			return nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return fmt.Errorf("no testdata/postgres/%s above the working folder", name)
		}
		dir = parent
	}
}
