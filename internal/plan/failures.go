package plan

import (
	"encoding/json"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// What is kept of failures: their number, their bytes as JSON together, and the characters of one reason.
// Temporal takes 2 MiB for a whole report, and ends nothing that hands it more: it tries again for ever.
const (
	maxFailures     = 200
	maxFailuresSize = 256 << 10
	maxReason       = 2_000
)

// Failures are the first of them with their reasons, and the number of all others.
type Failures struct {
	Failed     []Failure `json:"failed,omitempty"`
	FailedMore int       `json:"failed_more,omitempty"`

	size int // of Failed as JSON
}

// Fail adds a failure, or counts it when there is no room.
func (f *Failures) Fail(failure Failure) {
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

// FailAll adds others.
func (f *Failures) FailAll(others Failures) {
	for _, failure := range others.Failed {
		f.Fail(failure)
	}
	f.FailedMore += others.FailedMore
}

// Count is the number of all.
func (f *Failures) Count() int { return len(f.Failed) + f.FailedMore }

func jsonSize(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		return maxMovesSize + 1 // it could not be sent either
	}
	return len(text)
}
