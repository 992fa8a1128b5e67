//go:build !unix

package throwaway

import "syscall"

// attributes has nothing to set: only root on Unix needs another account.
func attributes(*Account, syscall.Signal) *syscall.SysProcAttr { return nil }
