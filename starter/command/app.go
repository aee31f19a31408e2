// Package command is the starter: it starts, stops and shows the syncs of one side.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"
)

const description = `A side is the producer, in the source's environment, or the consumer, in the destination's. Each has a
Temporal of its own, which is found through the TEMPORAL_* variables and profile file.

Without a command the cron workflow is started; with -run-once one cycle is run; with -dry-run
one cycle is planned, and nothing is cloned, written or deleted; with both of them the same is done
without Temporal, as by the command check.`

// Main does what the arguments say, the program's name first, and returns the exit status.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, args); err != nil {
		printForeign(os.Stderr, "starter:", err.Error())
		return 1
	}
	return 0
}

// execute does what args, the program's name first, ask for.
func execute(ctx context.Context, args []string) error {
	err := newApp().Run(ctx, args)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted: whatever was started goes on without being waited for; the command status tells how far it is")
	}
	return err
}

func newApp() *cli.Command {
	return &cli.Command{
		Name:                  "starter",
		Usage:                 "start, stop and show the syncs of one side",
		Description:           description,
		EnableShellCompletion: true,
		Suggest:               true,
		ExitErrHandler:        func(context.Context, *cli.Command, error) {}, // main prints it
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "role", Usage: "producer or consumer; by default what PUBLIC_KEY or PRIVATE_KEY in the environment are for", Sources: cli.EnvVars("SYNC_ROLE")},
			&cli.BoolFlag{Name: "run-once", Usage: "the same as the command run", Local: true},
			&cli.BoolFlag{Name: "dry-run", Usage: "the same as the command plan", Local: true},
			everyFlag(),
		},
		Before: func(ctx context.Context, c *cli.Command) (context.Context, error) {
			if c.Args().Present() && (c.Bool("dry-run") || c.Bool("run-once")) { // a command would not heed them
				return ctx, fmt.Errorf("-dry-run and -run-once stand without a command: to only plan, say plan instead of %q", c.Args().First())
			}
			return ctx, nil
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			switch {
			case c.Args().Present():
				return fmt.Errorf("unknown command %q", c.Args().First())
			case c.Bool("dry-run") && c.Bool("run-once"):
				return checkSide(ctx, c)
			case c.Bool("dry-run"):
				return withClient(planCycle)(ctx, c)
			case c.Bool("run-once"):
				return withClient(runCycle)(ctx, c)
			}
			return withClient(startCron)(ctx, c)
		},
		Commands: []*cli.Command{
			runCommand(), planCommand(), checkCommand(), scheduleCommand(), cronCommand(),
			statusCommand(), retryCommand(), setupCommand(), keysCommand(),
		},
	}
}

// everyFlag is the flag for the time between two cycles.
func everyFlag() cli.Flag {
	return &cli.DurationFlag{
		Name: "every", Local: true, Usage: "time between two cycles", Value: 5 * time.Minute, Sources: cli.EnvVars("RECONCILE_SLEEP_TIME"),
		Validator: func(d time.Duration) error {
			if d < time.Second {
				return errors.New("less than 1s")
			}
			return nil
		},
	}
}
