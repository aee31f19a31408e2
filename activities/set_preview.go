package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// maxPreviews is how many sets of a page are looked at in detail, which have room in Temporal's payloads.
const maxPreviews = 20

// previewSets adds to the reasons of planned pushes of sets what would become of which ref. It reads the refs of the
// objects, and no packs.
func (c *Consumer) previewSets(ctx context.Context, pushes []plan.Push) {
	previews := 0
	for i, p := range pushes {
		if !p.Destination.IsSet() || previews == maxPreviews {
			continue
		}
		previews++
		preview, err := c.previewSet(ctx, p)
		if err != nil {
			preview = "which refs would change is not known: " + err.Error()
		}
		pushes[i].Reason += "; " + preview
	}
}

func (c *Consumer) previewSet(ctx context.Context, p plan.Push) (string, error) {
	to, err := c.readDestination(ctx, p.Destination)
	if err != nil {
		return "", err
	}
	list, err := c.readList(ctx, p.Objects, to)
	if err != nil {
		return "", err
	}
	return describeChanges(to.set.changesTo(list, c.deletionPolicy())), nil
}

func (c *Consumer) deletionPolicy() deletionPolicy {
	return deletionPolicy{allowed: c.DeleteRefs && !c.FastForwardOnly, maxShare: c.MaxDeletedShare}
}

// describeChanges names the refs that would be created, moved and deleted, the first of each.
func describeChanges(to setChanges) string {
	var created, moved, deleted, refused []string
	for _, c := range to.changes {
		switch {
		case c.old == c.new:
		case c.old == "":
			created = append(created, c.ref)
		case c.new == "":
			deleted = append(deleted, c.ref)
		default:
			moved = append(moved, c.ref)
		}
	}
	for _, r := range to.refused {
		refused = append(refused, r.ref)
	}
	var parts []string
	for _, part := range []struct {
		verb string
		refs []string
	}{{"create", created}, {"move", moved}, {"delete", deleted}, {"fail for", refused}} {
		if len(part.refs) > 0 {
			parts = append(parts, fmt.Sprintf("%s %d: %s", part.verb, len(part.refs), nameRefs(part.refs)))
		}
	}
	if to.massDeletion {
		parts = append(parts, fmt.Sprintf("delete none of %d that have gone, which are too many at once: %s", len(to.kept), nameRefs(to.kept)))
	}
	if len(parts) == 0 {
		return "no ref would change"
	}
	return "would " + strings.Join(parts, "; ")
}

// nameRefs names the first refs, and counts the others.
func nameRefs(refs []string) string {
	var names []string
	for _, ref := range refs[:min(len(refs), maxNamed)] {
		names = append(names, foreign.Quote(ref, 100))
	}
	if more := len(refs) - maxNamed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
