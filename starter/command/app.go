// Package command is the starter: it starts, stops and shows the syncs of one side.
package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const description = `A side is the producer, in the source's environment, or the consumer, in the destination's. Each has a
Temporal of its own, which is found through the TEMPORAL_* variables and profile file.

As the program that it replaces, it does without a command what these flags say: with -run-once one
cycle is run; with -dry-run one is planned, and nothing is cloned, written or deleted; with both of
them the same is done without Temporal, as by the command check.

Exit codes: 0 all is well, 1 something failed, 2 usage, 4 the time of --timeout is up, 130 Ctrl-C;
status --exit-code has 2 and 3 of its own.`

// Main does what the arguments say, the program's name first, and returns the exit status.
func Main(args []string) int {
	ctx, stop := interruptible()
	defer stop()
	err := execute(ctx, args)
	if err == nil {
		return 0
	}
	end := outcomeOf(err)
	if wantsJSON(args) && !end.shown {
		printErrorJSON(os.Stdout, end)
	}
	printForeign(os.Stderr, "starter:", end.Error())
	return end.code
}

// interruptible returns a context that the first Ctrl-C ends. The second ends the program at once.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// execute does what args, the program's name first, ask for.
func execute(ctx context.Context, args []string) error {
	err := asUsage(newApp().Run(ctx, args))
	if _, said := errors.AsType[*ending](err); err != nil && !said {
		err = cmp.Or(stopped(ctx, err, "whatever was started goes on; the command status tells how far it is"), err)
	}
	return contract.InWords(err)
}

func newApp() *cli.Command {
	app := strictly(&cli.Command{
		Name:                  "starter",
		Usage:                 "start, stop and show the syncs of one side",
		Description:           description,
		EnableShellCompletion: true, ConfigureShellCompletionCommand: completeInBash,
		Suggest:        true,
		HideVersion:    true,                                          // its -v is verbose here
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // main prints it
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "role", Usage: "producer or consumer; by default what PUBLIC_KEY or PRIVATE_KEY in the environment are for", Sources: cli.EnvVars("SYNC_ROLE")},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait for Temporal and its workers; 0 is without end", Validator: notNegative},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "do not show how it goes, only what came of it"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show how it goes also beside JSON that no terminal reads"},
			&cli.BoolFlag{Name: "run-once", Usage: "the same as the command run", Local: true},
			&cli.BoolFlag{Name: "dry-run", Usage: "the same as the command plan", Local: true},
			&cli.BoolFlag{Name: "version", Usage: "print the version", Local: true},
		},
		Before: func(ctx context.Context, c *cli.Command) (context.Context, error) { return ctx, refuseFlagsOfNone(c) },
		Action: withoutCommand,
		Commands: []*cli.Command{
			runCommand(), planCommand(), checkCommand(), scheduleCommand(), cronCommand(),
			statusCommand(), retryCommand(), pauseCommand(), unpauseCommand(), objectsCommand(), setupCommand(), keysCommand(),
			whyCommand(),
		},
	})
	app.ArgValidator = func(ctx context.Context, c *cli.Command) error {
		return cmp.Or(refuseFlagsOfNone(c), refuseUnknown(ctx, c))
	}
	return app
}

// refuseFlagsOfNone refuses the flags that stand without a command beside one, which would not heed them.
func refuseFlagsOfNone(c *cli.Command) error {
	if c.Args().Present() && (c.Bool("dry-run") || c.Bool("run-once")) {
		return usagef("-dry-run and -run-once stand without a command: to only plan, say plan instead of %q", c.Args().First())
	}
	return nil
}

// withoutCommand does what the flags say. Without any it starts nothing: those who want cycles again and again have two ways to.
func withoutCommand(ctx context.Context, c *cli.Command) error {
	switch {
	case c.Bool("version"):
		_, err := fmt.Fprintf(c.Root().Writer, "%s, starter, %s\n", version.Agent(), runtime.Version())
		return err
	case c.Bool("dry-run") && c.Bool("run-once"):
		return checkSide(ctx, c)
	case c.Bool("dry-run"):
		return withClient(planCycle)(ctx, c)
	case c.Bool("run-once"):
		return withClient(runCycle)(ctx, c)
	}
	c.Root().Writer = c.Root().ErrWriter // so that no program takes it for a result
	if err := cli.ShowRootCommandHelp(c); err != nil {
		return err
	}
	return usagef(`nothing was started: say which command; cycles again and again are started by "schedule create" or "cron start"`)
}

func notNegative(d time.Duration) error {
	if d < 0 {
		return errors.New("less than 0")
	}
	return nil
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
