//go:build unix && !linux

package throwaway

import "syscall"

// attributes runs a program as the account. It stays in the caller's process
// group, so that Ctrl-C reaches it: there is no parent-death signal here.
func attributes(a *Account, _ syscall.Signal) *syscall.SysProcAttr {
	if a == nil {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}}
}
