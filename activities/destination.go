package activities

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ownRefs is the prefix of the consumer's own refs in a destination repository:
//
//	incoming/<branch>/tip              commits that were sent before the branch moves
//	applied/<branch>/at-<nanoseconds>  the creation time of the manifest that was applied last
//	applied/<branch>/object-<seconds>  the upload time of the newest object that was looked at
//
// Where it is a tag, its full name takes the place of the branch. No branch's name begins like one. Those of a set of
// refs are in set_refs.go.
const ownRefs = "refs/git-partition-sync"

func incomingRef(b project.Branch) string { return ownRefs + "/incoming/" + b.Branch + "/tip" }

// appliedRefPrefix is the folder of the replay guard.
func appliedRefPrefix(b project.Branch) string {
	if b.IsSet() {
		return setFolder(b)
	}
	return ownRefs + "/applied/" + b.Branch + "/"
}

// objectRef is the ref which says that the object with this upload time has been looked at.
func objectRef(b project.Branch, modified time.Time) string {
	return appliedRefPrefix(b) + "object-" + strconv.FormatInt(modified.Unix(), 10)
}

// maxUnwanted bounds how many unwanted refs are kept in memory and deleted in one push.
const maxUnwanted = 2000

// destination is the branch, tag or set of refs to push to, with the refs of its project as they were read last.
type destination struct {
	forge  DestinationForge
	branch project.Branch
	now    func() time.Time

	missing  bool // there was no such project when it was read first: a push creates it
	groups   missingGroups
	tip      string // "" when the branch does not exist, or no ref matches the set; of a set, the state of all refs that do
	incoming string // "" when there is no such ref; of a set, the state whose objects have been sent
	guard    replayGuard
	set      *setRefs // nil for a single branch or tag
	// incomingObject is what a set's ref points to that says which state is incoming.
	incomingObject string
	// unwanted are refs below the consumer's prefixes that others put there, that block the consumer's refs, or that
	// newer ones have replaced. There may be more than fit.
	unwanted map[string]string
}

// newDestination is one without refs.
func (c *Consumer) newDestination(b project.Branch) destination {
	empty := destination{
		forge: c.Destination, branch: b, now: c.Clock,
		guard: replayGuard{enabled: c.Verifier.Verifies(), prefix: appliedRefPrefix(b)},
	}
	if b.IsSet() {
		empty.set = newSetRefs(b)
	}
	return empty
}

// latest is the latest time of a replay guard that can be true.
func (d destination) latest() time.Time { return d.now().Add(maxClockLead) }

// readDestination reads the refs of a branch. If projects are to be created, one that does not exist has none.
func (c *Consumer) readDestination(ctx context.Context, b project.Branch) (destination, error) {
	empty := c.newDestination(b)
	d, err := empty.reread(ctx)
	if !c.CreateProjects || !errors.Is(err, smarthttp.ErrNotFound) {
		return d, err
	}
	empty.missing = true
	if empty.groups, err = c.missingGroups(ctx, b.Group); err != nil {
		return d, fmt.Errorf("destination %s: %w", b, err)
	}
	return empty, nil
}

// reread returns the destination as its refs are now, read in one request.
func (d destination) reread(ctx context.Context) (destination, error) {
	d.tip, d.incoming, d.unwanted = "", "", map[string]string{}
	d.guard = replayGuard{enabled: d.guard.enabled, prefix: appliedRefPrefix(d.branch)}
	latest := d.latest()
	if d.branch.IsSet() {
		return d.rereadSet(ctx, latest)
	}
	// Not all below ownRefs: a set's shadows may be many.
	wanted := smarthttp.Wanted{Names: []string{d.branch.Ref()}, Prefixes: []string{ownRefs + "/incoming", ownRefs + "/applied"}}
	err := d.eachRef(ctx, wanted, func(r smarthttp.Ref) error {
		ref, commit := r.Name, r.Object
		switch {
		case ref == d.branch.Ref():
			d.tip = commit
		case ref == d.incomingRef():
			d.incoming = commit
		case !d.guard.enabled && d.guard.addNote(ref, commit):
		case d.guard.enabled && d.guard.addRef(ref, commit, latest, d.markUnwanted):
		case path.Dir(ref) == path.Dir(d.incomingRef()), blocks(ref, d.incomingRef()), d.guard.enabled && blocks(ref, d.guard.prefix+"at-0"):
			d.markUnwanted(ref, commit)
		}
		return nil
	})
	return d, err
}

func (d destination) eachRef(ctx context.Context, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	err := d.forge.EachRef(ctx, d.branch.Path(), wanted, visit)
	if d.missing && errors.Is(err, smarthttp.ErrNotFound) {
		err = hidden(err) // a push has just found the project, or created it
	}
	if err != nil {
		return fmt.Errorf("destination %s: %w", d.branch, err)
	}
	return nil
}

func (d destination) incomingRef() string { return incomingRef(d.branch) }

// ownFolder is the folder of the branch's own refs besides the replay guard, with a slash at its end. What else is in it
// is unwanted.
func (d destination) ownFolder() string {
	if d.set != nil {
		return setFolder(d.branch)
	}
	return path.Dir(d.incomingRef()) + "/"
}

func (d destination) markUnwanted(ref, commit string) {
	if len(d.unwanted) < maxUnwanted {
		d.unwanted[ref] = commit
	}
}

// commitOf reads the commit of one ref; "" means that the ref does not exist.
func (d destination) commitOf(ctx context.Context, ref string) (string, error) {
	refs, err := d.forge.Refs(ctx, d.branch.Path(), ref)
	return refs[ref], err
}

// hasRefAt tells whether one of the refs is at the commit. Then the destination has the commit's whole history. Of a set,
// only the refs themselves keep all objects of a state.
func (d destination) hasRefAt(commit string) bool {
	return commit == d.tip || d.set == nil && commit == d.incoming
}

// ownRefAt is what one of the consumer's own refs pointed to; "" when it did not exist.
func (d destination) ownRefAt(ref string) string {
	switch of, isShadow := shadowed(ref); {
	case ref == d.guard.ref:
		return d.guard.commit
	case d.set == nil && ref == d.incomingRef():
		return d.incoming
	case d.set != nil && ref == stateRef(d.branch, d.incoming):
		return d.incomingObject
	case d.set != nil && isShadow:
		return d.set.put[of]
	}
	return cmp.Or(d.guard.objects[ref], d.unwanted[ref])
}

// anyObject is one that the destination has; "" if none is known.
func (d destination) anyObject() string {
	if d.set == nil {
		return d.tip
	}
	if d.incomingObject != "" || len(d.set.at) == 0 {
		return d.incomingObject
	}
	return d.set.at[slices.Min(slices.Collect(maps.Keys(d.set.at)))]
}

// pushRefs sends a request to the branch's project.
func (d destination) pushRefs(ctx context.Context, request smarthttp.PushRequest) error {
	request.Repo, request.NoRefs = d.branch.Path(), d.missing && d.incoming == ""
	err := d.forge.Push(ctx, request)
	if d.missing {
		err = d.classifyCreation(ctx, err)
	}
	return err
}

// updateRefs moves refs to commits that the destination has.
func (d destination) updateRefs(ctx context.Context, updates ...smarthttp.RefUpdate) error {
	return d.pushRefs(ctx, smarthttp.PushRequest{
		Updates: updates,
		Pack:    bytes.NewReader(smarthttp.EmptyPack), PackSize: int64(len(smarthttp.EmptyPack)),
	})
}

// updateApart moves refs like updateRefs, but each for itself: what the destination refuses keeps nothing else back.
func (d destination) updateApart(ctx context.Context, updates ...smarthttp.RefUpdate) error {
	return d.pushRefs(ctx, smarthttp.PushRequest{
		Updates: updates, Apart: true,
		Pack: bytes.NewReader(smarthttp.EmptyPack), PackSize: int64(len(smarthttp.EmptyPack)),
	})
}

// deleteRefs deletes refs, in a push without a pack.
func (d destination) deleteRefs(ctx context.Context, deletions ...smarthttp.RefUpdate) error {
	return d.pushRefs(ctx, smarthttp.PushRequest{Updates: deletions})
}

// blocks tells whether a ref has a name that is a folder of ours, or is below ours, so that ours cannot be created.
// Git accepts no ref with the name ownRefs, which is too short.
func blocks(ref, ours string) bool {
	if strings.HasPrefix(ref, ours+"/") {
		return true
	}
	for folder := path.Dir(ours); folder != ownRefs; folder = path.Dir(folder) {
		if ref == folder {
			return true
		}
	}
	return false
}
