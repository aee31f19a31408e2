package activities

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrReplayed says that an object is older than what the destination was given before.
	ErrReplayed = errors.New("object is older than what was applied last")
	// ErrFromFuture says that a manifest was made after now.
	ErrFromFuture = errors.New("object was made in the future")
)

// maxAhead is how far a clock may be ahead of this one. A time beyond that would block a branch until it has come.
const maxAhead = 24 * time.Hour

func (c *Consumer) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// checkClock refuses a manifest that a clock far ahead of this one has made.
func (c *Consumer) checkClock(made time.Time) error {
	if now := c.now(); made.After(now.Add(maxAhead)) {
		return fmt.Errorf("%w: it says %s, and now is %s", ErrFromFuture, made.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// memory is what a destination remembers of the object that was last applied to a branch: a ref
// whose name ends in the time at which its manifest was made. It moves in the same transaction
// as the branch, and is lost only with the repository.
//
// Without keys to verify signatures with, anyone could write any time into a manifest: then
// nothing is kept.
type memory struct {
	keep   bool
	prefix string

	last        time.Time
	ref, commit string // "" when there is none
	// objects are the notes of which object was looked at; more than one only if something else wrote there.
	objects map[string]string
}

// maxObjectNotes is more than a branch has, so that a few foreign ones go in the same transaction.
const maxObjectNotes = 8

// take takes a ref in, if it is in the branch's folder. Of several times the latest counts, unless it is too far ahead to have
// been true. All that does not count is unwanted.
func (m *memory) take(ref, commit string, latest time.Time, unwant func(ref, commit string)) bool {
	name, ours := strings.CutPrefix(ref, m.prefix)
	if !ours || strings.Contains(name, "/") && !strings.HasPrefix(name, "at-") && !strings.HasPrefix(name, "object-") {
		return false
	}
	made, ok := timeOf(name)
	switch {
	case strings.HasPrefix(name, "object-") && !strings.Contains(name, "/") && len(m.objects) < maxObjectNotes:
		if m.objects == nil {
			m.objects = map[string]string{}
		}
		m.objects[ref] = commit
	case !ok || made.After(latest) || m.ref != "" && !made.After(m.last):
		unwant(ref, commit)
	default:
		if m.ref != "" {
			unwant(m.ref, m.commit)
		}
		m.last, m.ref, m.commit = made, ref, commit
	}
	return true
}

func timeOf(name string) (time.Time, bool) {
	digits, ok := strings.CutPrefix(name, "at-")
	nanoseconds, err := strconv.ParseInt(digits, 10, 64)
	return time.Unix(0, nanoseconds).UTC(), ok && err == nil && nanoseconds >= 0
}

// at is the ref that remembers a manifest.
func (m memory) at(made time.Time) string {
	return m.prefix + "at-" + strconv.FormatInt(made.UnixNano(), 10)
}

// proven tells that the destination has shown that it keeps a memory.
func (m memory) proven() bool { return !m.keep || m.ref != "" }

// check refuses a manifest that was made before the last one that was applied.
func (m memory) check(made time.Time) error {
	if m.ref != "" && made.Before(m.last) {
		return fmt.Errorf("%w: it was made at %s, the last one at %s", ErrReplayed, made.Format(time.RFC3339Nano), m.last.Format(time.RFC3339Nano))
	}
	return nil
}

// remember gives the updates that put a manifest, and the note of its object, in the place of the earlier ones.
func (m memory) remember(made time.Time, note, commit string) (updates []smarthttp.RefUpdate) {
	if !m.keep {
		return nil
	}
	current := m.at(made)
	old := map[string]string{m.ref: m.commit}
	for ref, commit := range m.objects {
		old[ref] = commit
	}
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
