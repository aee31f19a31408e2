package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// maxAbsent and maxAbsentSize, in bytes of JSON, bound what is remembered, and so what one cycle may delete.
	// Those who left first come first; the others get their turn when these are gone.
	maxAbsent     = 250
	maxAbsentSize = 128 << 10

	// maxDeletions bounds how finely the times of deletions are told apart.
	maxDeletions = 24
)

// Absence is what the producer remembers, from one cycle to the next, of destinations that the
// bucket has objects of although they have left the configuration. The zero value remembers nothing.
type Absence struct {
	Branches []Absent `json:"branches,omitempty"` // the earliest first
	// Deleted tells of the deletions that still count against the share.
	Deleted []Deletion `json:"deleted,omitempty"` // oldest first
}

// Absent is a destination that has left the configuration.
type Absent struct {
	Destination project.Branch `json:"destination"`
	Since       time.Time      `json:"since"` // when a cycle first found it gone
}

// Deletion says how many destinations a cycle has deleted the objects of.
type Deletion struct {
	At           time.Time `json:"at"`
	Destinations int       `json:"destinations"`
}

// Retention decides which orphans, the objects of destinations that have left the configuration,
// may be deleted.
type Retention struct {
	// After is how long a destination has to be absent first.
	After time.Duration
	// MaxShare is the largest share (0 to 1) of the bucket's destinations whose objects may be deleted within
	// After, or at once if that is 0, before the configuration is mistrusted.
	MaxShare float64
}

// Orphans is what is to be done about orphans.
type Orphans struct {
	Absence Absence          `json:"absence,omitzero"` // for the next cycle to remember
	Due     []project.Branch `json:"due,omitempty"`    // whose objects may be deleted now
	Warning string           `json:"-"`                // a page has it as its own
	Failure *Failure         `json:"-"`                // why nothing is deleted; a page has it among its own
}

// Omitted counts the bucket's destinations that are not among the chains which a plan is given: there was no
// room for their objects.
type Omitted struct {
	Configured, Unconfigured int
	// Uncountable says that there are too many to be counted.
	Uncountable bool
}

// Orphans compares the bucket with the configuration. Objects stay when the configuration itself is in
// doubt: when it is empty, when it has entries that cannot be read, or when too much has gone.
func (r Retention) Orphans(syncs []project.Sync, chains map[project.Branch]chain.Chain, unlisted Omitted, remembered Absence, now time.Time) Orphans {
	gone, doubtful := findAbsent(syncs, chains)
	deleted := remembered.recentlyDeleted(now.Add(-r.After))
	out := Orphans{Absence: Absence{Deleted: deleted}}
	if doubtful || len(syncs) == 0 {
		// Nobody is known to have left; who is still missing has not come back either.
		out.Absence.Branches = slices.DeleteFunc(slices.Clone(remembered.Branches), func(a Absent) bool { return !gone[a.Destination] })
		if len(gone) > 0 && !doubtful {
			out.refuseDeletion("no sync is configured: the objects of all %d destinations are kept", len(gone))
		}
		return out // doubtful entries are reported by themselves
	}
	out.Absence.Branches = remembered.updateAbsent(gone, now)
	earlier := 0
	for _, d := range deleted {
		earlier += d.Destinations
	}
	all := len(chains) + unlisted.Configured + unlisted.Unconfigured + earlier
	switch left := len(gone) + unlisted.Unconfigured + earlier; {
	case len(gone) == 0:
	case unlisted.Uncountable:
		out.refuseDeletion("the bucket has objects of more destinations than can be counted: the objects of those that are no longer configured are kept")
	case float64(left) > r.MaxShare*float64(all):
		out.refuseDeletion("%d of %d destinations in the bucket are no longer configured%s, more than the share of %g that may be deleted: "+
			"check the configuration, or raise PRUNE_MAX_SHARE", left, all, deletedSuffix(earlier), r.MaxShare)
	default:
		out.selectDue(len(gone), r.After, now)
	}
	return out
}

func deletedSuffix(earlier int) string {
	if earlier == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them deleted already", earlier)
}

func (out *Orphans) refuseDeletion(format string, args ...any) {
	out.Failure = &Failure{Subject: "bucket", Kind: KindPruneRefused, Reason: fmt.Sprintf(format, args...)}
}

// selectDue tells those whose time has come from those that are kept a while.
func (out *Orphans) selectDue(gone int, after time.Duration, now time.Time) {
	for _, a := range out.Absence.Branches {
		if !now.Before(a.Since.Add(after)) {
			out.Due = append(out.Due, a.Destination)
		}
	}
	if waiting := out.Absence.Branches[len(out.Due):]; len(waiting) > 0 {
		out.Warning = fmt.Sprintf("%d destinations have left the configuration, among them %s: a schedule or cron deletes the objects of each that stays away for %s, the first not before %s",
			gone, waiting[0].Destination, after, waiting[0].Since.Add(after).UTC().Format(time.RFC3339))
	}
}

// findAbsent tells which of the bucket's destinations no sync has, and whether that can be told at all: an entry
// that cannot be read may be any of them.
func findAbsent(syncs []project.Sync, chains map[project.Branch]chain.Chain) (gone map[project.Branch]bool, doubtful bool) {
	configured := make(map[project.Branch]bool, len(syncs))
	for _, s := range syncs {
		configured[s.Destination.Identity()] = true
		doubtful = doubtful || s.Validate() != nil
	}
	gone = map[project.Branch]bool{}
	for branch := range chains {
		if !configured[branch.Identity()] {
			gone[branch] = true
		}
	}
	return gone, doubtful
}

// updateAbsent keeps the times of those who are still gone, and adds those who are gone since now. A time that is
// yet to come is that of a clock that was wrong.
func (a Absence) updateAbsent(gone map[project.Branch]bool, now time.Time) []Absent {
	since := make(map[project.Branch]time.Time, len(a.Branches))
	for _, b := range a.Branches {
		since[b.Destination] = b.Since
	}
	var out []Absent
	for branch := range gone {
		at, known := since[branch]
		if !known || at.After(now) {
			at = now
		}
		out = append(out, Absent{branch, at.UTC()})
	}
	slices.SortFunc(out, func(a, b Absent) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Destination.String(), b.Destination.String()))
	})
	out = out[:min(len(out), maxAbsent)]
	for size, i := 0, 0; i < len(out); i++ {
		if size += jsonSize(out[i]) + 1; size > maxAbsentSize {
			return out[:i]
		}
	}
	return out
}

// recentlyDeleted leaves out what no longer counts.
func (a Absence) recentlyDeleted(since time.Time) (recent []Deletion) {
	for _, d := range a.Deleted {
		if d.At.After(since) {
			recent = append(recent, d)
		}
	}
	return recent
}

// RecordDeletion notes that the objects of these destinations have been deleted.
func (a Absence) RecordDeletion(deleted []project.Branch, now time.Time) Absence {
	if len(deleted) == 0 {
		return a
	}
	a.Branches = slices.DeleteFunc(slices.Clone(a.Branches), func(b Absent) bool { return slices.Contains(deleted, b.Destination) })
	a.Deleted = append(slices.Clone(a.Deleted), Deletion{now.UTC(), len(deleted)})
	if len(a.Deleted) > maxDeletions { // the two oldest become one, which counts for as long as the later
		a.Deleted[1].Destinations += a.Deleted[0].Destinations
		a.Deleted = a.Deleted[1:]
	}
	return a
}
