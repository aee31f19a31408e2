package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ErrReplayed says that an object is older than what the destination was given before.
var ErrReplayed = errors.New("object is older than what was applied last")

// refsPrefix is where the consumer keeps refs of its own in a destination repository.
const refsPrefix = "refs/git-partition-sync/"

// memory is what a destination remembers of the object that was last applied to a branch: a ref
// whose name ends in the time at which its manifest was made. It moves in the same transaction
// as the branch, and is lost only with the repository.
type memory struct {
	prefix string
	refs   map[string]string // name to commit; more than one only if something else wrote there
}

// recall reads the memory. Without keys to verify signatures with, anyone could write any time
// into a manifest: then there is nothing to remember.
func (c *Consumer) recall(ctx context.Context, b project.Branch) (memory, error) {
	m := memory{prefix: refsPrefix + "applied/" + b.Branch + "/at-"}
	if !c.Verifier.Verifies() {
		return m, nil
	}
	below, _, _ := strings.Cut(m.prefix, "at-")
	refs, err := c.Destination.RefsBelow(ctx, b.Path(), below)
	if err != nil {
		return m, fmt.Errorf("destination %s: %w", b, err)
	}
	m.refs = map[string]string{}
	for ref, commit := range refs {
		if _, ok := m.timeOf(ref); ok {
			m.refs[ref] = commit
		}
	}
	return m, nil
}

func (m memory) timeOf(ref string) (time.Time, bool) {
	digits, ok := strings.CutPrefix(ref, m.prefix)
	nanoseconds, err := strconv.ParseInt(digits, 10, 64)
	return time.Unix(0, nanoseconds).UTC(), ok && err == nil
}

// check refuses a manifest that was made before the last one that was applied.
func (m memory) check(made time.Time) error {
	for ref := range m.refs {
		if last, _ := m.timeOf(ref); made.Before(last) {
			return fmt.Errorf("%w: it was made at %s, the last one at %s", ErrReplayed, made.Format(time.RFC3339Nano), last.Format(time.RFC3339Nano))
		}
	}
	return nil
}

// remember gives the updates that put a manifest in the place of the earlier ones.
func (c *Consumer) remember(m memory, made time.Time, commit string) (updates []smarthttp.RefUpdate) {
	if !c.Verifier.Verifies() {
		return nil
	}
	current := m.prefix + strconv.FormatInt(made.UnixNano(), 10)
	if m.refs[current] != commit {
		updates = append(updates, smarthttp.RefUpdate{Ref: current, Old: m.refs[current], New: commit})
	}
	for ref, old := range m.refs {
		if ref != current {
			updates = append(updates, smarthttp.RefUpdate{Ref: ref, Old: old})
		}
	}
	return updates
}
