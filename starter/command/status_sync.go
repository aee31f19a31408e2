package command

import (
	"context"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// destinationIdentity returns the same name for all spellings of a destination.
func destinationIdentity(destination string) string {
	b, err := project.ParseBranch(destination)
	if err != nil {
		return destination
	}
	return b.Identity().String()
}

// syncsIn are the syncs of a plan's report, in no order.
func (s roleClient) syncsIn(report contract.Report) (all []syncStatus) {
	add := func(b plan.BranchStatus, state fleet.State) *syncStatus {
		all = append(all, s.newStatus(b, state))
		return &all[len(all)-1]
	}
	named := func(destination, reason string) plan.BranchStatus {
		return plan.BranchStatus{Destination: destination, Reason: reason, Source: report.Sources[destination], Ends: report.Ends[destination]}
	}
	for _, b := range report.InSync {
		add(b, fleet.InSync)
	}
	for _, b := range report.Behind {
		add(b, fleet.Behind)
	}
	for _, f := range report.Failed {
		add(named(f.Subject, f.Reason), fleet.Failing).Kind = f.Kind
	}
	for _, pause := range report.Paused {
		add(named(pause.Destination, ""), fleet.Paused).Pause = &pause
	}
	for i := range all {
		path, _, _ := strings.Cut(destinationIdentity(all[i].Destination), "@")
		all[i].LFS = report.LFS.Project(path)
	}
	return all
}

// newStatus is what a plan says of a sync. A destination that has all that the bucket has is still behind if the source has moved
// since.
func (s roleClient) newStatus(b plan.BranchStatus, state fleet.State) syncStatus {
	out := syncStatus{Destination: b.Destination, State: state, Reason: b.Reason, Since: b.Since, Source: b.Source}
	if out.Unread = true; b.Ends != nil {
		out.Ends = *b.Ends
	}
	destination, err := project.ParseBranch(b.Destination)
	if out.Side = err != nil; !out.Side {
		out.Workflow = s.ChildID(destination)
	}
	switch moved := !out.BehindSince.IsZero(); {
	case state == fleet.InSync && moved:
		out.State = fleet.Behind
	case state == fleet.Behind && b.NotCatalogued:
		out.State = notConfigured
	case state == fleet.Behind && out.Is == "" && b.Ends != nil:
		out.State = fleet.Never
	}
	out.InSync = out.State == fleet.InSync
	switch {
	case !out.BehindSince.IsZero():
		out.Since = out.BehindSince
	case !out.InSync && state != fleet.InSync && b.Ends != nil: // when the newest object was uploaded does not tell
		out.Since = time.Time{}
	}
	return out
}

// notConfigured is the state of what the bucket has of a sync that has left the configuration, or has just been added.
const notConfigured fleet.State = "not_configured"

// addLastRuns adds what the last runs say of the syncs that are not in sync.
func (s roleClient) addLastRuns(ctx context.Context, side *sideStatus) error {
	var of []int
	var destinations []project.Branch
	for i, b := range side.syncs {
		destination, err := project.ParseBranch(b.Destination)
		if err != nil || b.InSync || b.State == notConfigured {
			continue
		}
		of, destinations = append(of, i), append(destinations, destination)
	}
	if more := len(of) - maxRunsAsked; more > 0 {
		side.note("of %d of the syncs that are not in sync, it was not asked how their last runs ended", more)
		of, destinations = of[:maxRunsAsked], destinations[:maxRunsAsked]
	}
	runs, err := s.lastRuns(ctx, destinations)
	if err != nil {
		return err
	}
	lags := lagsOf(side.cycle)
	for i, run := range runs {
		b := &side.syncs[of[i]]
		_, lagged := lags[destinationIdentity(b.Destination)]
		counted := side.cycle.Lags.MoreBehind+side.cycle.Lags.MoreFailing > 0 // it may be one of those
		b.addLastRun(run, side.cycle.Looked.After(run.ended) && !lagged && !counted)
	}
	return nil
}

// addLastRun adds how the last run ended. A sync that the plan finds nothing wrong with, and whose last run has failed, fails: nobody
// has tried since. Unless a cycle has found it in sync in between: then the run was about something else.
func (b *syncStatus) addLastRun(run lastRun, inSyncSince bool) {
	if run.running() {
		b.AtWorkSince = run.began
	}
	if !run.failed() {
		return
	}
	b.LastError, b.LastErrorKind, b.LastErrorAt = run.reason, run.kind, run.ended
	byHand := run.status == enums.WORKFLOW_EXECUTION_STATUS_CANCELED
	if (b.State == fleet.Behind || b.State == fleet.Never) && !byHand && !inSyncSince {
		b.State = fleet.Failing
	}
}

// lagsOf are the lags of a cycle by the identities of their destinations.
func lagsOf(cycle fleet.Cycle) map[string]fleet.Lag {
	lags := map[string]fleet.Lag{}
	for _, lag := range cycle.Lags.List {
		lags[destinationIdentity(lag.Destination)] = lag
	}
	return lags
}

// addMemory adds what the last complete cycle remembers of the syncs that were not in sync then and have not moved since.
func (s *sideStatus) addMemory() {
	lags := lagsOf(s.cycle)
	for i := range s.syncs {
		b := &s.syncs[i]
		lag, ok := lags[destinationIdentity(b.Destination)]
		if !ok || b.InSync || lag.Since.IsZero() || !b.Side && !b.Unread && lag.Is != b.Is {
			continue
		}
		if b.Since.IsZero() || lag.Since.Before(b.Since) {
			b.Since, b.AtLeast = lag.Since, lag.AtLeast
		}
	}
}
