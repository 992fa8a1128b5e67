//go:build !unix

package pgcluster

import "syscall"

// attributes has nothing to set: only root on Unix needs another account.
func attributes(*account) *syscall.SysProcAttr { return nil }
