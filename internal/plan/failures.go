package plan

import (
	"encoding/json"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// These limits hold for the failures of one report: their number, their size as JSON in bytes, and the length of one
// reason in characters. Temporal accepts 2 MiB for two whole reports, see there. It does not end a workflow that sends more,
// but retries its task for ever.
const (
	maxFailures     = 200
	maxFailuresSize = 128 << 10
	maxReason       = 2_000
)

// Subjects of failures that concern no single sync.
const (
	// SubjectCatalog is for the producer's catalog as a whole. Of one kind, a report has one.
	SubjectCatalog = "catalog"
	// SubjectGitServer is for syncs that a plan has no time to look at. It does not say which.
	SubjectGitServer = "git server"
	// SubjectPlan is for a plan that could not be made, or not to its end.
	SubjectPlan = "plan"
)

// Failures holds the first failures with their reasons, and counts the rest.
type Failures struct {
	Failed     []Failure `json:"failed,omitempty"`
	FailedMore int       `json:"failed_more,omitempty"` // not in Failed

	size int // of Failed as JSON
}

// Fail adds a failure. When there is no room left, it only counts it.
func (f *Failures) Fail(failure Failure) {
	said := func(other Failure) bool { return other.Subject == SubjectCatalog && other.Kind == failure.Kind }
	if failure.Subject == SubjectCatalog && slices.ContainsFunc(f.Failed, said) {
		return // each part of a cycle's plan says it
	}
	if f.FailedMore > 0 || len(f.Failed) == maxFailures {
		f.FailedMore++
		return
	}
	failure.Reason = foreign.Text(failure.Reason, maxReason)
	if f.size == 0 {
		f.size = jsonSize(f.Failed)
	}
	size := jsonSize(failure) + 1
	if f.size+size > maxFailuresSize {
		f.FailedMore++
		return
	}
	f.Failed, f.size = append(f.Failed, failure), f.size+size
}

// FailAll adds the failures of another list.
func (f *Failures) FailAll(others Failures) {
	for _, failure := range others.Failed {
		f.Fail(failure)
	}
	f.FailedMore += others.FailedMore
}

// Count is the number of all failures, listed or only counted.
func (f *Failures) Count() int { return len(f.Failed) + f.FailedMore }

func jsonSize(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		return maxMovesSize + 1 // it could not be sent either
	}
	return len(text)
}
