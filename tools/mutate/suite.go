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
	Killed     Fate = "killed"      // a test failed, or took ten times as long as all of them
	Lived      Fate = "LIVED"       // all tests passed
	NotCovered Fate = "not covered" // no test runs the line, or what depends on the condition
	NotViable  Fate = "not viable"  // it does not compile
)

// minTimeLimit is for tests that take no time: the machine does other things as well.
const minTimeLimit = 30 * time.Second

// underLimit runs a program in 4 GiB of address space at most: some mutants fill all memory that there is before they time out.
const underLimit = `ulimit -v 4194304 && exec "$0" "$@"`

// Suite is a package and its tests.
type Suite struct {
	ImportPath, Dir                    string
	GoFiles, TestImports, XTestImports []string

	flags   []string // for the test binary
	limit   time.Duration
	sources map[string][]byte // by path
	covered map[string]bool   // by file name and line
}

// load finds the package, and runs its tests once as they are.
func load(pattern string, flags []string) (*Suite, error) {
	listed, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,TestImports,XTestImports", pattern).Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	s := &Suite{flags: append([]string{"-test.failfast"}, flags...), sources: map[string][]byte{}}
	if err := json.Unmarshal(listed, s); err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	if slices.Contains(slices.Concat(s.TestImports, s.XTestImports), "pgregory.net/rapid") {
		// That a mutant dies is enough: the smallest input that kills it is not looked for, nor kept.
		s.flags = append(s.flags, "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	}
	return s, s.cover()
}

func (s *Suite) cover() error {
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	profile := filepath.Join(scratch, "profile")
	args := append([]string{"test", "-count=1", "-vet=off", "-coverprofile", profile, s.ImportPath, "-args"}, s.flags...)
	begun := time.Now()
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("the tests of %s fail as they are: %w\n%s", s.ImportPath, err, out)
	}
	s.limit = max(minTimeLimit, 10*time.Since(begun))
	text, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	s.covered = coveredLines(string(text))
	return nil
}

// coveredLines reads lines such as "module/package/file.go:12.30,14.2 1 7": the last number counts the runs.
func coveredLines(profile string) map[string]bool {
	covered := map[string]bool{}
	for line := range strings.Lines(profile) {
		name, rest, _ := strings.Cut(line, ":")
		var first, last, column, statements, runs int
		if n, _ := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &first, &column, &last, &column, &statements, &runs); n != 6 || runs == 0 {
			continue
		}
		for ; first <= last; first++ {
			covered[place(name, first)] = true
		}
	}
	return covered
}

func place(file string, line int) string { return fmt.Sprintf("%s:%d", filepath.Base(file), line) }

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

// Try builds the tests over the changed file, and runs them.
func (s *Suite) Try(m Mutant) (Fate, error) {
	if len(s.covered) > 0 && !s.covered[place(m.File, m.Runs)] && s.inFunction(m) {
		return NotCovered, nil
	}
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	changed, overlay, tests := filepath.Join(scratch, "changed.go"), filepath.Join(scratch, "overlay.json"), filepath.Join(scratch, "tests")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {m.File: changed}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(changed, m.Apply(s.sources[m.File]), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	if exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", tests, s.ImportPath).Run() != nil {
		return NotViable, nil
	}
	return s.run(tests)
}

func (s *Suite) run(tests string) (Fate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", underLimit, tests}, s.flags...)...)
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
