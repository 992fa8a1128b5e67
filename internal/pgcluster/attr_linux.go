package pgcluster

import "syscall"

// attributes runs a program as the account and has the kernel stop it when the
// thread that started it ends, which spawn keeps for as long as the process.
// SIGQUIT is PostgreSQL's immediate shutdown. The process group of its own keeps
// the terminal's Ctrl-C from the server: who started it stops it.
func attributes(a *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
