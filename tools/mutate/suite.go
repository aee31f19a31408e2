package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// underLimit runs a program in 4 GiB of address space at most: some mutants fill all memory that there is before they time out.
const underLimit = `ulimit -v 4194304 && exec "$0" "$@"`

// Suite is a package and its tests.
type Suite struct {
	ImportPath, Name, Dir              string
	GoFiles, TestImports, XTestImports []string

	scratch   string            // a folder for what is built
	program   string            // the tests of the package as it is, and of all changes that wait for their numbers
	budget    time.Duration     // of the processor's time, for the tests of a change
	patience  time.Duration     // for tests that take no time: the machine does other things as well
	tests     []Test            // cheapest first
	testFlags []string          // for the test binary
	sources   map[string][]byte // by path
}

// load finds the package, and runs its tests once as they are. Its scratch folder is the caller's to remove.
func load(pattern, scratch string, o options) (*Suite, error) {
	listed, err := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,TestImports,XTestImports", pattern).Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	s := &Suite{scratch: scratch, budget: o.budget, patience: 15 * time.Second, sources: map[string][]byte{}}
	if err := json.Unmarshal(listed, s); err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	if o.short {
		s.testFlags = []string{"-test.short"}
	}
	if slices.Contains(slices.Concat(s.TestImports, s.XTestImports), "pgregory.net/rapid") {
		// That a mutant dies is enough: the smallest input that kills it is not looked for, nor kept.
		s.testFlags = append(s.testFlags, "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	}
	return s, s.measure(o)
}

// Mutants lists those of the files that were written by hand; no files means all of them. A file is named as "put.go", or as "put.go:17" for one line of it.
func (s *Suite) Mutants(files []string) (found []Mutant, err error) {
	number := 0
	for _, name := range s.GoFiles {
		path := filepath.Join(s.Dir, name)
		if s.sources[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, s.sources[path], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if ast.IsGenerated(file) {
			continue
		}
		for _, m := range Find(fset, path, file, s.sources[path]) {
			number++
			m.Number = number
			if len(files) == 0 || slices.Contains(files, name) || slices.Contains(files, place(name, m.Line)) {
				found = append(found, m)
			}
		}
	}
	return found, nil
}

// Try runs the tests that run the changed line.
func (s *Suite) Try(m Mutant) (Fate, error) {
	tests, program := s.tests, s.program
	if m.In != nil {
		if tests = noticing(tests, m); len(tests) == 0 {
			return NotCovered, nil
		}
	}
	if m.Alone {
		program = filepath.Join(s.scratch, strconv.Itoa(m.Number))
		defer os.Remove(program)
		if _, err := s.compile(program, map[string][]byte{m.File: m.Apply(s.sources[m.File])}); err != nil {
			return NotViable, nil
		}
	}
	for _, step := range steps(within(s.budget, tests)) {
		if fate, err := s.tryTwice(program, step, m.Number); err != nil || fate == Killed {
			return fate, err
		}
	}
	return Lived, nil
}

// tryTwice counts as killed only what fails again: a test that also fails now and then without the change has noticed nothing.
// For tests that took too long, the second time is as long as the machine needs for them now, as they are, and ten times that.
func (s *Suite) tryTwice(program string, tests []Test, number int) (Fate, error) {
	limit := s.patience
	for _, t := range tests {
		limit += 10 * t.Takes
	}
	_, err := s.run(program, tests, number, limit)
	if errors.Is(err, context.DeadlineExceeded) {
		began := time.Now()
		if _, err := s.run(s.program, tests, 0, time.Hour); err != nil {
			return "", fmt.Errorf("the tests fail as they are: %w", err)
		}
		limit = s.patience + 10*time.Since(began)
	}
	if err != nil {
		_, err = s.run(program, tests, number, limit)
	}
	var failed *exec.ExitError
	switch {
	case err == nil:
		return Lived, nil
	case errors.As(err, &failed), errors.Is(err, context.DeadlineExceeded):
		return Killed, nil
	default:
		return "", fmt.Errorf("run the tests of %s: %w", s.ImportPath, err)
	}
}

// run returns the processor's time. It fails with an exec.ExitError when a test does, and with context.DeadlineExceeded when the time is up.
func (s *Suite) run(program string, tests []Test, number int, limit time.Duration, flags ...string) (costs time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	only := "-test.run=^(" + strings.Join(names(tests), "|") + ")$"
	cmd := exec.CommandContext(ctx, "sh", slices.Concat([]string{"-c", underLimit, program, only, "-test.failfast"}, s.testFlags, flags)...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), numberVariable+"="+strconv.Itoa(number))
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Run()
	if cmd.Process != nil { // the servers that a failed test has left behind
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if cmd.ProcessState != nil {
		costs = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil && ctx.Err() != nil {
		return costs, ctx.Err()
	}
	return costs, err
}
