// Mutate makes small breaking changes to a package, one at a time, and runs the tests that run the changed
// line. A change that no test notices has lived: what it broke is not tested. The sources
// stay as they are; the changed file is laid over them (go help build, -overlay).
//
//	mutate [-threshold 90] [-files put.go,prune.go] [-run PATTERN] [-short] PACKAGE...
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

type options struct {
	threshold float64
	files     []string
	run       string
	short     bool
	workers   int
}

func main() {
	var o options
	flag.Float64Var(&o.threshold, "threshold", 90, "fail when a smaller share of the changes is noticed, in percent")
	flag.IntVar(&o.workers, "workers", 2, "how many changes are tried at a time")
	files := flag.String("files", "", "change only these files, separated by commas")
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
	suite, err := load(pattern, o)
	if err != nil {
		return err
	}
	mutants, err := suite.Mutants(o.files)
	if err != nil {
		return err
	}
	count, err := o.try(suite, mutants)
	if err != nil {
		return err
	}
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
