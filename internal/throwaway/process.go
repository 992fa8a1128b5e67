package throwaway

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a started program. One goroutine waits for it.
type Process struct {
	PID    int
	Done   chan struct{} // closed when it has ended
	Err    error         // and then why
	handle *os.Process
}

const stopLimit = 10 * time.Second

// Spawn starts cmd from a goroutine that keeps its OS thread until cmd has
// ended. The kernel's parent-death signal means the death of the thread that
// forked: a thread that went back to Go's pool could be locked, and ended, by
// any other goroutine of the program.
func Spawn(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.PID, p.handle = cmd.Process.Pid, cmd.Process
		started <- nil
		p.Err = cmd.Wait()
		close(p.Done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Stop sends a signal that ends the process, waits for that, and kills what does not
// obey.
func (p *Process) Stop(signal syscall.Signal) error {
	if err := p.handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = p.handle.Kill() // where there are no signals (Windows) there is only this
	}
	select {
	case <-p.Done:
		return nil
	case <-time.After(stopLimit):
	}
	_ = p.handle.Kill()
	<-p.Done
	return fmt.Errorf("process %d did not stop within %v and was killed", p.PID, stopLimit)
}
