// Command standalone runs one side of the partition on its own: a worker, its schedule and, unless another one is
// configured, a Temporal. It is also the worker and the starter, when it is called by their names, so that an image needs one
// program. docs/standalone.md says what it does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/starter/command"
	"github.com/app-sre/git-partition-sync/worker/service"
)

// maxPrinted is how much of an error is printed, in characters.
const maxPrinted = 8 << 10

// others are the programs that this one is, too.
var others = map[string]func(args []string) int{"worker": service.Main, "starter": command.Main}

func main() {
	// By the name of a link to this program, or by the first argument, as "docker run IMAGE worker".
	for args := os.Args; len(args) > 0 && len(os.Args)-len(args) < 2; args = args[1:] {
		if other, ok := others[filepath.Base(args[0])]; ok {
			os.Exit(other(args))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "standalone:", foreign.NewMask(config.Secrets(os.Environ())...).Text(err.Error(), maxPrinted))
		os.Exit(1)
	}
}

// execute does what the flags say. They are the predecessor's, and have its defaults: whoever says nothing gets a plan, and
// nothing is changed.
func execute(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("standalone", flag.ExitOnError)
	dryRun := flags.Bool("dry-run", true, "only say what would be done, and why")
	runOnce := flags.Bool("run-once", true, "end after one cycle; false: a cycle every RECONCILE_SLEEP_TIME")
	role := flags.String("role", os.Getenv("SYNC_ROLE"), "side of the partition: `producer` or consumer; by default SYNC_ROLE, or what PUBLIC_KEY or PRIVATE_KEY are for")
	flags.Usage = func() {
		_, _ = fmt.Fprintln(flags.Output(), "standalone [-dry-run=false] [-run-once=false]\nstandalone worker|starter ARGUMENTS...")
		flags.PrintDefaults()
	}
	_ = flags.Parse(args) // it exits
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q: it takes -dry-run, -run-once and -role, or the commands worker and starter", flags.Arg(0))
	}
	s, err := newSide(*role, os.Environ())
	switch {
	case err != nil:
		return err
	case *dryRun:
		return s.check(ctx, *runOnce)
	case *runOnce:
		return s.runOnce(ctx)
	}
	return s.serve(ctx)
}
