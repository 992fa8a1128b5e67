// Package pgbouncer runs a throwaway pgbouncer in front of a PostgreSQL server, in
// transaction mode: two transactions of one client may be in two sessions.
package pgbouncer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/m2msafe/m2msafe/internal/throwaway"
)

const (
	program    = "/usr/sbin/pgbouncer"
	readyLimit = 20 * time.Second
)

// Pooler is a running pgbouncer.
type Pooler struct {
	folder  *throwaway.Folder
	process *throwaway.Process
	port    int

	stopOnce sync.Once
	stopErr  error
}

// Start puts one in front of the server of a DSN, whose user and password are its
// clients'. ctx bounds the start only.
func Start(ctx context.Context, dsn string) (_ *Pooler, err error) {
	server, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	account, err := throwaway.ServerAccount("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	p := &Pooler{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if p.folder, err = throwaway.MakeFolder("m2msafe-pgbouncer-", account); err != nil {
		return nil, err
	}
	if p.port, err = throwaway.FreePort(); err != nil {
		return nil, err
	}
	files := map[string]string{
		"users": fmt.Sprintf("%q %q\n", server.User, server.Password),
		"ini": fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = 16
max_client_conn = 500
`, server.Host, server.Port, p.port, p.file("users")),
	}
	for name, text := range files {
		if err := os.WriteFile(p.file(name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("pgbouncer: %w", err)
		}
		if err := account.Own(p.file(name)); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(p.file("log"))
	if err != nil {
		return nil, fmt.Errorf("pgbouncer: %w", err)
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(program, p.file("ini"))
	cmd.Stdout, cmd.Stderr = log, log
	if p.process, err = throwaway.Spawn(account.Run(cmd, p.folder.Dir, syscall.SIGKILL)); err != nil {
		return nil, fmt.Errorf("pgbouncer: %w", err)
	}
	if err := p.waitReady(ctx); err != nil {
		text, _ := os.ReadFile(p.file("log"))
		return nil, fmt.Errorf("pgbouncer: it did not start: %w\n%s", err, text)
	}
	return p, nil
}

// Port is where it listens, on 127.0.0.1.
func (p *Pooler) Port() uint16 { return uint16(p.port) }

// Stop ends it, waits for that and removes its folder. Further calls return what the
// first returned.
func (p *Pooler) Stop() error {
	p.stopOnce.Do(func() {
		var errs []error
		if p.process != nil {
			errs = append(errs, p.process.Stop(syscall.SIGKILL))
		}
		p.stopErr = errors.Join(append(errs, p.folder.Remove())...)
	})
	return p.stopErr
}

func (p *Pooler) file(name string) string { return filepath.Join(p.folder.Dir, name) }

func (p *Pooler) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.process.Done:
			return errors.Join(errors.New("it ended"), p.process.Err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
