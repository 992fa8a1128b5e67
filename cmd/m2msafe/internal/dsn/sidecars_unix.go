//go:build unix

package dsn

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// sidecars sees to the files that SQLite makes beside one in WAL mode, also to read it
// only: as another's than the owner's they keep the owner from writing. For root they are
// made as the owner's, by which SQLite does not make them; another user is told what to do.
func sidecars(path string, user int) error {
	if behind, err := filepath.EvalSymlinks(path); err == nil {
		path = behind // as SQLite does
	}
	var missing []string
	for _, name := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(name); os.IsNotExist(err) {
			missing = append(missing, name)
		}
	}
	info, err := os.Stat(path)
	if err != nil || len(missing) == 0 || !inWAL(path) {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == user {
		return nil
	}
	if user != 0 {
		return fmt.Errorf("%s is another user's, and in WAL mode: to read it makes files beside it, by which its owner could not write to it any more\n"+
			"run this as its owner, or copy it (and %s-wal, if that is there) and audit the copy", path, filepath.Base(path))
	}
	for _, name := range missing {
		if err := makeFor(name, info.Mode().Perm(), owner); err != nil {
			return fmt.Errorf("%s can't be made as its owner's: %w", name, err)
		}
	}
	return nil
}

// makeFor makes an empty file of an owner's, unless there is one.
func makeFor(name string, mode os.FileMode, owner *syscall.Stat_t) error {
	made, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, mode) // #nosec G304 -- beside the user's own file
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = made.Close() }() // nothing was written
	if err := made.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		_ = os.Remove(name) // what it was made for has failed
		return err
	}
	return made.Chmod(mode)
}

// inWAL says whether a file's header says so, see www.sqlite.org/fileformat.html; it is
// not asked of one that can't be read.
func inWAL(path string) bool {
	file, err := os.Open(path) // #nosec G304 -- the user's own file
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // it was only read
	var header [20]byte
	_, err = io.ReadFull(file, header[:])
	return err == nil && header[18] == 2 && header[19] == 2
}
