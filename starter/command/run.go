package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// longestWait is how many seconds a cycle waits for its children that somebody waits for.
const longestWait = 24 * 60 * 60

const (
	formatTable = "table"
	formatJSON  = "json"
)

func outputFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "output", Aliases: []string{"o"}, Usage: "table or json", Value: formatTable,
		Validator: func(s string) error {
			if s != formatTable && s != formatJSON {
				return fmt.Errorf("output is %q, not table or json", s)
			}
			return nil
		},
	}
}

// destinationArgs are the arguments of commands that are about all syncs, or about those that are named.
const destinationArgs = "[DESTINATION...] (group/name@branch; all without)"

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run one cycle, of all syncs or of some, show how it goes, and report; the exit code tells whether all is well",
		ArgsUsage: destinationArgs, ArgValidator: refuseWrongNames, ShellComplete: completeDestinations,
		Flags: []cli.Flag{
			outputFlag(),
			&cli.StringSliceFlag{Name: "allow-rollback", Usage: "let this destination (group/name@branch) go back to an older object; may be repeated"},
		},
		Action: withClient(runCycle),
	}
}

func planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show what a cycle would do, and why; nothing is cloned, written or deleted",
		ArgsUsage: destinationArgs, ArgValidator: refuseWrongNames, ShellComplete: completeDestinations,
		Flags:  []cli.Flag{outputFlag()},
		Action: withClient(planCycle),
	}
}

func runCycle(ctx context.Context, c *cli.Command, s roleClient) error {
	return s.runAndPrint(ctx, c, contract.CycleInput{AllowRollback: c.StringSlice("allow-rollback"), Only: c.Args().Slice()})
}

func planCycle(ctx context.Context, c *cli.Command, s roleClient) error {
	return s.runAndPrint(ctx, c, contract.CycleInput{DryRun: true, Only: c.Args().Slice()})
}

func (s roleClient) runAndPrint(ctx context.Context, c *cli.Command, in contract.CycleInput) error {
	if len(in.AllowRollback) > 0 && s.Role != contract.Consumer {
		return usagef("--allow-rollback is for the consumer: only there can a branch go back")
	}
	in.WaitSeconds = longestWait
	asJSON := c.String("output") == formatJSON
	report, err := s.runParts(ctx, in, s.console.showsProgress(asJSON))
	if err != nil {
		return err
	}
	s.noteMisspelt(ctx, report.Failed)
	return s.console.showReport(report, asJSON)
}

// runParts runs one cycle. A dry run consists of several parts if one report has no room for all branches.
func (s roleClient) runParts(ctx context.Context, in contract.CycleInput, show bool) (all contract.Report, err error) {
	for {
		part, err := s.runOnce(ctx, in, show)
		if err != nil {
			return all, err
		}
		if in.From == nil {
			all = part
		} else {
			all.Extend(part)
		}
		if in.From = part.Next; part.Next == nil {
			return all, nil
		}
	}
}

// runOnce runs one cycle, or waits for one that is running already under that name. A cycle of a cron or schedule is no obstacle: the
// children of one branch lock each other out.
func (s roleClient) runOnce(ctx context.Context, in contract.CycleInput, show bool) (report contract.Report, err error) {
	in.SearchAttributes = s.hasSearchAttributes(ctx)
	run, err := s.startOnce(ctx, in)
	if err != nil {
		return report, err
	}
	if show {
		defer s.followed(ctx, run.GetID())()
	}
	err = s.waitFor(ctx, run, &report)
	return reportOf(err, report)
}

// reportOf is what a cycle has returned, or failed with: one in which syncs failed has a report, too.
func reportOf(err error, returned contract.Report) (report contract.Report, _ error) {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && failed.Type() == plan.KindSyncsFailed {
		err = failed.Details(&report)
		return report, err
	}
	return returned, err
}

// followed shows how a cycle goes until the function that it returns is called.
func (s roleClient) followed(ctx context.Context, id string) (stop func()) {
	s.console.live = newLive(s.console.err)
	p := &cycleProgress{roleClient: s, id: id}
	following, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.follow(following)
	}()
	return func() {
		cancel()
		<-done
		s.console.live, s.console.synced = nil, p.synced
	}
}
