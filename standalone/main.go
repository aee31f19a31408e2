// Command standalone runs one side of the partition on its own: a worker, its schedule and, unless another one is
// configured, a Temporal. It is the entry point of the image, too. docs/standalone.md says what it does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxPrinted is how much of an error is printed, in characters.
const maxPrinted = 8 << 10

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "standalone:", foreign.NewMask(config.Secrets(os.Environ())...).Text(err.Error(), maxPrinted))
		os.Exit(1)
	}
}

// options are the predecessor's flags, and have its defaults: whoever says nothing gets a plan, and nothing is changed.
type options struct{ dryRun, runOnce bool }

// execute does what the arguments say. As the entry point of an image it is given the commands of the other programs, too.
func execute(ctx context.Context, args []string) error {
	if len(args) > 0 && slices.Contains([]string{"worker", "starter"}, filepath.Base(args[0])) {
		return handOver(filepath.Base(args[0]), args[1:]...)
	}
	var o options
	flags := flag.NewFlagSet("standalone", flag.ExitOnError)
	flags.BoolVar(&o.dryRun, "dry-run", true, "only say what would be done, and why")
	flags.BoolVar(&o.runOnce, "run-once", true, "end after one cycle; false: a cycle every RECONCILE_SLEEP_TIME")
	role := flags.String("role", os.Getenv("SYNC_ROLE"), "side of the partition: `producer` or consumer; by default SYNC_ROLE, or what PUBLIC_KEY or PRIVATE_KEY are for")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "standalone [-dry-run=false] [-run-once=false]\nworker|starter ARGUMENTS...") //nolint:errcheck // nowhere to tell
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q: it takes -dry-run, -run-once and -role, or the commands worker and starter", flags.Arg(0))
	}
	s, err := newSide(*role, os.Environ())
	if err != nil {
		return err
	}
	switch {
	case o.dryRun && o.runOnce:
		return handOver("starter", "--role", s.role.Name, "check")
	case o.dryRun:
		return s.checkAgainAndAgain(ctx)
	case o.runOnce:
		return s.runOnce(ctx)
	}
	return s.serve(ctx)
}

// handOver becomes another program of this project. It returns only if that fails.
func handOver(program string, args ...string) error {
	path, err := find(program)
	if err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, append([]string{path}, args...), os.Environ()))
}
