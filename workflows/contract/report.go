package contract

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// KindSyncsFailed is the type of the error that a parent ends with when any sync failed.
// Its details hold the Report.
const KindSyncsFailed = "SyncsFailed"

const (
	// KindInvalidInput is the kind of failure of a workflow that was started with something that it
	// does not take.
	KindInvalidInput = "InvalidInput"
	// KindRollbackNotUsed is the kind of failure that is reported for a destination that was named in
	// AllowRollback in vain.
	KindRollbackNotUsed = "RollbackNotUsed"
)

// maxReasons bounds the reasons in a parent's error: its details have them all.
const maxReasons = 20

// Report is what one cycle did.
type Report struct {
	Checked  int `json:"checked"`
	UpToDate int `json:"up_to_date"`
	// Planned is what a dry run would have done, and why.
	Planned []string `json:"planned,omitempty"`
	// InSync and Behind are where a dry run found the branches.
	InSync []plan.Branch `json:"in_sync,omitempty"`
	Behind []plan.Branch `json:"behind,omitempty"`
	// Synced says of each branch that was moved what was moved.
	Synced []string `json:"synced,omitempty"`
	// Running are the children that were at work when the cycle ended, most often
	// because they started in an earlier one. They are left alone.
	Running []string `json:"running,omitempty"`
	// Deferred counts the branches that were left for the next cycle because this one
	// had waited long enough.
	Deferred int `json:"deferred,omitempty"`
	// Pruned are the keys of the objects that were deleted.
	Pruned []string `json:"pruned,omitempty"`
	// PruneLeft counts the objects that are no longer needed, but were left for the next cycle.
	PruneLeft int `json:"prune_left,omitempty"`
	// Absence is what the next cycle of a producer remembers of this one. Temporal hands it over.
	Absence plan.Absence `json:"absence,omitzero"`
	// Warning is what an operator should know although nothing went wrong.
	Warning string `json:"warning,omitempty"`
	// Failed is what went wrong.
	Failed []plan.Failure `json:"failed,omitempty"`
}

func (r Report) String() string {
	s := fmt.Sprintf("%d checked, %d up to date, %d synced, %d failed", r.Checked, r.UpToDate, len(r.Synced), len(r.Failed))
	if n := len(r.Planned); n > 0 {
		s += fmt.Sprintf(", %d planned", n)
	}
	if n := len(r.Running); n > 0 {
		s += fmt.Sprintf(", %d still running", n)
	}
	if r.Deferred > 0 {
		s += fmt.Sprintf(", %d deferred", r.Deferred)
	}
	if n := len(r.Pruned); n > 0 {
		s += fmt.Sprintf(", %d objects pruned", n)
	}
	if r.PruneLeft > 0 {
		s += fmt.Sprintf(", %d left to prune", r.PruneLeft)
	}
	return s
}

// Err is nil when nothing failed.
func (r Report) Err() error {
	if len(r.Failed) == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString(r.String())
	for i, f := range r.Failed {
		if i == maxReasons {
			fmt.Fprintf(&text, "\n... and %d more", len(r.Failed)-maxReasons)
			break
		}
		text.WriteString("\n" + f.String())
	}
	return temporal.NewApplicationErrorWithOptions(text.String(), KindSyncsFailed,
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{r}})
}
