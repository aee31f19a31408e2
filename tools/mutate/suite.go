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
	"strings"
	"syscall"
	"time"
)

// Fate is what became of a mutant.
type Fate string

const (
	Killed     Fate = "killed"      // a test failed, or took ten times as long as it does
	Lived      Fate = "LIVED"       // all tests passed that run the line
	NotCovered Fate = "not covered" // no test runs the line, or what depends on the condition
	NotViable  Fate = "not viable"  // it does not compile
)

// minTimeLimit is for tests that take no time: the machine does other things as well.
const minTimeLimit = 15 * time.Second

// underLimit runs a program in 4 GiB of address space at most: some mutants fill all memory that there is before they time out.
const underLimit = `ulimit -v 4194304 && exec "$0" "$@"`

// Suite is a package and its tests.
type Suite struct {
	ImportPath, Dir                    string
	GoFiles, TestImports, XTestImports []string

	tests     []Test            // shortest first
	testFlags []string          // for the test binary
	sources   map[string][]byte // by path
}

// load finds the package, and runs its tests once as they are.
func load(pattern string, o options) (*Suite, error) {
	listed, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,TestImports,XTestImports", pattern).Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	s := &Suite{sources: map[string][]byte{}}
	if err := json.Unmarshal(listed, s); err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	if o.short {
		s.testFlags = []string{"-test.short"}
	}
	if err := s.measure(o.run, o.workers); err != nil {
		return nil, err
	}
	s.testFlags = append(s.testFlags, "-test.failfast")
	if slices.Contains(slices.Concat(s.TestImports, s.XTestImports), "pgregory.net/rapid") {
		// That a mutant dies is enough: the smallest input that kills it is not looked for, nor kept.
		s.testFlags = append(s.testFlags, "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	}
	return s, nil
}

// Mutants lists those of the files that were written by hand; no files means all of them.
func (s *Suite) Mutants(files []string) (found []Mutant, err error) {
	for _, name := range s.GoFiles {
		if len(files) > 0 && !slices.Contains(files, name) {
			continue
		}
		path := filepath.Join(s.Dir, name)
		if s.sources[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, s.sources[path], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if !ast.IsGenerated(file) {
			found = append(found, Find(fset, path, file, s.sources[path])...)
		}
	}
	return found, nil
}

// Try builds the tests over the changed file, and runs those that run the changed line.
func (s *Suite) Try(m Mutant) (Fate, error) {
	tests := s.tests
	if s.inFunction(m) {
		if tests = noticing(tests, m); len(tests) == 0 {
			return NotCovered, nil
		}
	}
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	changed, overlay, program := filepath.Join(scratch, "changed.go"), filepath.Join(scratch, "overlay.json"), filepath.Join(scratch, "program")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {m.File: changed}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(changed, m.Apply(s.sources[m.File]), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	if exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program, s.ImportPath).Run() != nil {
		return NotViable, nil
	}
	for _, step := range steps(tests) {
		if fate, err := s.run(program, step); err != nil || fate == Killed {
			return fate, err
		}
	}
	return Lived, nil
}

func (s *Suite) run(program string, tests []Test) (Fate, error) {
	limit := minTimeLimit
	for _, t := range tests {
		limit += 10 * t.Takes
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	only := "-test.run=^(" + strings.Join(names(tests), "|") + ")$"
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", underLimit, program, only}, s.testFlags...)...)
	cmd.Dir = s.Dir
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := cmd.Run()
	if cmd.Process != nil { // the servers that a failed test has left behind
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	var failed *exec.ExitError
	switch {
	case err == nil:
		return Lived, nil
	case errors.As(err, &failed), ctx.Err() != nil:
		return Killed, nil
	default:
		return "", fmt.Errorf("run the tests of %s: %w", s.ImportPath, err)
	}
}

// inFunction tells whether coverage says anything of the line: it is silent about declarations.
func (s *Suite) inFunction(m Mutant) bool {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, m.File, s.sources[m.File], parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && fset.Position(f.Pos()).Offset <= m.Start && m.Start < fset.Position(f.End()).Offset {
			return true
		}
	}
	return false
}
