package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// syncStatus is what is known of one sync.
type syncStatus struct {
	Destination string      `json:"destination"`
	State       fleet.State `json:"state"`
	InSync      bool        `json:"in_sync"`
	// Side says that this is no sync, but something that concerns the side as a whole and fails: Destination is its name.
	Side bool `json:"side,omitempty"`
	// Since is when InSync changed last, as far as is known: since then it is behind, or has its newest object. With AtLeast it is
	// behind for longer.
	Since time.Time `json:"since,omitzero"`
	// Reason is why it is not in sync, or what is to be known of it, now. Kind is that of the failure that Reason tells of, if it is one.
	Reason string `json:"reason,omitempty"`
	Kind   string `json:"kind,omitempty"`
	// LastError is what the last run ended with, and when: it may be past.
	LastError     string    `json:"last_error,omitempty"`
	LastErrorKind string    `json:"last_error_kind,omitempty"`
	LastErrorAt   time.Time `json:"last_error_at,omitzero"`
	// Workflow is the ID of the workflow that moves it, and AtWorkSince when that began, if it is at work.
	Workflow    string       `json:"workflow,omitempty"`
	AtWorkSince time.Time    `json:"at_work_since,omitzero"`
	Pause       *fleet.Pause `json:"pause,omitempty"`
	// Source is what the producer's catalog says; nil at the producer, and where there is no catalog.
	Source *plan.SourceStatus `json:"source,omitempty"`
	plan.Ends
	// LFS is what the bucket has of Git LFS for the destination's project, whichever of its syncs need it; nil where that is nothing,
	// or not known.
	LFS *plan.LFSUsage `json:"lfs,omitempty"`
}

// sideStatus is what is known of one side.
type sideStatus struct {
	// Notes are what is to be known before all else, one line each.
	notes []string
	syncs []syncStatus
	lfs   *plan.LFSInBucket
	cycle fleet.Cycle // the last complete one
	// incomplete is why there may be more syncs than these; nil if there are not.
	incomplete error
}

func (s *sideStatus) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:          "status",
		Usage:         "show each sync as this side sees it now: in sync or not, since when, and why not",
		ArgsUsage:     "[NAME...] (group/name@branch, or a pattern such as 'group/*'; all without)",
		ShellComplete: completeDestinations,
		Description: `It plans a cycle, and so asks the Git server and the bucket; nothing is changed. What failed before is
shown with its age, and may be past.`,
		Flags: []cli.Flag{
			outputFlag(),
			&cli.BoolFlag{Name: "failed", Usage: "only what fails"},
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "show it again every few seconds, until Ctrl-C"},
			&cli.BoolFlag{Name: "exit-code", Usage: "exit with 0 if all are in sync (or paused), 2 if some are behind, 3 if some fail"},
		},
		Action: withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
			show := func(ctx context.Context, out io.Writer) error { return s.showStatus(ctx, c, out) }
			if c.Bool("watch") {
				return s.watchStatus(ctx, show)
			}
			return show(ctx, s.console.out)
		}),
	}
}

func (s roleClient) showStatus(ctx context.Context, c *cli.Command, out io.Writer) error {
	side, err := s.status(ctx, c.Args().Slice())
	if err != nil {
		return err
	}
	all := side.syncs // those that the exit code and the numbers are about
	if c.Bool("failed") {
		side.syncs = slices.DeleteFunc(slices.Clone(all), func(b syncStatus) bool { return b.State != fleet.Failing })
	}
	if c.String("output") == formatJSON {
		for _, note := range side.notes {
			s.console.note(note)
		}
		err = json.NewEncoder(out).Encode(side.syncs)
	} else {
		p := statusPrinter{now: time.Now(), width: widthOf(s.console.out), coloured: coloured(s.console.out)}
		err = p.print(out, side, all)
	}
	if err != nil {
		return err
	}
	if side.incomplete != nil {
		end := outcomeOf(side.incomplete)
		return &ending{error: side.incomplete, code: end.code, kind: end.kind, shown: true}
	}
	if c.Bool("exit-code") {
		return exitCodeOf(all)
	}
	return nil
}

// exitCodeOf says by the exit code how syncs are. Those that are paused are left alone on purpose.
func exitCodeOf(syncs []syncStatus) error {
	count := countStates(syncs)
	switch {
	case count[fleet.Failing] > 0:
		return shownf(exitFailing, "%d failing", count[fleet.Failing])
	case count[fleet.Behind]+count[fleet.Never] > 0:
		return shownf(exitBehind, "%d behind", count[fleet.Behind]+count[fleet.Never])
	}
	return nil
}

func countStates(syncs []syncStatus) map[fleet.State]int {
	count := map[fleet.State]int{}
	for _, b := range syncs {
		count[b.State]++
	}
	return count
}

// status joins a plan, which says where each sync is now, with the last cycle's report and the last runs, which say since when and what
// was before. Without names it is about all syncs.
func (s roleClient) status(ctx context.Context, names []string) (side sideStatus, err error) {
	schedule, err := s.readSide(ctx, &side, time.Now())
	if err != nil {
		return side, err
	}
	want := newSelection(names)
	report, err := s.planFor(ctx, want)
	switch {
	case errors.Is(err, errNoWorker):
		return s.withoutPlan(ctx, side, schedule, want, err)
	case err != nil && (report.Checked == 0 || ctx.Err() != nil):
		return side, err
	case err != nil:
		side.incomplete = fmt.Errorf("the plan failed after %s, and others are not shown: %w", activities.CountNoun(report.Checked, "sync", "syncs"), contract.InWords(err))
		side.note("%v", side.incomplete)
	}
	if report.FailedMore > 0 {
		side.note("%d more fail, whose names the plan had no room for", report.FailedMore)
	}
	if report.PausedMore > 0 {
		side.note("%d more are paused: temporal workflow list --query %q", report.PausedMore, contract.PausesQuery)
	}
	if report.Warning != "" {
		side.note("%s", report.Warning)
	}
	side.syncs, side.lfs = s.syncsIn(report), report.LFS
	if side.syncs, err = s.selected(ctx, want, side.syncs); err != nil {
		return side, err
	}
	if err := s.addLastRuns(ctx, &side); err != nil {
		return side, err
	}
	side.addMemory()
	slices.SortFunc(side.syncs, func(a, b syncStatus) int { return cmp.Compare(a.Destination, b.Destination) })
	return side, nil
}
