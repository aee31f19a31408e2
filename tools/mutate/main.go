// Mutate makes small breaking changes to a package, one at a time, and runs the tests that run the changed
// line. A change that no test notices has lived: what it broke is not tested. All changes to functions are built
// into one program, and each waits for its number in the environment. The sources
// stay as they are; changed files are laid over them (go help build, -overlay).
//
//	mutate [-threshold 90] [-files put.go,prune.go:17] [-run PATTERN] [-short] [-budget 1m] PACKAGE...
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Fate is what became of a mutant.
type Fate string

const (
	Killed     Fate = "killed"      // a test failed twice, or took ten times as long as it does
	Lived      Fate = "LIVED"       // all tests passed that run the line
	NotCovered Fate = "not covered" // no test runs the line, or what depends on the condition
	NotViable  Fate = "not viable"  // it does not compile
)

type options struct {
	threshold float64
	files     []string
	run       string
	short     bool
	workers   int
	budget    time.Duration
}

func main() {
	var o options
	flag.Float64Var(&o.threshold, "threshold", 90, "fail when a smaller share of the changes is noticed, in percent")
	flag.IntVar(&o.workers, "workers", 2, "how many changes are tried at a time")
	flag.DurationVar(&o.budget, "budget", time.Minute, "what the tests of one change may cost of the processor's time, the cheapest first")
	files := flag.String("files", "", "change only these files, or lines of them, separated by commas: put.go,prune.go:17")
	flag.StringVar(&o.run, "run", ".", "run only the tests whose names match this")
	flag.BoolVar(&o.short, "short", false, "run the tests with -short")
	flag.Parse()
	if *files != "" {
		o.files = strings.Split(*files, ",")
	}
	var failed error
	for _, pattern := range flag.Args() {
		failed = errors.Join(failed, o.mutate(pattern))
	}
	if failed != nil {
		fmt.Fprintln(os.Stderr, failed)
		os.Exit(1)
	}
}

// mutate tries all changes to a package, and fails when too many lived.
func (o options) mutate(pattern string) error {
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	suite, err := load(pattern, scratch, o)
	if err != nil {
		return err
	}
	mutants, err := suite.Mutants(o.files)
	if err != nil {
		return err
	}
	viable, err := suite.Build(mutants)
	if err != nil {
		return err
	}
	count, err := o.try(suite, viable)
	if err != nil {
		return err
	}
	count[NotViable] += len(mutants) - len(viable)
	noticed := share(count)
	fmt.Printf("%s: %.1f %% (%d killed, %d lived; %d not covered, %d not viable)\n",
		suite.ImportPath, noticed, count[Killed], count[Lived], count[NotCovered], count[NotViable])
	if noticed < o.threshold {
		return fmt.Errorf("%s: %.1f %% of the changes were noticed, less than %g %%: test what lived, or explain it", suite.ImportPath, noticed, o.threshold)
	}
	return nil
}

// share is what part of the changes that were tried the tests have noticed, in percent.
func share(count map[Fate]int) float64 {
	tried := count[Killed] + count[Lived]
	if tried == 0 {
		return 100
	}
	return 100 * float64(count[Killed]) / float64(tried)
}

func (o options) try(suite *Suite, mutants []Mutant) (map[Fate]int, error) {
	next := make(chan Mutant)
	go func() {
		defer close(next)
		for _, m := range mutants {
			next <- m
		}
	}()
	count := map[Fate]int{}
	var (
		failed error
		mutex  sync.Mutex
		wait   sync.WaitGroup
	)
	for range o.workers {
		wait.Go(func() {
			for m := range next {
				fate, err := suite.Try(m)
				mutex.Lock()
				count[fate]++
				failed = errors.Join(failed, err)
				if fate == Lived || fate == NotCovered {
					fmt.Printf("%s:%d: %s: %s\n", filepath.Base(m.File), m.Line, fate, strings.Join(strings.Fields(m.Says), " "))
				}
				mutex.Unlock()
			}
		})
	}
	wait.Wait()
	return count, failed
}
