package pgcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a started program. One goroutine waits for it; done is closed, and
// err set, when it has ended.
type process struct {
	pid    int
	handle *os.Process
	done   chan struct{}
	err    error
}

// spawn starts cmd from a goroutine that keeps its OS thread until cmd has
// ended. The kernel's parent-death signal means the death of the thread that
// forked: a thread that went back to Go's pool could be locked, and ended, by
// any other goroutine of the program.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid, p.handle = cmd.Process.Pid, cmd.Process
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop asks for an immediate shutdown (the server ends its children and frees
// its shared memory), and kills what does not obey.
func (p *process) stop() error {
	if err := p.handle.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = p.handle.Kill() // where there are no signals (Windows) there is only this
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopLimit):
	}
	_ = p.handle.Kill()
	<-p.done
	return fmt.Errorf("process %d did not stop within %v and was killed", p.pid, stopLimit)
}
