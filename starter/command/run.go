package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

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
		ArgsUsage: destinationArgs,
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
		ArgsUsage: destinationArgs,
		Flags:     []cli.Flag{outputFlag()},
		Action:    withClient(planCycle),
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
		return errors.New("--allow-rollback is for the consumer: only there can a branch go back")
	}
	if _, err := in.Subset(); err != nil {
		return err
	}
	in.WaitSeconds = int((24 * time.Hour).Seconds())
	report, err := s.runParts(ctx, in, c.String("output") != formatJSON)
	if err != nil {
		return err
	}
	return showReport(c, report)
}

// showReport prints a report as the flag says. It fails when the report has failures.
func showReport(c *cli.Command, report contract.Report) (err error) {
	if c.String("output") == formatJSON {
		err = json.NewEncoder(os.Stdout).Encode(report)
	} else {
		printReport(os.Stdout, report)
	}
	if n := report.Count(); n > 0 {
		return fmt.Errorf("%d failed", n)
	}
	return err
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

// runOnce runs one cycle. If one is already running, it waits for that one, unless a rollback is asked for, which
// that one does not allow. A cycle of a cron or schedule is no obstacle: the children of one branch lock each other
// out.
func (s roleClient) runOnce(ctx context.Context, in contract.CycleInput, show bool) (report contract.Report, err error) {
	id := s.ParentID + "-once"
	if in.DryRun {
		id = s.ParentID + "-plan"
	}
	if len(in.Only) > 0 {
		id += "/" + nameOf(in.Only)
	}
	if in.From != nil {
		id += fmt.Sprintf("/%d-%d", in.From.Order, in.From.After)
	}
	options := client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                s.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
	if len(in.AllowRollback) > 0 {
		options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL
		options.WorkflowExecutionErrorWhenAlreadyStarted = true
	}
	in.SearchAttributes = s.hasSearchAttributes(ctx)
	run, err := s.ExecuteWorkflow(ctx, options, s.Parent, in)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return report, fmt.Errorf("%s is running already, without --allow-rollback, which was not used: say it again when that cycle has ended", id)
	}
	if err != nil {
		return report, fmt.Errorf("start %s: %w", id, err)
	}
	if show {
		watching, stop := context.WithCancel(ctx)
		defer stop()
		go s.watch(watching, id)
	}
	err = run.Get(ctx, &report)
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && failed.Type() == plan.KindSyncsFailed {
		err = failed.Details(&report) // a cycle in which syncs failed has a report, too
	}
	return report, err
}

// nameOf returns the same short name for the same destinations. It says only which runs are alike.
func nameOf(destinations []string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(destinations)), "\n")))
	return hex.EncodeToString(sum[:8])
}

// watch prints each change of what a workflow says of itself.
func (s roleClient) watch(ctx context.Context, id string) {
	last := ""
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		if value, err := s.QueryWorkflow(ctx, id, "", contract.QueryStatus); err == nil {
			var status contract.Status
			if value.Get(&status) == nil && status.Step != last && ctx.Err() == nil {
				last = status.Step
				printForeign(os.Stderr, "...", last)
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

func printReport(w io.Writer, r contract.Report) {
	list := func(what string, lines []string, more int) {
		for _, line := range lines {
			printForeign(w, what, line)
		}
		if more > 0 {
			printForeign(w, what, fmt.Sprintf("... and %d more", more))
		}
	}
	for _, planned := range r.Planned {
		what, changes, _ := strings.Cut(planned, "\n")
		printForeign(w, "would", what)
		for change := range strings.SplitSeq(changes, "\n") { // one by one, as all of them may be many
			if change != "" {
				printForeign(w, "     ", change)
			}
		}
	}
	list("synced", r.Synced, r.SyncedMore)
	list("still running", r.Running, r.RunningMore)
	list("deleted", r.Pruned, r.PrunedMore)
	if r.Warning != "" {
		printForeign(w, "warning:", r.Warning)
	}
	var failed []string
	for _, f := range r.Failed {
		failed = append(failed, f.String())
	}
	list("failed", failed, r.FailedMore)
	_, _ = fmt.Fprintln(w, r)
}
