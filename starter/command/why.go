package command

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// syncReason is all that is known of why one sync is as it is.
type syncReason struct {
	syncStatus
	// PlanError is why it is not known how the sync is now; empty if it is.
	PlanError string `json:"plan_error,omitempty"`
	// Failures count the runs in a row that have failed, the last one included, since FailingSince. With FailingBefore, there were
	// earlier ones that Temporal does not remember.
	Failures      int       `json:"failures_in_a_row,omitempty"`
	FailingSince  time.Time `json:"failing_since,omitzero"`
	FailingBefore bool      `json:"failing_before,omitempty"`
	// UI is where Temporal's UI shows the workflow; empty if TEMPORAL_UI_URL is not set.
	UI string `json:"ui,omitempty"`
	// Runs are the last ones, the newest first.
	Runs []runStatus `json:"runs,omitempty"`
}

func whyCommand() *cli.Command {
	return &cli.Command{
		Name:         "why",
		Usage:        "say of one sync why it is not in sync: now, in the last runs, and what to do",
		ArgsUsage:    "NAME (group/name@branch)",
		ArgValidator: requireOneName, ShellComplete: completeDestinations,
		Flags: []cli.Flag{outputFlag()},
		Action: withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
			ui, err := config.LoadUI(os.Environ())
			if err != nil {
				return usagef("%w", err)
			}
			why, incomplete, err := s.why(ctx, c.Args().First(), ui)
			if err != nil {
				return err
			}
			if c.String("output") == formatJSON {
				err = json.NewEncoder(s.console.out).Encode(why)
			} else {
				p := statusPrinter{now: time.Now(), width: widthOf(s.console.out), coloured: coloured(s.console.out)}
				err = p.printWhy(s.console.out, s.namespace, why)
			}
			if err != nil || incomplete == nil {
				return err
			}
			end := outcomeOf(incomplete)
			return &ending{error: incomplete, code: end.code, kind: end.kind, shown: true}
		}),
	}
}

func requireOneName(ctx context.Context, c *cli.Command) error {
	if c.NArg() != 1 {
		return usagef("name one destination (group/name@branch) %s", seeHelp(c))
	}
	return refuseWrongNames(ctx, c)
}

// why tells what is known of a sync. Where that cannot be planned, because of incomplete, it is what Temporal remembers.
func (s roleClient) why(ctx context.Context, name string, ui config.UI) (why syncReason, incomplete, err error) {
	destination, err := project.ParseBranch(name)
	if err != nil {
		return why, nil, usagef("%w", err)
	}
	why.syncStatus = syncStatus{Destination: name, Workflow: s.ChildID(destination), Ends: plan.Ends{Unread: true}}
	side, incomplete := s.status(ctx, []string{name})
	if ctx.Err() != nil {
		return why, nil, incomplete
	}
	if incomplete == nil {
		incomplete = side.incomplete
	}
	if i := slices.IndexFunc(side.syncs, func(b syncStatus) bool { return !b.Side }); i >= 0 {
		why.syncStatus = side.syncs[i]
	}
	if incomplete != nil {
		incomplete = contract.InWords(incomplete)
		why.PlanError = incomplete.Error()
	}
	all, err := s.listRuns(ctx, why.Workflow)
	if err != nil {
		return why, nil, err
	}
	if end, ok := errors.AsType[*ending](incomplete); ok && end.kind == kindUsage && len(all) == 0 {
		return why, nil, incomplete // neither a sync nor one that was
	}
	why.countFailures(all)
	if why.Runs, err = s.readRuns(ctx, why.Workflow, all[:min(len(all), maxRunsShown)]); err != nil {
		return why, nil, err
	}
	why.addLastFailure()
	why.UI = ui.Workflow(s.namespace, why.Workflow)
	return why, incomplete, nil
}

// countFailures counts the runs in a row that have failed. All are the newest first.
func (w *syncReason) countFailures(all []runStatus) {
	for _, run := range all {
		switch {
		case run.ended().IsZero():
			continue // it is at work
		case !run.hasFailed():
			return
		}
		w.Failures++
		w.FailingSince = run.ended()
	}
	w.FailingBefore = w.Failures > 0
}

// addLastFailure adds the newest run's failure, if a plan has not said it: also of a sync that is in sync by now.
func (w *syncReason) addLastFailure() {
	for _, run := range w.Runs {
		if run.hasFailed() {
			w.LastError, w.LastErrorKind, w.LastErrorAt = run.text, run.Kind, run.ended()
			return
		}
	}
}

// divide returns what happened and, from the line after it, what to do.
func divide(reason string) (what, remedy string) {
	what, remedy, _ = strings.Cut(reason, "\n")
	return what, strings.TrimSpace(remedy)
}
