package service

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// viewInterval is how often a worker reads how all syncs are, and viewTimeout how long that may take.
	viewInterval = 15 * time.Second
	viewTimeout  = 30 * time.Second
	// maxViewAge is how old a view may be that is shown. Without another, nothing is: what stands still looks like what is.
	maxViewAge = 2 * time.Minute
	// maxEndsAsked bounds how many syncs' last runs are asked for in one reading.
	maxEndsAsked = 200
	// maxUnreadable is how many characters are shown of why something cannot be read.
	maxUnreadable = 600
)

// views reads again and again how all syncs of the side are, from what every worker of it reads alike: the report of the last
// complete cycle, the producer's catalog, and how the last runs of those syncs ended that are not known to be in sync.
type views struct {
	role     contract.Role
	log      *slog.Logger
	cycle    func(context.Context) (fleet.Cycle, error)
	schedule func(context.Context) (fleet.Schedule, error)
	pauses   func(context.Context) ([]fleet.Pause, error)
	ends     func(context.Context, []project.Branch) map[project.Branch]fleet.End
	sources  activities.SourceLook // nil for none
	syncs    *syncIndex            // the list of syncs; nil on the consumer's side

	states  activities.SourceStates
	known   map[project.Branch]fleet.End // by identity
	asked   string                       // the last suspect that was asked for, of many
	failing map[string]time.Time         // since when something cannot be read, by the failure's subject and kind
	trouble string                       // what was logged last

	mu     sync.Mutex
	latest fleet.View
}

// newViews returns the views of the side whose activities are the steps.
func newViews(role contract.Role, temporal client.Client, common activities.Common, steps any, syncs *syncIndex, logger *slog.Logger) *views {
	cycles := &lastCycles{Role: role, temporal: temporal}
	return &views{
		role: role, log: logger, cycle: cycles.last, schedule: common.Cycles.State, pauses: common.Pauses.List, ends: common.LastRuns.Ends,
		sources: activities.LookAtSources(steps), syncs: syncs,
	}
}

// Latest returns the last view; false if there is none, or none that is recent.
func (v *views) Latest() (fleet.View, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.latest, !v.latest.ReadAt.IsZero() && time.Since(v.latest.ReadAt) < maxViewAge
}

// run reads until ctx is done.
func (v *views) run(ctx context.Context) {
	tick := time.NewTicker(viewInterval)
	defer tick.Stop()
	for {
		v.readOnce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// readOnce reads a view. A failure is only logged, once as long as it lasts: the last view ages.
func (v *views) readOnce(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	view, err := v.read(bounded)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if text := err.Error(); text != v.trouble {
			v.trouble = text
			v.log.Warn("How the syncs are could not be read: metrics of syncs stop until it can", "error", err)
		}
		return
	}
	v.trouble = ""
	v.mu.Lock()
	defer v.mu.Unlock()
	v.latest = view
}

func (v *views) read(ctx context.Context) (view fleet.View, err error) {
	f := fleet.Facts{Role: v.role.Name, InBucket: v.role == contract.Producer, ChildID: v.role.ChildID, Now: time.Now()}
	if f.Cycle, err = v.cycle(ctx); err != nil {
		return view, err
	}
	if f.Schedule, err = v.schedule(ctx); err != nil {
		return view, err
	}
	if f.Pauses, err = v.pauses(ctx); err != nil {
		return view, err
	}
	f.Failures = v.since(f.Now, v.readSources(ctx, &f))
	v.readEnds(ctx, &f)
	return fleet.Join(f), nil
}

// readSources reads which syncs there are, and where their sources are. What cannot be read is a failure of the side, and
// what was read last has to do.
func (v *views) readSources(ctx context.Context, f *fleet.Facts) (failures []plan.Failure) {
	if v.sources != nil {
		// A worker that has just started knows what cycles have seen.
		v.states.Seen.Sequence = max(v.states.Seen.Sequence, f.Cycle.CatalogSequence)
		v.states = v.sources(ctx, v.states)
		f.CatalogCreated, f.Sources = v.states.Created, v.states.Syncs
		if v.states.Failure != nil {
			failures = append(failures, *v.states.Failure)
		}
	}
	if v.syncs != nil {
		named, err := v.syncs.all(ctx)
		if err != nil {
			return append(failures, plan.Failure{Subject: "list of syncs", Kind: activities.KindOf(err), Reason: foreign.Line(err.Error(), maxUnreadable)})
		}
		f.Sources = v.states.Of(named)
	}
	return failures
}

// since says since when something cannot be read.
func (v *views) since(now time.Time, failures []plan.Failure) (all []fleet.SideFailure) {
	failing := map[string]time.Time{}
	for _, f := range failures {
		key := f.Subject + " " + f.Kind
		failing[key] = now
		if before, ok := v.failing[key]; ok {
			failing[key] = before
		}
		reported := fleet.Reported{Subject: f.Subject, Kind: f.Kind, Reason: f.Reason}
		all = append(all, fleet.SideFailure{Subject: f.Subject, Failure: reported.Failure(failing[key])})
	}
	v.failing = failing
	return all
}

// readEnds asks how the last runs ended of the syncs that are suspected not to be in sync. If these are many, some are asked for
// now and others the next time. Ends of others are forgotten: who has not read while they were suspected does not know them, and all
// workers tell alike.
func (v *views) readEnds(ctx context.Context, f *fleet.Facts) {
	f.Ends = make(map[project.Branch]fleet.End, len(v.known))
	for _, b := range fleet.Suspects(*f) {
		if end, ok := v.known[b.Identity()]; ok {
			f.Ends[b.Identity()] = end
		}
	}
	suspects := fleet.Suspects(*f) // but those of which an end says that they are in sync
	if len(suspects) > maxEndsAsked {
		next := max(0, slices.IndexFunc(suspects, func(b project.Branch) bool { return b.String() > v.asked }))
		suspects = slices.Concat(suspects[next:], suspects[:next])[:maxEndsAsked]
		v.asked = suspects[maxEndsAsked-1].String()
	}
	ends := v.ends(ctx, suspects)
	for _, b := range suspects {
		delete(f.Ends, b.Identity()) // it may be at work again
	}
	maps.Copy(f.Ends, ends)
	v.known = maps.Clone(f.Ends)
}
