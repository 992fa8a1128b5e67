// Package mariadb makes throwaway servers from the MariaDB programs that are
// installed on this machine: single ones, and Galera clusters. They listen on the
// loopback interface only, ask for a random password, do not sync to disk, and end
// with the process that has started them.
package mariadb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	// The server is asked whether it is ready.
	_ "github.com/go-sql-driver/mysql"

	"github.com/m2msafe/m2msafe/internal/throwaway"
)

const (
	folderPrefix = "m2msafe-mariadb-"
	user         = "m2msafe"
	readyLimit   = 60 * time.Second
)

// ErrNoPrograms is returned where this machine has no MariaDB server.
var ErrNoPrograms = errors.New("mariadb: no MariaDB server programs (mariadbd, mariadb-install-db) on this machine")

// Server is a running server.
type Server struct {
	folder   *throwaway.Folder
	account  *throwaway.Account
	password string
	port     int
	settings []string
	process  *throwaway.Process

	stopOnce sync.Once
	stopErr  error
}

// Start makes a server and returns once it takes connections. ctx bounds the start
// only. Settings, each "--name=value", come behind the package's own.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	s, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.launch(ctx, settings...); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// DSN is that of a database, for go-sql-driver, as its users write it: times as
// time.Time in UTC.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("%s:%s@tcp(127.0.0.1:%d)/%s?charset=utf8mb4&parseTime=true&loc=UTC", user, s.password, s.port, database)
}

// Addr is the server's address, for what stands between it and a client.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Crash kills the server. What it has handed to the operating system is not lost. By
// this package's settings InnoDB hands its log over once a second, so that the last
// COMMITs may be lost; with "--innodb-flush-log-at-trx-commit=2" none is. Folder and
// port stay for [Server.Restart]. It is not safe for use beside Restart or Stop.
func (s *Server) Crash() error { return s.process.Stop(syscall.SIGKILL) }

// Restart starts the server again after [Server.Crash], on its port and with its data,
// and returns once it takes connections.
func (s *Server) Restart(ctx context.Context) error { return s.launch(ctx, s.settings...) }

// Stop ends the server at once, waits for it and removes its folder. Further calls
// return what the first returned.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() {
		var errs []error
		if s.process != nil {
			errs = append(errs, s.process.Stop(syscall.SIGKILL))
		}
		s.stopErr = errors.Join(append(errs, s.folder.Remove())...)
	})
	return s.stopErr
}

func (s *Server) file(name string) string { return filepath.Join(s.folder.Dir, name) }

// prepare makes a server's folder and data.
func prepare(ctx context.Context) (_ *Server, err error) {
	for _, program := range []string{"mariadb-install-db", "mariadbd"} {
		if _, err := find(program); err != nil {
			return nil, err
		}
	}
	s := &Server{password: rand.Text()}
	if s.account, err = throwaway.ServerAccount("mysql", "nobody"); err != nil {
		return nil, err
	}
	if s.folder, err = throwaway.MakeFolder(folderPrefix, s.account); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.folder.Remove())
		}
	}()
	if s.port, err = throwaway.FreePort(); err != nil {
		return nil, err
	}
	install, _ := find("mariadb-install-db")
	// A server that starts deletes the temporary tables that it finds: another's, in a
	// folder for all.
	cmd := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+s.file("data"), "--tmpdir="+s.folder.Dir, "--auth-root-authentication-method=normal", "--skip-test-db")
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	p, err := throwaway.Spawn(s.account.Run(cmd, s.folder.Dir, syscall.SIGKILL))
	if err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	if <-p.Done; p.Err != nil {
		return nil, fmt.Errorf("mariadb: install: %w\n%s", errors.Join(p.Err, ctx.Err()), out)
	}
	init := "CREATE OR REPLACE USER " + user + "@'127.0.0.1' IDENTIFIED BY '" + s.password + "'; GRANT ALL ON *.* TO " + user + "@'127.0.0.1' WITH GRANT OPTION; DROP USER IF EXISTS root@'127.0.0.1', root@'::1';\n"
	if err := os.WriteFile(s.file("init.sql"), []byte(strings.ReplaceAll(init, "; ", ";\n")), 0o600); err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	return s, s.account.Own(s.file("init.sql"))
}

// launch starts the server and waits until it is ready.
func (s *Server) launch(ctx context.Context, settings ...string) error {
	s.settings = settings
	log, err := os.Create(s.file("log"))
	if err != nil {
		return fmt.Errorf("mariadb: %w", err)
	}
	defer log.Close() // the server has its own descriptor
	mariadbd, err := find("mariadbd")
	if err != nil {
		return err
	}
	cmd := exec.Command(mariadbd, append([]string{
		"--no-defaults", "--datadir=" + s.file("data"), "--tmpdir=" + s.folder.Dir, "--socket=" + s.file("socket"), "--pid-file=" + s.file("pid"),
		"--port=" + strconv.Itoa(s.port), "--bind-address=127.0.0.1", "--init-file=" + s.file("init.sql"),
		"--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=64M",
		"--max-connections=300", "--skip-name-resolve", "--character-set-server=utf8mb4", "--default-time-zone=+00:00",
	}, settings...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = throwaway.Spawn(s.account.Run(cmd, s.folder.Dir, syscall.SIGKILL)); err != nil {
		return fmt.Errorf("mariadb: %w", err)
	}
	if err := s.waitReady(ctx); err != nil {
		err = errors.Join(err, s.Crash())
		text, _ := os.ReadFile(s.file("log"))
		return fmt.Errorf("mariadb: the server did not start: %w\n%s", err, text)
	}
	return nil
}

// waitReady asks until the server answers; of a node of Galera, that it is synced.
func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	pool, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return err
	}
	defer pool.Close()
	for {
		var name, value string
		err := pool.QueryRowContext(ctx, "SHOW STATUS LIKE 'wsrep_ready'").Scan(&name, &value)
		var on string
		if err == nil {
			err = pool.QueryRowContext(ctx, "SELECT @@GLOBAL.wsrep_on").Scan(&on)
		}
		if err == nil && (value == "ON" || on == "0") {
			return nil
		}
		select {
		case <-s.process.Done:
			return errors.Join(errors.New("it ended"), s.process.Err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// find looks where packages put programs, too: not all of that is on PATH.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"} {
		if path := filepath.Join(dir, program); exec.Command("test", "-x", path).Run() == nil {
			return path, nil
		}
	}
	return "", ErrNoPrograms
}
