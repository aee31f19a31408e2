package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// ErrTipDiffers says that a branch is not at the commit that was just pushed.
var ErrTipDiffers = errors.New("the branch is not at the pushed commit")

// PushInput is what Push needs besides the Work.
type PushInput struct {
	Target  Target           `json:"target"`
	Bundles []archive.Bundle `json:"bundles"`
	// LFS is what PushLFS has done; nil if the bundles need no LFS objects.
	LFS *PushedLFS `json:"lfs,omitempty"`
}

// Pushed is what happened to a destination branch, or to the refs of a set, whose states are in the place of commits.
type Pushed struct {
	Summary string `json:"summary"`
	Old     string `json:"old,omitempty"` // the tip before; empty when the branch is new
	Commit  string `json:"commit"`
	Size    int64  `json:"size"` // bytes of packs that were sent
	Warning string `json:"warning,omitempty"`

	Pause *fleet.Pause `json:"pause,omitempty"` // why nothing was pushed
}

// Push sends the bundles to the destination, oldest first, moves the branch once, and then verifies it. The branch is
// a mirror: if someone else has moved it, it is moved back, and the result has the commit that it was at. What an
// interrupted push has already sent is not sent again.
func (c *Consumer) Push(ctx context.Context, work PushWork, in PushInput) (pushed Pushed, err error) {
	branch := work.Plan.Destination
	run, err := c.Staging.Run(work.Staged.Run)
	if err != nil {
		return pushed, err
	}
	if err := discardObjects(run, in.Bundles); err != nil {
		return pushed, err
	}
	if !c.Allow.Allows(branch) {
		return pushed, fmt.Errorf("%w: %s", ErrNotAllowed, branch.Path())
	}
	if in.LFS == nil && c.LFS != nil {
		if err := requireLFSPushed(run, in.Bundles); err != nil {
			return pushed, err
		}
	}
	meter := startMeter(ctx, 0)
	defer meter.stop()
	ctx = meter.withSignsOfLife(ctx)
	p := c.newPush(work, in, run, meter)
	if !p.takeSeen(c.newDestination(branch)) {
		if err := c.readInto(ctx, p, work); err != nil {
			return pushed, err
		}
	}
	pushed, err = c.push(ctx, p, in)
	if p.isOutdated(err) {
		if err := c.readInto(ctx, p, work); err != nil {
			return pushed, err
		}
		pushed, err = c.push(ctx, p, in)
	}
	return pushed, err
}

// push brings the destination, whose refs have been read, to the target.
func (c *Consumer) push(ctx context.Context, p *push, in PushInput) (pushed Pushed, err error) {
	pushed = Pushed{Old: p.tip, Commit: p.Target.Commit}
	if len(in.Bundles) == 0 && in.Target.AtTip == nil {
		pushed.Summary, pushed.Commit, pushed.Warning = "nothing to push", p.tip, c.warning()
		return pushed, nil
	}
	made := p.manifestTime()
	isNew := p.tip != p.Target.Commit && made.After(p.guard.applied) // else it is put back to where it was
	if err = c.checkClock(made); err == nil {
		err = p.execute(ctx)
	}
	if err != nil && p.lacksLFS {
		err = fmt.Errorf("%w (%s)", err, c.whyLFSIsMissing(in))
	}
	if err != nil {
		return pushed, fmt.Errorf("destination %s: %w", p.branch, err)
	}
	if isNew {
		showCrossing(ctx, c.Clock().Sub(made))
	}
	pushed.Size = p.meter.done.Load()
	pushed.Summary = p.describe(pushed) + p.groups.describe()
	if in.LFS != nil {
		pushed.Summary += in.LFS.Note + ", with " + in.LFS.Summary()
	}
	if p.rolledBack {
		pushed.Summary += ", older than what was applied last: allow_rollback was used"
	}
	pushed.Warning = strings.Join(slices.DeleteFunc([]string{c.warning(), p.warning}, func(s string) bool { return s == "" }), "; ")
	return pushed, nil
}

// discardObjects makes room on the disk: what was in the objects of the predecessor has been verified, and is in other files.
func discardObjects(run staging.Run, bundles []archive.Bundle) error {
	for i := range bundles {
		err := run.Has(numbered(bundleFile, i))
		if errors.Is(err, staging.ErrMissing) {
			continue // the bundle is in the object
		}
		if err == nil {
			err = run.Discard(numbered(objectFile, i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newPush returns what is to be done at the destination, whose refs have not been read yet.
func (c *Consumer) newPush(work PushWork, in PushInput, run staging.Run, meter *meter) *push {
	p := &push{
		PushInput: in, foundCommit: c.foundCommit(in), allowRollback: work.Plan.AllowRollback, fastForwardOnly: c.FastForwardOnly,
		bucket: c.Bucket, identities: c.Identities, run: run, meter: meter,
	}
	if work.Plan.Destination.IsSet() {
		p.setPush = &setPush{
			deletion: c.deletionPolicy(), wholeChain: work.Plan.FromSnapshot, refused: map[string]string{},
		}
	}
	if p.foundCommit != "" {
		p.Target.Commit = p.foundCommit
	}
	return p
}

// countSent is how many of the bundles a destination has if one of its refs is at the commit.
func countSent(bundles []archive.Bundle, commit string) int {
	for i, b := range slices.Backward(bundles) {
		if b.Commit == commit {
			return i + 1
		}
	}
	return 0
}

func (p Pushed) describe() string {
	switch p.Old {
	case p.Commit:
		return "already at " + plan.Short(p.Commit)
	case "":
		return fmt.Sprintf("created at %s, %s", plan.Short(p.Commit), humanize.Bytes(uint64(p.Size)))
	default:
		return fmt.Sprintf("%s -> %s, %s", plan.Short(p.Old), plan.Short(p.Commit), humanize.Bytes(uint64(p.Size)))
	}
}
