// Package child runs programs that do not outlive this one.
package child

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const pollInterval = 10 * time.Millisecond

// Process is a running program.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once err is set
	err    error
}

// Start runs the command. It is killed when this process ends in any way, and gets
// no Ctrl-C from the terminal: whoever started it stops it, when its turn has come.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = time.Second // for what the program may have started itself and left
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) run(started chan<- error) {
	// Linux sends the parent-death signal when the thread that forked ends, not
	// when the process does, so that thread must outlive the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.err = p.cmd.Wait()
		close(p.exited)
	}
}

// StartServer is Start, and returns once ready does without an error. A program that is not ready within the timeout is killed.
func StartServer(ctx context.Context, cmd *exec.Cmd, timeout time.Duration, ready func(context.Context) error) (*Process, error) {
	p, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := p.Await(ctx, ready); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// PID is the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the program has ended, in whatever way.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err waits until the program has ended, and is nil when it exited with status 0.
func (p *Process) Err() error {
	<-p.exited
	return p.err
}

// Await returns once ready does without an error. It fails when the program ends first,
// and with what ready said last when ctx does.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("exited before it was ready: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w: %w", context.Cause(ctx), err)
		case <-poll.C:
		}
	}
}

// AnswersOK is for Await: the program is ready once a GET of the URL is answered with 200.
func AnswersOK(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("health check: %s", resp.Status)
		}
		return nil
	}
}

// Stop asks the program to end (SIGTERM), kills it when it has not after patience,
// and returns what Err does. The program may have ended already.
func (p *Process) Stop(patience time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.Kill()
	}
	return p.Err()
}

// Kill ends the program at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}
