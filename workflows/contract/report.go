package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// maxQuotedReasons bounds the reasons in a parent's error message. Its details have them all.
const maxQuotedReasons = 20

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
	// Next is where to continue a dry run whose report had no room for all branches.
	Next *Position `json:"next,omitempty"`
	// Synced has a line for each branch that was moved.
	Synced     []string `json:"synced,omitempty"`
	SyncedMore int      `json:"synced_more,omitempty"`
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
	// Warning is what an operator should know although nothing failed.
	Warning string `json:"warning,omitempty"`
	// Failures are what went wrong.
	plan.Failures
}

// Each list of a report is bounded in entries, and in bytes of JSON.
const (
	maxListEntries = 200
	maxListSize    = 64 << 10
)

// AddSynced notes that a branch was moved.
func (r *Report) AddSynced(line string) { appendBounded(&r.Synced, &r.SyncedMore, line) }

// AddRunning notes a running child that the cycle does not wait for.
func (r *Report) AddRunning(id string) { appendBounded(&r.Running, &r.RunningMore, id) }

// AddPruned notes that an object was deleted.
func (r *Report) AddPruned(key string) { appendBounded(&r.Pruned, &r.PrunedMore, key) }

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
	if r.Sources == nil {
		r.Sources = part.Sources
	} else {
		maps.Copy(r.Sources, part.Sources)
	}
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
	text.WriteString(r.String())
	quoted := min(len(r.Failed), maxQuotedReasons)
	for _, f := range r.Failed[:quoted] {
		text.WriteString("\n" + f.String())
	}
	if more := r.Count() - quoted; more > 0 {
		fmt.Fprintf(&text, "\n... and %d more", more)
	}
	return temporal.NewApplicationErrorWithOptions(text.String(), plan.KindSyncsFailed,
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{r}})
}
