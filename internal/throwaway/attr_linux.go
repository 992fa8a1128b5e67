package throwaway

import "syscall"

// attributes runs a program as the account and has the kernel send it a signal
// when the thread that started it ends, which Spawn keeps for as long as the
// process. The process group of its own keeps the terminal's Ctrl-C from the
// server: who started it stops it.
func attributes(a *Account, signal syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: signal, Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} // #nosec G115 -- user and group ids fit
	}
	return attr
}
