// Profiledworker is the worker with profiles of its whole run: of processor time, allocations and blocking. They are in the folder that
// PROFILE names, as producer.cpu.pprof and so on. What is released has none.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/app-sre/git-partition-sync/worker/service"
)

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "profiledworker:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run() (code int, err error) {
	flags := flag.NewFlagSet(os.Args[0], flag.ContinueOnError)
	role := flags.String("role", "", "the worker's")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 1, err
	}
	name := filepath.Join(os.Getenv("PROFILE"), *role)
	runtime.SetBlockProfileRate(100_000) // nanoseconds: what blocks for less is sampled
	cpu, err := os.Create(name + ".cpu.pprof")
	if err != nil {
		return 1, err
	}
	defer func() { _ = cpu.Close() }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return 1, err
	}
	code = service.Main(os.Args)
	pprof.StopCPUProfile()
	for _, kind := range []string{"allocs", "block"} {
		if err := write(kind, name+"."+kind+".pprof"); err != nil {
			return 1, err
		}
	}
	return code, nil
}

func write(kind, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return pprof.Lookup(kind).WriteTo(f, 0)
}
