package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// maxRetried is how many syncs are retried at a time.
const maxRetried = 8

func retryCommand() *cli.Command {
	return &cli.Command{
		Name:          "retry",
		Usage:         "run failed syncs again, without waiting for the next cycle; what is in sync by now is left alone",
		ArgsUsage:     "NAME... (group/name@branch, or a pattern such as 'group/*')",
		ShellComplete: completeDestinations,
		Flags:         []cli.Flag{outputFlag(), &cli.BoolFlag{Name: "all", Usage: "every sync that fails"}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("all") == c.Args().Present() {
				return usagef("name the destinations to retry, or say --all")
			}
			return withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
				return s.retryAndPrint(ctx, c)
			})(ctx, c)
		},
	}
}

func (s roleClient) retryAndPrint(ctx context.Context, c *cli.Command) error {
	side, err := s.status(ctx, c.Args().Slice())
	switch {
	case err != nil:
		return err
	case side.incomplete != nil: // what is in sync by now is not known
		return side.incomplete
	}
	syncs := slices.DeleteFunc(side.syncs, func(b syncStatus) bool { return b.Side || c.Bool("all") && b.State != fleet.Failing })
	asJSON := c.String("output") == formatJSON
	progress := s.console.out
	if asJSON {
		progress = s.console.err
	}
	if asJSON && !s.console.showsProgress(true) {
		progress = io.Discard
	}
	report, err := s.retry(ctx, syncs, progress)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(s.console.out).Encode(report)
	} else {
		printFailures(s.console.out, report.Failed, report.FailedMore)
		_, err = fmt.Fprintln(s.console.out, report)
	}
	if n := report.Count(); n > 0 {
		return shownf(exitFailed, "%d of %d failed again", n, n+len(report.Synced)+report.SyncedMore)
	}
	return err
}

// retry runs syncs again, several at a time, and says of each how it ended as soon as it has. Those that have nothing to do, or are
// to be left alone, are named and not run.
func (s roleClient) retry(ctx context.Context, syncs []syncStatus, progress io.Writer) (report contract.Report, err error) {
	report.Checked = len(syncs)
	atWork := map[string]bool{} // the IDs of workflows
	var mu sync.Mutex
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(maxRetried)
	for _, b := range syncs {
		if why := b.notRetried(); why != "" {
			mu.Lock()
			skip(&report, b)
			printForeign(progress, "skipped", b.Destination+": "+why)
			mu.Unlock()
			continue
		}
		group.Go(func() error {
			mu.Lock()
			atWork[b.Workflow] = true
			mu.Unlock()
			summary, failed, err := s.retryOne(running, b)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			delete(atWork, b.Workflow)
			if failed != nil {
				report.Fail(*failed)
				printForeign(progress, "failed", b.Destination+" ("+failed.Kind+")") // why is said below, once for all that fail alike
				return nil
			}
			line := b.Destination + ": " + cmp.Or(summary, "done")
			report.AddSynced(line)
			printForeign(progress, "synced", line)
			return nil
		})
	}
	err = group.Wait()
	if left := stopped(ctx, err, leftAtWork(atWork)); left != nil {
		return report, left
	}
	return report, err
}

// leftAtWork says what goes on when nobody waits any longer.
func leftAtWork(ids map[string]bool) string {
	if len(ids) == 0 {
		return "nothing is left at work"
	}
	return fmt.Sprintf("%s goes on without being waited for; to end one: temporal workflow cancel --workflow-id ID",
		strings.Join(slices.Sorted(maps.Keys(ids)), ", "))
}

// notRetried says why a sync is left alone; empty if it is not.
func (b syncStatus) notRetried() string {
	switch {
	case b.InSync:
		return "in sync already: not retried"
	case b.State == fleet.Paused:
		return "paused " + pauseWords(*b.Pause, time.Now())
	case b.State == notConfigured:
		return b.Reason
	case !b.AtWorkSince.IsZero():
		return "at work already: not retried"
	}
	return ""
}

// skip notes in a report that a sync was left alone.
func skip(report *contract.Report, b syncStatus) {
	switch {
	case b.Pause != nil:
		report.AddPaused([]fleet.Pause{*b.Pause}, 0)
	case !b.AtWorkSince.IsZero():
		report.AddRunning(b.Workflow)
	default:
		report.UpToDate++
		report.InSync = append(report.InSync, plan.BranchStatus{Destination: b.Destination, Reason: b.Reason, Since: b.Since, Source: b.Source})
	}
}
