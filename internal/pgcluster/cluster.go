// Package pgcluster makes a throwaway PostgreSQL cluster from the programs that
// are installed on this machine: no container engine, no service, nothing that
// outlives its use.
//
// The server listens on a free port of the loopback interface only, asks for a
// random password, and does not sync to disk: it is for tests and
// demonstrations, its data is not meant to survive. On Linux the kernel stops
// the server when the process that started it dies, however it dies; the folder
// that such a death leaves is removed by the next [Start].
package pgcluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/m2msafe/m2msafe/internal/throwaway"
)

const (
	folderPrefix = "m2msafe-pg-"

	superuser = "postgres"
	database  = "postgres"

	// immediate is PostgreSQL's signal for an immediate shutdown: it ends its
	// children and frees its shared memory.
	immediate = syscall.SIGQUIT

	portTries  = 5
	portPause  = 100 * time.Millisecond
	readyLimit = 60 * time.Second
	stopLimit  = 10 * time.Second
)

// Cluster is a running PostgreSQL server with a data folder of its own.
type Cluster struct {
	bin      string
	folder   *throwaway.Folder
	password string
	port     int
	settings []string
	account  *throwaway.Account
	server   *throwaway.Process

	stopOnce sync.Once
	stopErr  error
}

// Start makes a cluster and returns once it takes connections. ctx bounds the
// start only: a cluster that was returned runs until [Cluster.Stop]. Without
// PostgreSQL programs the error is [ErrNoPrograms]; where the server does not
// come up the error holds its log. Settings, each "name=value", come behind the
// package's own, so that one of the same name wins.
func Start(ctx context.Context, settings ...string) (*Cluster, error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	return start(ctx, bin, throwaway.FreePort, settings...)
}

// StartIn is Start with the programs of a folder.
func StartIn(ctx context.Context, bin string, settings ...string) (*Cluster, error) {
	return start(ctx, bin, throwaway.FreePort, settings...)
}

// start takes the choice of the port as an argument because the race for it
// (another process binds it first) must be provoked to be tested.
func start(ctx context.Context, bin string, pickPort func() (int, error), settings ...string) (_ *Cluster, err error) {
	c := &Cluster{bin: bin, password: rand.Text(), settings: settings}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if c.account, err = throwaway.ServerAccount("postgres", "nobody"); err != nil {
		return nil, err
	}
	if c.folder, err = throwaway.MakeFolder(folderPrefix, c.account); err != nil {
		return nil, err
	}
	if err = c.initdb(ctx); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		if c.port, err = pickPort(); err != nil {
			return nil, fmt.Errorf("pgcluster: no free port: %w", err)
		}
		err = c.launch(ctx)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, errPortTaken) || try == portTries {
			return nil, err
		}
	}
}

// DSN returns a keyword connection string for the cluster's superuser.
func (c *Cluster) DSN() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=disable",
		c.port, superuser, c.password, database)
}

// Addr returns the server's address, for what stands between it and a client.
func (c *Cluster) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }

// Stop ends the server at once, without a checkpoint, waits for it and removes
// its folder. Further calls return what the first returned.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		var errs []error
		if c.server != nil {
			errs = append(errs, c.server.Stop(immediate))
		}
		errs = append(errs, c.folder.Remove())
		if err := errors.Join(errs...); err != nil {
			c.stopErr = fmt.Errorf("pgcluster: stop: %w", err)
		}
	})
	return c.stopErr
}

// Crash ends the server at once, as an immediate shutdown does: sessions are cut off
// wherever they are, nothing is written any more. What it has handed to the operating
// system is not lost: fsync matters to a machine that goes down. But by this package's
// settings a COMMIT is answered before that (synchronous_commit=off), so that the last
// ones may be lost; with "synchronous_commit=on" none is. Folder and port stay
// for [Cluster.Restart]. It is not safe for use beside Restart or Stop.
func (c *Cluster) Crash() error {
	if err := c.server.Stop(immediate); err != nil {
		return fmt.Errorf("pgcluster: crash: %w", err)
	}
	return nil
}

// Restart starts the server again after [Cluster.Crash], on its port and with its
// data, and returns once it takes connections. Whoever has taken the port meanwhile is
// waited for a little.
func (c *Cluster) Restart(ctx context.Context) error {
	for try := 1; ; try++ {
		err := c.launch(ctx)
		if !errors.Is(err, errPortTaken) || try == portTries {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(portPause):
		}
	}
}

func (c *Cluster) data() string    { return filepath.Join(c.folder.Dir, "data") }
func (c *Cluster) logFile() string { return filepath.Join(c.folder.Dir, "log") }

func (c *Cluster) initdb(ctx context.Context) error {
	passwords := filepath.Join(c.folder.Dir, "password")
	if err := os.WriteFile(passwords, []byte(c.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("pgcluster: %w", err)
	}
	if err := c.account.Own(passwords); err != nil {
		return err
	}
	locale := "C.UTF-8"
	if runtime.GOOS != "linux" {
		locale = "C" // C.UTF-8 is not everywhere; with C only the sort order of text is the same
	}
	cmd := exec.CommandContext(ctx, program(c.bin, "initdb"), // #nosec G204 -- to run it is what this is for
		"--pgdata="+c.data(), "--username="+superuser, "--pwfile="+passwords,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale="+locale, "--no-sync")
	// Killed outright, it would leave its own child to write into the folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopLimit
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := throwaway.Spawn(c.command(cmd))
	if err != nil {
		return fmt.Errorf("pgcluster: %w", err)
	}
	if <-p.Done; p.Err != nil {
		return fmt.Errorf("pgcluster: initdb: %w\n%s", errors.Join(p.Err, ctx.Err()), &out)
	}
	return os.Remove(passwords)
}

var errPortTaken = errors.New("pgcluster: the port was taken by another process")

// launch starts the server on c.port and waits until it is ready.
func (c *Cluster) launch(ctx context.Context) error {
	log, err := os.Create(c.logFile())
	if err != nil {
		return fmt.Errorf("pgcluster: %w", err)
	}
	defer log.Close() // the server has its own descriptor

	args := []string{"-D", c.data()}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(c.port),
		"unix_socket_directories=",
		"fsync=off",
		"synchronous_commit=off",
		"full_page_writes=off",
		"max_connections=200",
		"max_prepared_transactions=20",
		"timezone=UTC",
		"log_timezone=UTC",
	}, c.settings...) {
		args = append(args, "-c", setting)
	}
	cmd := c.command(exec.Command(program(c.bin, "postgres"), args...)) // #nosec G204 -- to run it is what this is for
	cmd.Stdout, cmd.Stderr = log, log
	if c.server, err = throwaway.Spawn(cmd); err != nil {
		return fmt.Errorf("pgcluster: %w", err)
	}
	if err := c.waitReady(ctx); err != nil {
		err = errors.Join(err, c.server.Stop(immediate))
		text, _ := os.ReadFile(c.logFile())
		if strings.Contains(string(text), "could not bind") {
			err = errors.Join(errPortTaken, err)
		}
		return fmt.Errorf("pgcluster: the server did not start: %w\n%s", err, text)
	}
	return nil
}

// waitReady reads the server's own word: the eighth line of postmaster.pid says
// "ready" once connections are taken, and the first says whose file it is.
func (c *Cluster) waitReady(ctx context.Context) error {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
		if err == nil {
			lines := strings.Split(string(text), "\n")
			if len(lines) > 7 && lines[0] == strconv.Itoa(c.server.PID) && strings.TrimSpace(lines[7]) == "ready" {
				return nil
			}
		}
		select {
		case <-c.server.Done:
			return errors.Join(errors.New("it ended"), c.server.Err)
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return fmt.Errorf("not ready within %v", readyLimit)
		case <-tick.C:
		}
	}
}

// command gives cmd the server's account, folder and a clean environment.
func (c *Cluster) command(cmd *exec.Cmd) *exec.Cmd {
	for _, entry := range os.Environ() {
		// PGDATA, PGPORT and the like, and the caller's language, would show through.
		if !strings.HasPrefix(entry, "PG") && !strings.HasPrefix(entry, "LC_") && !strings.HasPrefix(entry, "LANG") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	return c.account.Run(cmd, c.folder.Dir, immediate)
}
