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
	// firstBackoff is how long a refused branch is left alone before it is tried again on the same evidence. Each
	// further refusal doubles the pause.
	firstBackoff = 5 * time.Minute
	// maxBackoff bounds the pause, so that a repair which no plan can see is noticed within it.
	maxBackoff = time.Hour
)

// Attempt describes a run to itself. A run that is refused hands it on, so that the next plan knows what was tried.
type Attempt struct {
	// Evidence is a fingerprint of what the run was planned on. An empty one is never equal to another.
	Evidence string `json:"evidence,omitempty"`
	// Refused counts the runs in a row that were refused on this evidence. Since is when the first of them ended.
	Refused int       `json:"refused,omitempty"`
	Since   time.Time `json:"refused_since,omitzero"`
}

// RefusedAt returns the attempt as the next plan has to find it, after the run was refused at the given time.
func (t Attempt) RefusedAt(at time.Time) Attempt {
	if t.Refused == 0 {
		t.Since = at
	}
	t.Refused++
	return t
}

// Refusal is how a branch's last run ended, if only a person can remove the reason.
type Refusal struct {
	Attempt
	Kind     string
	Reason   string
	Workflow string // the ID of the run
	Ended    time.Time
}

// retryAt is when the branch is tried again even if nothing has changed.
func (r Refusal) retryAt() time.Time {
	pause := firstBackoff
	for n := 1; n < r.Refused && pause < maxBackoff; n++ {
		pause *= 2
	}
	return r.Ended.Add(min(pause, maxBackoff))
}

// backOff tells whether the branch has to be left alone for now: its last run was refused on the same evidence, so
// another one would transfer everything again and get the same answer. It takes over the last run's attempt.
func (t *Attempt) backOff(branch project.Branch, last Refusal, now time.Time) (failure Failure, wait bool) {
	if t.Evidence == "" || t.Evidence != last.Evidence {
		return failure, false
	}
	*t = last.Attempt
	return last.failure(branch.String()), now.Before(last.retryAt())
}

// failure reports why a branch that is left alone still fails.
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

// fingerprint identifies everything that decides how a run ends: where the branch is, the newest object in the bucket
// (a zero object when there is none), and the worker's settings.
func fingerprint(head string, newest object.Stored, settings string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q", head, newest.Key, newest.Modified.UnixNano(), settings))
	return hex.EncodeToString(sum[:16])
}
