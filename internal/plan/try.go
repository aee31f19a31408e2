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
	// firstBackoff is how long a refused branch is left alone before it is tried again on the same
	// evidence. Each further refusal doubles it.
	firstBackoff = 5 * time.Minute
	// maxBackoff bounds the pause: whatever was mended where no plan sees it is noticed within it.
	maxBackoff = time.Hour
)

// Attempt is what a run is told of itself, so that the plan after a refusal knows what was tried.
type Attempt struct {
	// Evidence is a fingerprint of what the run was planned on. Empty equals nothing.
	Evidence string `json:"evidence,omitempty"`
	// Refused counts the runs in a row that were refused on this evidence, and Since is when the
	// first of them ended.
	Refused int       `json:"refused,omitempty"`
	Since   time.Time `json:"refused_since,omitzero"`
}

// RefusedAt is the try that was refused at the given time, as the next plan is to find it.
func (t Attempt) RefusedAt(at time.Time) Attempt {
	if t.Refused == 0 {
		t.Since = at
	}
	t.Refused++
	return t
}

// Refusal is the end of a branch's last run, when only a person can lift what ended it.
type Refusal struct {
	Attempt
	Kind     string
	Reason   string
	Workflow string // the ID of the run
	Ended    time.Time
}

// retryAt is when the branch is tried again although nothing has changed.
func (r Refusal) retryAt() time.Time {
	pause := firstBackoff
	for n := 1; n < r.Refused && pause < maxBackoff; n++ {
		pause *= 2
	}
	return r.Ended.Add(min(pause, maxBackoff))
}

// backOff takes over what the branch's last run knew when that was planned on the same evidence, and
// tells whether the branch is to be left alone for now: a run at its whole cost would get the same answer.
func (t *Attempt) backOff(branch project.Branch, last Refusal, now time.Time) (failure Failure, held bool) {
	if last.Refused == 0 || t.Evidence == "" || t.Evidence != last.Evidence {
		return failure, false
	}
	*t = last.Attempt
	return last.failure(branch.String()), now.Before(last.retryAt())
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
			r.Reason, times, r.Since.UTC().Format(time.RFC3339), r.retryAt().UTC().Format(time.RFC3339)),
	}
}

// fingerprint is the fingerprint of what decides how a run ends: where the branch is, what is newest in the
// bucket (a zero object when there is none), and how this side is configured.
func fingerprint(head string, newest object.Stored, settings string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q", head, newest.Key, newest.Modified.UnixNano(), settings))
	return hex.EncodeToString(sum[:16])
}
