package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// maxAbsent and maxAbsentSize, in bytes of JSON, bound what is remembered, and so what one cycle may delete.
	// Destinations that left first come first. The others follow when those are gone.
	maxAbsent     = 250
	maxAbsentSize = 128 << 10

	// maxDeletions bounds the entries of Absence.Deleted.
	maxDeletions = 24
)

// Absence is what the producer remembers from one cycle to the next: which destinations have left the configuration
// although the bucket has objects of them. The zero value remembers nothing.
type Absence struct {
	Branches []Absent `json:"branches,omitempty"` // the earliest first
	// Deleted has the deletions that still count towards Retention.MaxShare.
	Deleted []Deletion `json:"deleted,omitempty"` // oldest first
}

// Absent is a destination that has left the configuration.
type Absent struct {
	Destination project.Branch `json:"destination"`
	Since       time.Time      `json:"since"` // when a cycle first found it gone
	// Covered says that another destination that is configured has refs of it: it is not lost, and does not count towards
	// Retention.MaxShare.
	Covered bool `json:"covered,omitempty"`
}

// Deletion says of how many destinations, not counting covered ones, a cycle deleted the objects.
type Deletion struct {
	At           time.Time `json:"at"`
	Destinations int       `json:"destinations"`
}

// Retention decides which orphans may be deleted: the objects of destinations that have left the configuration.
type Retention struct {
	// After is how long a destination has to be absent before its objects are deleted.
	After time.Duration
	// MaxShare is the largest share (0 to 1) of the bucket's destinations whose objects may be deleted within After, or
	// at once if After is 0. If more are absent, the configuration is taken for wrong. Those count that no configured
	// destination overlaps. Of 0, nothing is deleted.
	MaxShare float64
}

// Orphans says what to do about the orphans.
type Orphans struct {
	Absence Absence          `json:"absence,omitzero"` // for the next cycle to remember
	Due     []project.Branch `json:"due,omitempty"`    // whose objects may be deleted now
	Warning string           `json:"-"`                // a page has it as its own
	Failure *Failure         `json:"-"`                // why nothing is deleted; a page has it among its own
	// Trusted says that the configuration may be acted upon: what no sync is for has left it, and may be deleted.
	Trusted bool `json:"-"`
}

// Omitted counts the bucket's destinations that a plan is given no chains of, because there was no room for their
// objects.
type Omitted struct {
	Configured, Unconfigured int
	// Uncountable says that there are too many to count.
	Uncountable bool
}

// Orphans compares the bucket with the configuration. Nothing is deleted while the configuration itself is doubtful:
// when it is empty, has entries that are invalid, or has lost too much.
func (r Retention) Orphans(syncs []project.Sync, chains map[project.Branch]chain.Chain, unlisted Omitted, remembered Absence, now time.Time) Orphans {
	gone, doubtful := findAbsent(syncs, chains)
	deleted := remembered.recentlyDeleted(now.Add(-r.After))
	out := Orphans{Absence: Absence{Deleted: deleted}}
	if doubtful || len(syncs) == 0 {
		// It is not known who has left. Those who are still missing have not come back either.
		out.Absence.Branches = slices.DeleteFunc(slices.Clone(remembered.Branches), func(a Absent) bool { return !gone.has(a.Destination) })
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
	covered := gone.covered()
	if r.MaxShare == 0 {
		covered = 0 // not even those are deleted
	}
	all := len(chains) - covered + unlisted.Configured + unlisted.Unconfigured + earlier
	switch left := len(gone) - covered + unlisted.Unconfigured + earlier; {
	case len(gone) == 0:
	case unlisted.Uncountable:
		out.refuseDeletion("the bucket has objects of more destinations than can be counted: the objects of those that are no longer configured are kept")
	case float64(left) > r.MaxShare*float64(all):
		out.refuseDeletion("%d of %d destinations in the bucket are no longer configured%s, more than the share of %g that may be deleted: "+
			"check the configuration, or raise PRUNE_MAX_SHARE", left, all, deletedSuffix(earlier), r.MaxShare)
	default:
		out.selectDue(len(gone), r.After, now)
	}
	out.Trusted = out.Failure == nil && !unlisted.Uncountable && r.MaxShare > 0
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

// selectDue separates the destinations whose objects may be deleted now from those that are kept for a while.
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

// absentees are the bucket's destinations that no sync has. They are true where a configured destination overlaps them.
type absentees map[project.Branch]bool

func (g absentees) has(b project.Branch) bool { _, ok := g[b]; return ok }

func (g absentees) covered() (n int) {
	for _, is := range g {
		if is {
			n++
		}
	}
	return n
}

// findAbsent returns the bucket's destinations that no sync has. It is doubtful when an entry of the configuration is
// invalid, as that may be meant for any of them.
func findAbsent(syncs []project.Sync, chains map[project.Branch]chain.Chain) (gone absentees, doubtful bool) {
	configured := make(map[project.Branch]bool, len(syncs))
	for _, s := range syncs {
		configured[s.Destination.Identity()] = true
		doubtful = doubtful || s.Validate() != nil
	}
	var overlaps project.OverlapIndex
	if !doubtful {
		overlaps = project.NewOverlapIndex(maps.Keys(configured))
	}
	gone = absentees{}
	for branch := range chains {
		if !configured[branch.Identity()] {
			_, gone[branch] = firstOf(overlaps.Overlapping(branch))
		}
	}
	return gone, doubtful
}

// updateAbsent returns the absent destinations with the times since when they are absent: the remembered time, or now
// for new ones. A remembered time in the future came from a wrong clock, and becomes now.
func (a Absence) updateAbsent(gone absentees, now time.Time) []Absent {
	since := make(map[project.Branch]time.Time, len(a.Branches))
	for _, b := range a.Branches {
		since[b.Destination] = b.Since
	}
	var out []Absent
	for branch, covered := range gone {
		at, known := since[branch]
		if !known || at.After(now) {
			at = now
		}
		out = append(out, Absent{branch, at.UTC(), covered})
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

// Has tells whether a destination was absent already.
func (a Absence) Has(destination project.Branch) bool {
	return slices.ContainsFunc(a.Branches, func(b Absent) bool { return b.Destination == destination })
}

// recentlyDeleted returns the deletions after the given time.
func (a Absence) recentlyDeleted(since time.Time) (recent []Deletion) {
	for _, d := range a.Deleted {
		if d.At.After(since) {
			recent = append(recent, d)
		}
	}
	return recent
}

// RecordDeletion returns the absence after the objects of these destinations were deleted.
func (a Absence) RecordDeletion(deleted []project.Branch, now time.Time) Absence {
	if len(deleted) == 0 {
		return a
	}
	counted := len(deleted)
	a.Branches = slices.DeleteFunc(slices.Clone(a.Branches), func(b Absent) bool {
		is := slices.Contains(deleted, b.Destination)
		if is && b.Covered {
			counted--
		}
		return is
	})
	if counted == 0 {
		return a
	}
	a.Deleted = append(slices.Clone(a.Deleted), Deletion{now.UTC(), counted})
	if len(a.Deleted) > maxDeletions { // merge the two oldest into one with the later time
		a.Deleted[1].Destinations += a.Deleted[0].Destinations
		a.Deleted = a.Deleted[1:]
	}
	return a
}
