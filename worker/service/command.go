package service

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/app-sre/git-partition-sync/internal/version"
)

// Exit statuses of the worker.
const (
	exitFailed = 1
	exitUsage  = 2
)

// command is what the arguments ask for.
type command struct {
	role    string // producer or consumer; empty if it is not said
	check   bool   // ask a running worker whether it is ready
	version bool
	help    bool
}

const usage = `Usage: worker [-role producer|consumer] [-check]
       worker --version | help

Runs the workflows and steps of one side until it gets SIGTERM. Its environment configures it: docs/configuration.md lists the variables.

`

// parseCommand reads the arguments that follow the program's name. What it prints of help goes to out.
func parseCommand(args []string, role string, out io.Writer) (c command, err error) {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.role, "role", role, "side of the partition that the worker serves: `producer` or consumer; by default SYNC_ROLE, or what PUBLIC_KEY or PRIVATE_KEY are for")
	flags.BoolVar(&c.check, "check", false, "ask the worker that runs here, at HEALTH_ADDRESS, whether it is ready; exit 1 if not")
	flags.BoolVar(&c.version, "version", false, "print the version, and end")
	err = flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp), err == nil && flags.NArg() == 1 && flags.Arg(0) == "help":
		c.help = true
		fmt.Fprint(out, usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return c, nil
	case err != nil:
		return c, err
	case flags.NArg() > 0:
		return c, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return c, nil
}

// Main does what the arguments say, the program's name first, and returns the exit status: 1 for a failure, 2 for arguments that
// there are not.
func Main(args []string) int {
	c, err := parseCommand(args[1:], os.Getenv("SYNC_ROLE"), os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "worker: %v: see worker help\n", err)
		return exitUsage
	case c.help:
		return 0
	case c.version:
		fmt.Printf("%s, worker, %s\n", version.Agent(), runtime.Version())
		return 0
	}
	return execute(c)
}
