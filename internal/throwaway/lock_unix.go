//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package throwaway

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// takeLock marks dir as in use for as long as this process lives. The file gets
// its name only once it is locked, so that sweep never sees it free in between.
func takeLock(dir string) (*os.File, error) {
	fresh := filepath.Join(dir, "lock.new")
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // #nosec G304 -- in a folder of our own
	if err != nil {
		return nil, fmt.Errorf("throwaway: %w", err)
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		err = os.Rename(fresh, filepath.Join(dir, "lock"))
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("throwaway: lock %s: %w", dir, err)
	}
	return f, nil
}

// sweep removes the folders of processes that died before they could. It is a
// courtesy: what cannot be removed is left, and no error of this start.
func sweep(base, prefix string) {
	dirs, err := filepath.Glob(filepath.Join(base, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		// The folder may be anybody's: follow no link, wait for no pipe.
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // #nosec G304 -- looked at, not read
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}
