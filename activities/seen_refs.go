package activities

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// seenFor is how long what Download has seen counts. GitLab creates a project that is gone when it is asked for the refs of a push, and
// so Push looks whether it is there first, unless that is known of a moment ago.
const seenFor = 30 * time.Second

// SeenRefs are the consumer's own refs of a branch, as Download has read them beside the branch's.
type SeenRefs struct {
	At       time.Time         `json:"at"`                 // before they were read, by the consumer's clock
	Incoming string            `json:"incoming,omitempty"` // the commit of the incoming ref; empty when it did not exist
	Guard    map[string]string `json:"guard,omitempty"`    // commits of the replay guard's refs, by their names
}

// seenRefs is nil where Push has more to know of the destination than its result can hold.
func (d destination) seenRefs(at time.Time) *SeenRefs {
	if d.set != nil || d.missing || len(d.unwanted) > 0 {
		return nil
	}
	guard := maps.Clone(d.guard.objects)
	if guard == nil {
		guard = map[string]string{}
	}
	if d.guard.ref != "" {
		guard[d.guard.ref] = d.guard.commit
	}
	return &SeenRefs{At: at, Incoming: d.incoming, Guard: guard}
}

// takeSeen has a push begin with the refs that Download has read, and does not read them again. Each ref that it is decided by is one that
// it moves, in one transaction: the branch, and the replay guard, which only a later manifest's takes the place of. So nothing is sent where
// one of them has been moved since. It is false where that is not so, where it was too long ago, or where the destination has to answer a
// question on the way.
func (p *push) takeSeen(d destination) bool {
	seen, target := p.Target.Seen, p.Target
	if seen == nil || len(p.Bundles) != 1 || target.SeenTip == target.Commit || p.fastForwardOnly || d.branch.IsSet() {
		return false
	}
	if age := d.now().Sub(seen.At); age < 0 || age > seenFor || target.SeenTip == "" && !d.guard.enabled {
		return false
	}
	d.tip, d.incoming, d.unwanted = target.SeenTip, seen.Incoming, map[string]string{}
	for ref, commit := range seen.Guard {
		isGuard := d.guard.enabled && d.guard.addRef(ref, commit, d.latest(), d.markUnwanted) || !d.guard.enabled && d.guard.addNote(ref, commit)
		if !isGuard {
			return false
		}
	}
	if len(d.unwanted) > 0 || !d.guard.proven() || d.guard.enabled && !p.manifestTime().After(d.guard.applied) {
		return false
	}
	p.destination, p.isSeen = d, true
	return true
}

// isOutdated tells that a push may have failed because the destination is no longer what Download has seen.
func (p *push) isOutdated(err error) bool {
	return p.isSeen && (isMoved(err) || errors.Is(err, smarthttp.ErrNotFound))
}

// readInto has a push begin with the refs as they are now.
func (c *Consumer) readInto(ctx context.Context, p *push, work PushWork) (err error) {
	p.isSeen = false
	p.destination, err = c.readDestination(ctx, work.Plan.Destination)
	return err
}
