package pgcluster

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

const folderPrefix = "m2msafe-pg-"

// account is the user that runs the programs; nil means the current one.
type account struct {
	name     string
	uid, gid int
}

// serverAccount returns the account to run the server as: initdb and postgres
// refuse to run as root.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return &account{name: name, uid: uid, gid: gid}, nil
		}
	}
	return nil, errors.New("pgcluster: PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("pgcluster: %w", err)
	}
	return nil
}

// makeFolder makes the cluster's folder and takes its lock. It removes folders
// whose lock nobody holds any more: what a killed process has left.
func makeFolder(a *account) (dir string, lock *os.File, err error) {
	base, err := tempBase(a)
	if err != nil {
		return "", nil, err
	}
	sweep(base)
	dir, err = os.MkdirTemp(base, folderPrefix)
	if err != nil {
		return "", nil, fmt.Errorf("pgcluster: %w", err)
	}
	if err = a.own(dir); err == nil {
		lock, err = takeLock(dir)
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, lock, nil
}

// tempBase returns a folder for temporary files that the account can enter. A
// TMPDIR inside root's home is a common case of one that it cannot.
func tempBase(a *account) (string, error) {
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
	return "", fmt.Errorf("pgcluster: no folder for temporary files that user %s can enter among %q", a.name, candidates)
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
