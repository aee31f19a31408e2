package activities

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrReplayed says that an object is older than the one that was applied last.
	ErrReplayed = errors.New("object is older than what was applied last")
	// ErrFromFuture says that a manifest's creation time is in the future.
	ErrFromFuture = errors.New("object was made in the future")
)

// maxClockLead is how far another clock may be ahead of this one. A later time would block a branch until it has
// come.
const maxClockLead = 24 * time.Hour

// checkClock refuses a manifest whose creation time is too far ahead of this clock.
func (c *Consumer) checkClock(made time.Time) error { return checkFuture(made, c.Clock()) }

func checkFuture(made, now time.Time) error {
	if made.After(now.Add(maxClockLead)) {
		return fmt.Errorf("%w: it says %s, and now is %s", ErrFromFuture, made.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// replayGuard is a ref in the destination's repository that says which object was applied last to a branch. Its name
// ends in the creation time of the object's manifest. It moves in the same transaction as the branch, and is lost
// only with the repository.
//
// Without keys to verify signatures there is no guard, because anyone could put any time into a manifest.
type replayGuard struct {
	enabled bool
	prefix  string

	applied     time.Time // when the manifest was made that was applied last; zero when there is none
	ref, commit string    // "" when there is none
	// objects are the refs that note which object was looked at. There is more than one only if someone else wrote
	// there.
	objects map[string]string
}

// maxObjectNotes is more than a branch normally has, so that a few foreign ones can be deleted in the same
// transaction.
const maxObjectNotes = 8

// addRef adds a ref if it is one of the branch's guard refs, and tells whether it is. Among several times the latest
// counts, unless it is too far ahead to be true. All other refs are unwanted.
func (g *replayGuard) addRef(ref, commit string, latest time.Time, unwant func(ref, commit string)) bool {
	name, ours := strings.CutPrefix(ref, g.prefix)
	if !ours || strings.Contains(name, "/") && !strings.HasPrefix(name, "at-") && !strings.HasPrefix(name, "object-") {
		return false
	}
	if g.addNote(ref, commit) {
		return true
	}
	made, ok := timeOf(name)
	switch {
	case !ok || made.After(latest) || !made.After(g.applied):
		unwant(ref, commit)
	default:
		if g.ref != "" {
			unwant(g.ref, g.commit)
		}
		g.applied, g.ref, g.commit = made, ref, commit
	}
	return true
}

// addNote takes in a note of which object was looked at.
func (g *replayGuard) addNote(ref, commit string) bool {
	name, ours := strings.CutPrefix(ref, g.prefix+"object-")
	if !ours || strings.Contains(name, "/") || len(g.objects) == maxObjectNotes {
		return false
	}
	if g.objects == nil {
		g.objects = map[string]string{}
	}
	g.objects[ref] = commit
	return true
}

func timeOf(name string) (time.Time, bool) {
	digits, ok := strings.CutPrefix(name, "at-")
	nanoseconds, err := strconv.ParseInt(digits, 10, 64)
	return time.Unix(0, nanoseconds).UTC(), ok && err == nil && nanoseconds >= 0
}

// refAt is the guard's ref for a manifest's creation time.
func (g replayGuard) refAt(made time.Time) string {
	return g.prefix + "at-" + strconv.FormatInt(made.UnixNano(), 10)
}

// proven tells whether the destination is known to keep the guard.
func (g replayGuard) proven() bool { return !g.enabled || g.ref != "" }

// refuseOlder refuses a manifest that is older than the one applied last.
func (g replayGuard) refuseOlder(made time.Time) error {
	if made.Before(g.applied) {
		return fmt.Errorf("%w: it was made at %s, the last one at %s", ErrReplayed, made.Format(time.RFC3339Nano), g.applied.Format(time.RFC3339Nano))
	}
	return nil
}

// updatesFor returns the updates that replace the guard's refs by those for a manifest and for its object. Without a guard,
// it only replaces the refs that record objects, and only if there is a new one.
func (g replayGuard) updatesFor(made time.Time, note, commit string) (updates []smarthttp.RefUpdate) {
	current := ""
	if g.enabled {
		current = g.refAt(made)
	} else if note == "" {
		return nil
	}
	old := map[string]string{g.ref: g.commit}
	maps.Copy(old, g.objects)
	delete(old, "")
	for _, ref := range []string{current, note} {
		if ref != "" && old[ref] != commit {
			updates = append(updates, smarthttp.RefUpdate{Ref: ref, Old: old[ref], New: commit})
		}
		delete(old, ref)
	}
	for ref, commit := range old {
		updates = append(updates, smarthttp.RefUpdate{Ref: ref, Old: commit})
	}
	return updates
}
