package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// firstPause is how long a refused branch is left alone before it is tried again on the same
	// evidence. Each further refusal doubles it.
	firstPause = 5 * time.Minute
	// maxPause bounds the pause: whatever was mended where no plan sees it is noticed within it.
	maxPause = time.Hour
)

// Try is what a run is told of itself, so that the plan after a refusal knows what was tried.
type Try struct {
	// Evidence is a fingerprint of what the run was planned on. Empty equals nothing.
	Evidence string `json:"evidence,omitempty"`
	// Refused counts the runs in a row that were refused on this evidence, and Since is when the
	// first of them ended.
	Refused int       `json:"refused,omitempty"`
	Since   time.Time `json:"refused_since,omitzero"`
}

// Again is the try that was refused at the given time, as the next plan is to find it.
func (t Try) Again(at time.Time) Try {
	if t.Refused == 0 {
		t.Since = at
	}
	t.Refused++
	return t
}

// Refusal is the end of a branch's last run, when only a person can lift what ended it.
type Refusal struct {
	Try
	Kind     string
	Reason   string
	Workflow string // the ID of the run
	Ended    time.Time
}

// next is when the branch is tried again although nothing has changed.
func (r Refusal) next() time.Time {
	pause := firstPause
	for n := 1; n < r.Refused && pause < maxPause; n++ {
		pause *= 2
	}
	return r.Ended.Add(min(pause, maxPause))
}

// holdBack takes over what the branch's last run knew when that was planned on the same evidence, and
// tells whether the branch is to be left alone for now: a run at its whole cost would get the same answer.
func (t *Try) holdBack(branch project.Branch, last Refusal, now time.Time) (failure Failure, held bool) {
	if last.Refused == 0 || t.Evidence == "" || t.Evidence != last.Evidence {
		return failure, false
	}
	*t = last.Try
	return last.failure(branch.String()), now.Before(last.next())
}

// failure says of a branch that is left alone what it still fails with.
func (r Refusal) failure(subject string) Failure {
	times := "once"
	if r.Refused > 1 {
		times = fmt.Sprintf("%d times", r.Refused)
	}
	return Failure{
		Subject: subject, Kind: r.Kind, Workflow: r.Workflow,
		Reason: fmt.Sprintf("%s\nTried %s since %s; the first cycle after %s tries again, starter retry at once.",
			r.Reason, times, r.Since.UTC().Format(time.RFC3339), r.next().UTC().Format(time.RFC3339)),
	}
}

// evidence is the fingerprint of what decides how a run ends: where the branch is, what is newest in the
// bucket (a zero object when there is none), and how this side is configured.
func evidence(head string, newest object.Stored, settings string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q", head, newest.Key, newest.Modified.UnixNano(), settings))
	return hex.EncodeToString(sum[:16])
}
