package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/app-sre/git-partition-sync/internal/child"
)

// findTemporal returns the path of the Temporal CLI: beside this program, or else on the PATH.
func findTemporal() (string, error) {
	if self, err := os.Executable(); err == nil {
		if beside, err := exec.LookPath(filepath.Join(filepath.Dir(self), "temporal")); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath("temporal")
	if err != nil {
		return "", errors.New("temporal is neither beside this program nor on the PATH")
	}
	return path, nil
}

// program is a running one of the programs that make up a side.
type program struct {
	name string
	*child.Process
}

// start runs this program as another one. What it prints goes to where this one prints.
func (s *side) start(name string, args ...string) (program, error) {
	self, err := os.Executable()
	if err != nil {
		return program{}, fmt.Errorf("start %s: %w", name, err)
	}
	cmd := exec.Command(self, append([]string{name}, args...)...) //nolint:gosec // the names and flags are ours
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ, os.Stdout, os.Stderr
	p, err := child.Start(cmd)
	if err != nil {
		return program{}, fmt.Errorf("start %s: %w", name, err)
	}
	return program{name, p}, nil
}

// errInterrupted is that this program was told to end.
var errInterrupted = errors.New("interrupted")

// wait returns when p has ended: its error, unless it exited with status 0. It fails when ctx is done, or one of those that
// p cannot do without has ended, and then ends p.
func (p program) wait(ctx context.Context, patience time.Duration, needed ...program) error {
	ended := make(chan program, len(needed))
	watching, done := context.WithCancel(ctx)
	defer done()
	for _, n := range needed {
		go func() {
			select {
			case <-n.Exited():
				ended <- n
			case <-watching.Done():
			}
		}()
	}
	select {
	case <-p.Exited():
		return p.failure()
	case n := <-ended:
		_ = p.Stop(patience)
		return n.endedByItself()
	case <-ctx.Done():
		_ = p.Stop(patience)
		return errInterrupted
	}
}

// endedByItself is the failure of a program that was to run on. It waits for the program's end.
func (p program) endedByItself() error {
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s ended by itself: %w", p.name, err)
	}
	return fmt.Errorf("%s ended by itself", p.name)
}

// failure waits for the end of the program.
func (p program) failure() error {
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
