package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// maxQuotedReasons bounds the reasons in a parent's error message. Its details have them all.
const maxQuotedReasons = 20

// maxQuotedKinds bounds the kinds of failures in the first line of that message.
const maxQuotedKinds = 5

// Report is what one cycle did. It is bounded: it has the first entries of each list, and counts the rest.
type Report struct {
	// Checked counts the branches that were looked at, UpToDate those that did not have to move.
	Checked  int `json:"checked"`
	UpToDate int `json:"up_to_date"`
	// Planned is what a dry run would have done, and why.
	Planned []string `json:"planned,omitempty"`
	// InSync and Behind list the branches of a dry run by where they are.
	InSync []plan.BranchStatus `json:"in_sync,omitempty"`
	Behind []plan.BranchStatus `json:"behind,omitempty"`
	// Sources is what the producer's catalog says of the branches that fail in a dry run, by destination.
	Sources map[string]*plan.SourceStatus `json:"sources,omitempty"`
	// Ends is where both ends of these are, likewise.
	Ends map[string]*plan.Ends `json:"ends,omitempty"`
	// LFS is what the bucket has of Git LFS; nil where a dry run has not looked.
	LFS *plan.LFSInBucket `json:"lfs,omitempty"`
	// Next is where to continue a dry run whose report had no room for all branches.
	Next *Position `json:"next,omitempty"`
	// Synced has a line for each branch that was moved.
	Synced     []string `json:"synced,omitempty"`
	SyncedMore int      `json:"synced_more,omitempty"`
	// Bytes is how many the children have moved that this is known of.
	Bytes int64 `json:"bytes,omitempty"`
	// Running are the children that were still running when the cycle ended. Most often they were started by an earlier
	// cycle.
	Running     []string `json:"running,omitempty"`
	RunningMore int      `json:"running_more,omitempty"`
	// Deferred counts the branches that have to move but were left for the next cycle because the time was up. Unchecked
	// counts those that were not looked at for the same reason.
	Deferred  int `json:"deferred,omitempty"`
	Unchecked int `json:"unchecked,omitempty"`
	// Pruned are the keys of the objects that were deleted.
	Pruned     []string `json:"pruned,omitempty"`
	PrunedMore int      `json:"pruned_more,omitempty"`
	// PruneLeft counts the objects that are no longer needed but were left for the next cycle.
	PruneLeft int `json:"prune_left,omitempty"`
	// Absence is what the producer's next cycle remembers of this one. Temporal hands it on.
	Absence plan.Absence `json:"absence,omitzero"`
	// NotCatalogued counts the destinations that the bucket has objects of and the producer's catalog does not name. Nothing
	// is pushed of them.
	NotCatalogued int `json:"not_catalogued,omitempty"`
	// Catalog is the producer's newest catalog that the consumer's next cycle remembers, as it does Absence.
	Catalog plan.CatalogSeen `json:"catalog,omitzero"`
	// Lags are the syncs that a complete cycle did not leave in sync. The next one goes on from them.
	Lags fleet.Lags `json:"lags,omitzero"`
	// Recovered is when a sync last got through that had failed before in a way that passes, and Halted says that none got through,
	// so that the cycle started no more. The next cycle goes by both.
	Recovered time.Time `json:"recovered,omitzero"`
	Halted    bool      `json:"halted,omitempty"`
	// Began is when a complete cycle began; zero in all other reports.
	Began time.Time `json:"began,omitzero"`
	// Bucket is what the bucket held when a complete cycle began.
	Bucket fleet.BucketUse `json:"bucket,omitzero"`
	// Paused are the syncs that were left alone because an operator has said so.
	Paused     []fleet.Pause `json:"paused,omitempty"`
	PausedMore int           `json:"paused_more,omitempty"`
	// Warning is what an operator should know although nothing failed.
	Warning string `json:"warning,omitempty"`
	// Failures are what went wrong.
	plan.Failures
}

// Each list of a report is bounded in entries, and in bytes of JSON, and so is what the message of a parent's error quotes. Temporal
// accepts 2 MiB, and not for one report: a schedule hands on the last result and the last failure together, each with a report. With
// more, the server ends the schedule for good.
const (
	maxListEntries = 200
	maxListSize    = 32 << 10
	maxQuotedSize  = 32 << 10
	maxWarning     = 4 << 10
)

// AddSynced notes that a branch was moved.
func (r *Report) AddSynced(line string) { appendBounded(&r.Synced, &r.SyncedMore, line) }

// AddRunning notes a running child that the cycle does not wait for.
func (r *Report) AddRunning(id string) { appendBounded(&r.Running, &r.RunningMore, id) }

// AddPruned notes that an object was deleted.
func (r *Report) AddPruned(key string) { appendBounded(&r.Pruned, &r.PrunedMore, key) }

// AddPaused notes which syncs were left alone, and how many more.
func (r *Report) AddPaused(pauses []fleet.Pause, more int) {
	for _, pause := range pauses {
		plan.AddPause(&r.Paused, &r.PausedMore, pause)
	}
	r.PausedMore += more
}

// Warn adds what an operator should know although nothing failed, unless it is said already.
func (r *Report) Warn(text string) {
	if !strings.Contains(r.Warning, text) && len(r.Warning)+len(text) <= maxWarning {
		r.Warning = strings.TrimPrefix(r.Warning+"; "+text, "; ")
	}
}

// appendBounded appends an entry to a list. When there is no room, it only counts it.
func appendBounded(entries *[]string, more *int, entry string) {
	size := func(v any) int {
		text, _ := json.Marshal(v) // strings have no errors
		return len(text)
	}
	if *more > 0 || len(*entries) == maxListEntries || size(*entries)+size(entry) > maxListSize {
		*more++
		return
	}
	*entries = append(*entries, entry)
}

// Extend adds the next part of a dry run.
func (r *Report) Extend(part Report) {
	r.Checked += part.Checked
	r.UpToDate += part.UpToDate
	r.Planned = append(r.Planned, part.Planned...)
	r.InSync = append(r.InSync, part.InSync...)
	r.Behind = append(r.Behind, part.Behind...)
	r.Failed = append(r.Failed, part.Failed...)
	r.FailedMore += part.FailedMore
	r.Unchecked, r.Next = part.Unchecked, part.Next
	r.NotCatalogued += part.NotCatalogued
	r.AddPaused(part.Paused, part.PausedMore)
	extend(&r.Sources, part.Sources)
	extend(&r.Ends, part.Ends)
}

func extend[V any](all *map[string]V, part map[string]V) {
	if *all == nil {
		*all = part
		return
	}
	maps.Copy(*all, part)
}

func (r Report) String() string {
	s := fmt.Sprintf("%d checked, %d up to date, %d synced, %d failed", r.Checked, r.UpToDate, len(r.Synced)+r.SyncedMore, r.Count())
	for _, part := range []struct {
		n    int
		what string
	}{
		{len(r.Planned), "planned"},
		{len(r.Running) + r.RunningMore, "still running"},
		{r.Deferred, "deferred"},
		{len(r.Paused) + r.PausedMore, "paused"},
		{r.Unchecked, "not looked at"},
		{r.NotCatalogued, "not in the producer's catalog"},
		{len(r.Pruned) + r.PrunedMore, "objects pruned"},
		{r.PruneLeft, "left to prune"},
	} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return s
}

// Err returns an error of the type plan.KindSyncsFailed with the report as its details, or nil when nothing failed.
func (r Report) Err() error {
	if r.Count() == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString(r.failedInWords() + "\n" + r.String())
	quoted := min(len(r.Failed), maxQuotedReasons)
	for i, f := range r.Failed[:quoted] {
		line := "\n" + f.String()
		if text.Len()+len(line) > maxQuotedSize {
			quoted = i
			break
		}
		text.WriteString(line)
	}
	if more := r.Count() - quoted; more > 0 {
		fmt.Fprintf(&text, "\n... and %d more", more)
	}
	return temporal.NewApplicationErrorWithOptions(text.String(), plan.KindSyncsFailed,
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{r}})
}

// failedInWords is as "3 of 40 failed: 2 GitAuthFailed, 1 PushRefused", with the kinds of the failures that it lists; the
// dots are for others.
func (r Report) failedInWords() string {
	words := fmt.Sprintf("%d failed", r.Count())
	if r.Checked >= r.Count() {
		words = fmt.Sprintf("%d of %d failed", r.Count(), r.Checked)
	}
	times, kinds := map[string]int{}, []string(nil)
	for _, f := range r.Failed {
		if times[f.Kind]++; times[f.Kind] == 1 {
			kinds = append(kinds, f.Kind)
		}
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(times[b]-times[a], strings.Compare(a, b)) })
	for i, kind := range kinds[:min(len(kinds), maxQuotedKinds)] {
		words += fmt.Sprintf("%s%d %s", []string{": ", ", "}[min(i, 1)], times[kind], kind)
	}
	if len(kinds) > maxQuotedKinds || len(kinds) > 0 && r.FailedMore > 0 {
		words += ", ..."
	}
	return words
}
