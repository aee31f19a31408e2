package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// smallStep is what tests cost that are run together: a program has to be started for each step.
const smallStep = time.Second

// Test is a test function of the package, run alone.
type Test struct {
	Name  string
	Costs time.Duration // of the processor's time, which is about the same on a busy machine
	Takes time.Duration
	Runs  map[string]bool // the lines, by file name and number
}

// measure runs each test of the package that the pattern names, alone.
func (s *Suite) measure(o options) error {
	program := filepath.Join(s.scratch, "covered")
	if out, err := s.compile(program, nil, "-cover"); err != nil {
		return fmt.Errorf("build the tests of %s: %w\n%s", s.ImportPath, err, out)
	}
	list := exec.Command(program, "-test.list="+o.run)
	list.Dir = s.Dir
	listed, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w", s.ImportPath, err)
	}
	names := regexp.MustCompile(`(?m)^(Test|Fuzz|Example)\w*$`).FindAllString(string(listed), -1)
	s.tests = make([]Test, len(names))
	failures := make([]error, len(names))
	var wait sync.WaitGroup
	free := make(chan struct{}, o.workers)
	for i, name := range names {
		free <- struct{}{}
		wait.Go(func() {
			s.tests[i], failures[i] = s.measureOne(program, name)
			<-free
		})
	}
	wait.Wait()
	slices.SortFunc(s.tests, func(a, b Test) int { return cmp.Compare(a.Costs, b.Costs) })
	return errors.Join(failures...)
}

func (s *Suite) measureOne(program, name string) (Test, error) {
	profile := filepath.Join(s.scratch, name)
	var (
		costs, took time.Duration
		err         error
	)
	for range 2 { // a test that fails now and then does not end the work of hours
		began := time.Now()
		if costs, err = s.run(program, []Test{{Name: name}}, 0, time.Hour, "-test.coverprofile="+profile); err == nil {
			took = time.Since(began)
			break
		}
	}
	if err != nil {
		return Test{}, fmt.Errorf("%s of %s fails as it is: %w", name, s.ImportPath, err)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return Test{}, err
	}
	return Test{Name: name, Costs: costs, Takes: took, Runs: coveredLines(string(text))}, nil
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

// within leaves out the most expensive tests, but for the first one: together the others cost no more than the budget.
func within(budget time.Duration, tests []Test) []Test {
	n := min(1, len(tests))
	for spent := time.Duration(0); n < len(tests); n++ {
		if spent += tests[n-1].Costs; spent+tests[n].Costs > budget {
			break
		}
	}
	return tests[:n]
}

// steps divides tests, cheapest first, so that most mutants are noticed by the first step and none waits for an expensive test beside a cheap one.
func steps(tests []Test) (divided [][]Test) {
	for len(tests) > 0 {
		n, spent := 1, tests[0].Costs
		for n < len(tests) && spent+tests[n].Costs < smallStep {
			spent += tests[n].Costs
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
