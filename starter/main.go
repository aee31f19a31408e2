// Command starter starts and stops the syncs of one side: once, as a plan only, as a cron
// workflow, or as a schedule.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
)

const usage = `Usage: starter -role producer|consumer [-run-once] [-dry-run] [-schedule] [-stop]
       starter -new-keys folder

Starts the syncs of one side. Without further flags it starts the cron workflow, which runs a
cycle every RECONCILE_SLEEP_TIME (default 5m) until it is stopped. Temporal is found through the
TEMPORAL_* variables and profile file.

`

// options are what the command line says.
type options struct {
	role     string
	runOnce  bool
	dryRun   bool
	schedule bool
	stop     bool
	newKeys  string
	rollback []string
}

func main() {
	var o options
	flag.StringVar(&o.role, "role", "", "side of the partition: `producer` or consumer")
	flag.BoolVar(&o.runOnce, "run-once", false, "run one cycle, wait for it, and report; the exit code tells whether all is well")
	flag.BoolVar(&o.dryRun, "dry-run", false, "plan one cycle, wait for the plan, and print it; nothing is cloned, written or deleted")
	flag.BoolVar(&o.schedule, "schedule", false, "create or update a Temporal schedule instead of a cron workflow")
	flag.BoolVar(&o.stop, "stop", false, "end the cron workflow and delete the schedule; branches that are being synced are finished")
	flag.StringVar(&o.newKeys, "new-keys", "", "make the key pairs of both sides in a `folder`; needs no role")
	flag.Func("allow-rollback", "with the consumer's -run-once: let this `destination` (group/name@branch) go back to an older object; may be repeated", func(s string) error {
		o.rollback = append(o.rollback, s)
		return nil
	})
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "starter:", err)
		os.Exit(1)
	}
}

// dial connects to Temporal as the TEMPORAL_* variables and the profile file say.
func dial(ctx context.Context) (client.Client, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fmt.Errorf("temporal configuration: %w", err)
	}
	options.Logger = log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	t, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connect to temporal at %q: %w", options.HostPort, err)
	}
	return t, nil
}
