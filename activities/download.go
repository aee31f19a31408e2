package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// ErrBrokenChain says that a branch's objects do not lead back to a commit that the destination has, or those of a set
// to a state.
var ErrBrokenChain = errors.New("the bucket's chain is broken")

// maxReplans is how often a download plans anew when the bucket changes meanwhile.
const maxReplans = 3

// Target is what a branch has to become, or a set of refs: then its state takes the place of the commit, and the refs
// are in the run's files.
type Target struct {
	Commit string `json:"commit"`
	// SeenTip is the branch's commit when the objects were chosen; empty when it did not exist.
	SeenTip string `json:"seen_tip,omitempty"`
	// SeenChain is what the bucket held then.
	SeenChain plan.ChainState `json:"follows,omitzero"`
	// AtTip describes the newest object, according to its manifest, if the branch was at that object's commit already, or
	// the destination had all objects of the set's state.
	AtTip *archive.Bundle `json:"at_tip,omitempty"`
	// Seen has more of what the destination had then; nil if Push has to read it.
	Seen *SeenRefs `json:"seen,omitempty"`
}

// Downloaded is what the destination needs: objects on a worker's disk.
type Downloaded struct {
	Staged  Staged          `json:"staged"`
	Target  Target          `json:"target"`
	Objects []object.Stored `json:"objects"` // oldest first; the file names are numbered
	// Nothing says in words that there is nothing to do. Only with Work.LookFirst.
	Nothing string `json:"nothing,omitempty"`
	// Short says that the steps that only need what was downloaded take moments. Only with Work.ShortSteps.
	Short bool `json:"short,omitempty"`
	// Pause is why nothing was downloaded. Only with Work.HeedPause.
	Pause *fleet.Pause `json:"pause,omitempty"`
}

// Download fetches the objects that the destination lacks. It plans anew when an object is gone, because a newer one
// has replaced it, and when others have moved the branch.
func (c *Consumer) Download(ctx context.Context, work PushWork) (downloaded Downloaded, err error) {
	meter := startMeter(ctx, 0) // before the destination and the bucket are asked, which may take long
	defer meter.stop()
	push, staged := work.Plan, stage(ctx, c.Host)
	if downloaded.Pause, err = c.pausedBefore(ctx, push.Destination, work.HeedPause); err != nil || downloaded.Pause != nil {
		return downloaded, err
	}
	run, err := c.Staging.Run(staged.Run)
	if err != nil {
		return downloaded, err
	}
	if work.LookFirst {
		switch pushed, err := c.pushedCommit(ctx, push.Destination); {
		case err != nil:
			return downloaded, err
		case pushed != "":
			return Downloaded{Staged: staged, Target: Target{Commit: pushed}, Nothing: nothingToDo("destination", push.Destination, pushed)}, nil
		}
	}
	for replans := 0; ; replans++ {
		downloaded, err = c.download(ctx, run, push, meter)
		downloaded.Staged = staged
		if err == nil {
			downloaded.Short = work.ShortSteps && c.areShort(sizeOf(downloaded.Objects))
			return downloaded, nil
		}
		err = errors.Join(err, run.Remove())
		replaced := errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrReplaced)
		if !replaced || replans == maxReplans {
			return downloaded, err
		}
		if push, err = c.replan(ctx, push); err != nil {
			return downloaded, err
		}
	}
}

func (c *Consumer) download(ctx context.Context, run staging.Run, push plan.Push, meter *meter) (downloaded Downloaded, err error) {
	if !c.Allow.Allows(push.Destination) {
		return downloaded, fmt.Errorf("%w: %s", ErrNotAllowed, push.Destination.Path())
	}
	if err := checkObjects(push.Destination, push.Commit, push.Objects); err != nil {
		return downloaded, err
	}
	asked := c.Clock()
	to, err := c.readDestination(ctx, push.Destination)
	if err != nil {
		return downloaded, err
	}
	// A plan reads the bucket first. Here the branch is read first, so that the bucket's state is not older than the branch's.
	if stale, err := c.isStale(ctx, push, to.tip); err != nil {
		return downloaded, err
	} else if stale {
		if push, err = c.replan(ctx, push); err != nil {
			return downloaded, err
		}
	}
	downloaded.Target = Target{Commit: push.Commit, SeenTip: to.tip, SeenChain: push.ChainState()}
	if len(push.Objects) == 0 {
		return downloaded, nil
	}
	if to.set != nil {
		if err := c.stageList(ctx, run, push, to); err != nil {
			return downloaded, err
		}
	}
	if to.tip == push.Commit || to.set != nil && to.incoming == push.Commit && !push.FromSnapshot {
		if !to.guard.enabled && to.set == nil {
			return downloaded, nil
		}
		_, newest, err := c.readManifest(ctx, push.Objects[len(push.Objects)-1], push.Expected)
		downloaded.Target.AtTip = &newest
		return downloaded, err
	}
	if downloaded.Objects, err = missingObjects(ctx, push, to); err != nil {
		return downloaded, err
	}
	downloaded.Target.Seen = to.seenRefs(asked)
	return downloaded, c.fetchObjects(ctx, run, push, downloaded.Objects, meter)
}

// isStale tells whether the branch or the bucket has changed since the push was planned, as in a run that is reset
// much later, or on a worker that was suspended. The planned objects may then be older than what the destination has.
func (c *Consumer) isStale(ctx context.Context, push plan.Push, tip string) (bool, error) {
	if tip != push.Head && tip != push.Commit {
		return true, nil
	}
	planned := push.ChainState()
	for o, err := range objectsSince(ctx, c.Bucket, push.Destination, planned) {
		if err != nil || planned.OvertakenBy(o, "") {
			return true, err
		}
	}
	return false, nil
}

// missingObjects asks the destination which commits it has, and returns the end of the chain that it lacks. If the
// destination cannot be pushed to, this fails before anything is downloaded.
func missingObjects(ctx context.Context, push plan.Push, to destination) ([]object.Stored, error) {
	known := []string{to.tip, to.incoming}
	bases := plan.Bases(push.Objects)
	has := slices.ContainsFunc(bases, func(base string) bool { return slices.Contains(known, base) })
	anchor := cmp.Or(to.tip, to.incoming)
	switch {
	case to.set == nil && to.incoming == push.Commit:
		return push.Objects[len(push.Objects)-1:], nil // for its manifest
	case push.FromSnapshot || anchor == "":
		known = nil
	case to.set != nil: // nothing else tells what the destination has of a state
	case len(bases) > 0 && !has:
		var err error
		if known, err = to.forge.Known(ctx, push.Destination.Path(), anchor, bases...); err != nil {
			return nil, fmt.Errorf("destination %s: %w", push.Destination, err)
		}
	}
	objects := plan.MissingObjects(push.Objects, known)
	if objects == nil {
		return nil, fmt.Errorf("destination %s: %w: it has no object for commit %s", push.Destination, ErrBrokenChain, push.Objects[0].Base)
	}
	return objects, nil
}

// fetchObjects downloads the end of a push's objects.
func (c *Consumer) fetchObjects(ctx context.Context, run staging.Run, push plan.Push, objects []object.Stored, meter *meter) error {
	total := sizeOf(objects)
	if err := c.Staging.RequireFree(total); err != nil {
		return err
	}
	meter.total.Store(meter.done.Load() + total)
	etags := make([]string, len(objects))
	for i, o := range objects {
		if o.Size <= objectHeadSize {
			continue // downloading the whole object costs no more
		}
		var err error
		if etags[i], _, err = c.readManifest(ctx, o, push.ExpectedAt(objects, i)); err != nil {
			return err
		}
	}
	for i, o := range objects {
		err := run.Create(numbered(objectFile, i), func(f *os.File) error {
			return c.Bucket.Download(ctx, o.Key, etags[i], o.Size, meter.write(f))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func sizeOf(objects []object.Stored) (total int64) {
	for _, o := range objects {
		total += o.Size
	}
	return total
}
