//go:build unix

package pgtest

import (
	"os/exec"
	"syscall"
)

// detach keeps the terminal's Ctrl-C from cmd, which is to outlive this process.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
