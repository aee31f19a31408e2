package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/worker/service"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A cycle is long ago when some of the schedule's were missed, or, without a schedule that has an interval, after an hour.
const (
	missedCycles = 3
	missedGrace  = 5 * time.Minute
	longAgo      = time.Hour
)

// readSide reads what is known of a side without asking its workers.
func (s roleClient) readSide(ctx context.Context, side *sideStatus, now time.Time) (schedule fleet.Schedule, err error) {
	schedule, err = (activities.Cycles{Temporal: s.Client, ID: s.ParentID}).State(ctx)
	if err != nil {
		return schedule, err
	}
	if side.cycle, err = service.LastCycle(ctx, s.Role, s.Client); err != nil {
		return schedule, err
	}
	switch {
	case !schedule.Exists:
		side.note("nothing starts cycles: there is no schedule (make one with schedule create), and no cron workflow")
	case schedule.Paused:
		note := ""
		if schedule.Note != "" {
			note = ": " + schedule.Note
		}
		side.note("the schedule is paused, changed last %s%s", ago(schedule.Changed, now), note)
	}
	late := longAgo
	if schedule.Every > 0 {
		late = missedCycles*schedule.Every + missedGrace
	}
	switch {
	case side.cycle.Ended.IsZero():
		side.note("no cycle of all syncs has ended yet, as far as Temporal remembers")
	case now.Sub(side.cycle.Ended) > late:
		side.note("the last cycle of all syncs ended %s", ago(side.cycle.Ended, now))
	}
	return schedule, nil
}

// workerPatience is how often it is looked, every workersLookedAt, before nobody waits for a worker any longer.
const workerPatience = 2

// errNoWorker says that a plan was not taken up.
var errNoWorker = errors.New("the plan is not taken up")

// planFor plans what is selected. It gives up when no worker is there.
func (s roleClient) planFor(ctx context.Context, want selection) (all contract.Report, err error) {
	for chunk := range want.chunks() {
		report, err := s.planChunk(ctx, chunk)
		if all.Checked == 0 {
			all = report
		} else {
			all.Extend(report)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (s roleClient) planChunk(ctx context.Context, only []string) (contract.Report, error) {
	in := contract.CycleInput{DryRun: true, Only: only}
	bounded, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go func() {
		if missing := s.awaitMissing(bounded, s.onceID(in)); missing != "" {
			giveUp(fmt.Errorf("%w: %s", errNoWorker, missing))
		}
	}()
	report, err := s.runParts(bounded, in, false)
	if cause := context.Cause(bounded); err != nil && errors.Is(cause, errNoWorker) {
		return report, &ending{error: cause, code: exitTimeout, kind: kindTimeout}
	}
	return report, err
}

// awaitMissing returns once a worker is missing for a while, and "" when ctx is done.
func (s roleClient) awaitMissing(ctx context.Context, id string) string {
	watch, looks := workerWatch{roleClient: s, id: id}, 0
	tick := time.NewTicker(workersLookedAt)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
		}
		missing, err := watch.missing(ctx)
		if err != nil || missing == "" {
			looks = 0
			continue
		}
		if looks++; looks == workerPatience {
			return missing
		}
	}
}

// withoutPlan is what Temporal alone knows: how the syncs were that the last complete cycle has not left in sync.
func (s roleClient) withoutPlan(ctx context.Context, side sideStatus, schedule fleet.Schedule, want selection, cause error) (sideStatus, error) {
	pauses, err := (activities.Pauses{Temporal: s.Client, Role: s.Role, Clock: time.Now}).List(ctx)
	if err != nil {
		return side, err
	}
	view := fleet.Join(fleet.Facts{
		Role: s.Name, InBucket: s.Role == contract.Producer, Cycle: side.cycle, Pauses: pauses, Schedule: schedule, ChildID: s.ChildID, Now: time.Now(),
	})
	side.incomplete = cause
	side.note("%v", cause)
	if !side.cycle.Ended.IsZero() {
		side.note("what follows is only what the last cycle of all syncs left behind, %s; it left %s in sync",
			ago(side.cycle.Ended, time.Now()), activities.CountNoun(side.cycle.InSync, "sync", "syncs"))
	}
	for _, b := range view.Syncs {
		if want.has(b.Destination) {
			side.syncs = append(side.syncs, remembered(b, side.cycle.Ended))
		}
	}
	for _, pause := range pauses {
		if want.has(pause.Destination) && !slices.ContainsFunc(side.syncs, func(b syncStatus) bool { return b.Pause != nil && *b.Pause == pause }) {
			side.syncs = append(side.syncs, remembered(fleet.Sync{Destination: pause.Destination, State: fleet.Paused, Pause: &pause}, side.cycle.Ended))
		}
	}
	for _, f := range view.Failures {
		side.syncs = append(side.syncs, remembered(fleet.Sync{Destination: f.Subject, State: fleet.Failing, Failure: &f.Failure}, side.cycle.Ended))
		side.syncs[len(side.syncs)-1].Side = true
	}
	return side, nil
}

// remembered is how a sync was at a time.
func remembered(b fleet.Sync, at time.Time) syncStatus {
	out := syncStatus{Destination: b.Destination, State: b.State, InSync: b.State == fleet.InSync, Since: b.BehindSince, Workflow: b.Workflow, Pause: b.Pause}
	out.Ends = plan.Ends{Source: b.Source, Is: b.Is, BehindSince: b.BehindSince, AtLeast: b.AtLeast}
	if f := b.Failure; f != nil {
		out.LastError, out.LastErrorKind, out.LastErrorAt = strings.TrimSpace(f.Reason+"\n"+f.Remedy), f.Kind, at
		if out.Since.IsZero() {
			out.Since = f.Since
		}
	}
	return out
}
