// Package throwaway runs servers that nothing outlives: each in a folder of its
// own, as a user that is not root, ended with the process that has started it. On
// Linux the kernel sees to that, however the process dies; the folder that such a
// death leaves is removed by the next one of the same kind.
package throwaway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the user that runs the programs; nil means the current one.
type Account struct {
	name     string
	uid, gid int
}

// ServerAccount returns the account to run a server as where this process is
// root's: the first of these users that is there. Servers refuse to run as root.
func ServerAccount(names ...string) (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return &Account{name: name, uid: uid, gid: gid}, nil
		}
	}
	return nil, fmt.Errorf("throwaway: the server does not run as root, and there is none of the users %q to run it as", names)
}

// Own gives a file to the account.
func (a *Account) Own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("throwaway: %w", err)
	}
	return nil
}

// Run has cmd run as the account, in a folder that it can enter (the caller's may
// be closed to it), and be sent a signal when this process ends.
func (a *Account) Run(cmd *exec.Cmd, dir string, signal syscall.Signal) *exec.Cmd {
	cmd.Dir, cmd.SysProcAttr = dir, attributes(a, signal)
	return cmd
}

// Folder is a server's.
type Folder struct {
	Dir  string
	lock *os.File
}

// MakeFolder makes a folder, whose name begins with prefix, and takes its lock. It
// removes those of the same prefix whose lock nobody holds any more: what a killed
// process has left.
func MakeFolder(prefix string, a *Account) (f *Folder, err error) {
	base, err := tempBase(a)
	if err != nil {
		return nil, err
	}
	sweep(base, prefix)
	dir, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return nil, fmt.Errorf("throwaway: %w", err)
	}
	f = &Folder{Dir: dir}
	if err = a.Own(dir); err == nil {
		f.lock, err = takeLock(dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return f, nil
}

// Remove removes the folder, and gives back its lock. A nil Folder has nothing to
// remove.
func (f *Folder) Remove() error {
	if f == nil {
		return nil
	}
	err := os.RemoveAll(f.Dir)
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// FreePort is a port of the loopback interface that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// tempBase returns a folder for temporary files that the account can enter. A
// TMPDIR inside root's home is a common case of one that it cannot.
func tempBase(a *Account) (string, error) {
	candidates := []string{os.TempDir()}
	if a != nil {
		candidates = append(candidates, "/tmp", "/var/tmp")
	}
	for _, dir := range candidates {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err == nil && (a == nil || openToAll(real)) {
			return real, nil
		}
	}
	return "", fmt.Errorf("throwaway: no folder for temporary files that user %s can enter among %q", a.name, candidates)
}

// openToAll tells whether any user can reach dir. Access by ownership or by
// ACL is not looked at: then another candidate serves.
func openToAll(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
