package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// smallStep is how long tests take that are run together: a program has to be started for each step.
const smallStep = time.Second

// Test is a test function of the package, run alone.
type Test struct {
	Name  string
	Takes time.Duration
	Runs  map[string]bool // the lines, by file name and number
}

// measure runs each test of the package that the pattern names. Go keeps what it measured until the package or what the test reads changes.
func (s *Suite) measure(pattern string, workers int) error {
	listed, err := exec.Command("go", "test", "-vet=off", "-list", pattern, s.ImportPath).CombinedOutput()
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w\n%s", s.ImportPath, err, listed)
	}
	names := regexp.MustCompile(`(?m)^(Test|Fuzz|Example)\w*$`).FindAllString(string(listed), -1)
	s.tests = make([]Test, len(names))
	failures := make([]error, len(names))
	var wait sync.WaitGroup
	free := make(chan struct{}, workers)
	for i, name := range names {
		free <- struct{}{}
		wait.Go(func() {
			s.tests[i], failures[i] = s.measureOne(name)
			<-free
		})
	}
	wait.Wait()
	slices.SortFunc(s.tests, func(a, b Test) int { return int(a.Takes - b.Takes) })
	return errors.Join(failures...)
}

func (s *Suite) measureOne(name string) (Test, error) {
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return Test{}, err
	}
	defer os.RemoveAll(scratch)
	profile := filepath.Join(scratch, "profile")
	args := append([]string{"test", "-vet=off", "-ldflags=-s -w", "-v", "-run", "^" + name + "$", "-coverprofile", profile}, s.testFlags...)
	out, err := exec.Command("go", append(args, s.ImportPath)...).CombinedOutput()
	if err != nil {
		return Test{}, fmt.Errorf("%s of %s fails as it is: %w\n%s", name, s.ImportPath, err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return Test{}, err
	}
	return Test{Name: name, Takes: takes(string(out)), Runs: coveredLines(string(text))}, nil
}

// takes adds up what a test and its subtests say they took. A test does not say how long those took that ran in parallel.
func takes(output string) (total time.Duration) {
	for _, passed := range regexp.MustCompile(`(?m)^ *--- PASS: .* \((\d+\.\d+)s\)$`).FindAllStringSubmatch(output, -1) {
		seconds, _ := strconv.ParseFloat(passed[1], 64)
		total += time.Duration(seconds * float64(time.Second))
	}
	return total
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

// noticing has the tests that can notice a mutant: those that run its line.
func noticing(tests []Test, m Mutant) (can []Test) {
	for _, t := range tests {
		if t.Runs[place(m.File, m.Runs)] {
			can = append(can, t)
		}
	}
	return can
}

// steps divides tests, shortest first, so that most mutants are noticed by the first step and none waits for a long test beside a short one.
func steps(tests []Test) (divided [][]Test) {
	for len(tests) > 0 {
		n, took := 1, tests[0].Takes
		for n < len(tests) && took+tests[n].Takes < smallStep {
			took += tests[n].Takes
			n++
		}
		divided, tests = append(divided, tests[:n]), tests[n:]
	}
	return divided
}

func names(tests []Test) (names []string) {
	for _, t := range tests {
		names = append(names, t.Name)
	}
	return names
}
