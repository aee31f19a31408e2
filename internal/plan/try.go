package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/retries"
)

// Attempt describes a run to itself. A run that fails hands it on, so that the next plan knows what was tried.
type Attempt struct {
	// Evidence is a fingerprint of what the run was planned on. An empty one is never equal to another.
	Evidence string `json:"evidence,omitempty"`
	// Refused counts the runs in a row that failed on this evidence. Since is when the first of them ended.
	Refused int       `json:"refused,omitempty"`
	Since   time.Time `json:"refused_since,omitzero"`
	// Light says that these runs failed in a way that may pass by itself, or before they had transferred anything. Else
	// only a person can remove the reason, and each run transfers everything again to find out.
	Light bool `json:"light,omitempty"`
	// Passing says that it was in a way that may pass by itself.
	Passing bool `json:"passing,omitempty"`
	// Seconds is how long the last of these runs took.
	Seconds int `json:"seconds,omitempty"`
}

// Failed says how a run has failed.
type Failed struct {
	At    time.Time
	Took  time.Duration
	Class retries.Class
	// Transferred says that it had transferred something by then.
	Transferred bool
}

// After returns the attempt as the next plan has to find it, after the run has failed.
func (t Attempt) After(f Failed) Attempt {
	passing := f.Class.Passes()
	light := passing || !f.Transferred
	if t.Refused == 0 || t.Light != light || t.Passing != passing {
		t.Refused, t.Since, t.Light, t.Passing = 0, f.At, light, passing
	}
	t.Refused++
	t.Seconds = int(f.Took / time.Second)
	return t
}

// isPersistent tells whether the runs have failed again in a way that passes.
func (t Attempt) isPersistent() bool { return t.Passing && t.Refused > 1 }

// Refusal is how a branch's last run ended, if it failed.
type Refusal struct {
	Attempt
	Kind     string
	Reason   string
	Workflow string // the ID of the run
	Ended    time.Time
}

// retryAt is when the branch is tried again even if nothing has changed.
func (r Refusal) retryAt() time.Time {
	failing := retries.Failing{Times: r.Refused, Passing: r.Passing, Cheap: r.Light, Took: time.Duration(r.Seconds) * time.Second}
	return r.Ended.Add(failing.Rest())
}

// backOff tells whether the branch has to be left alone for now: its last run failed on the same evidence, so another one
// would most likely end alike, and add one more failed run. It takes over the last run's attempt.
func (t *Attempt) backOff(branch project.Branch, last Refusal, now time.Time) (failure Failure, wait bool) {
	if t.Evidence == "" || t.Evidence != last.Evidence {
		return failure, false
	}
	*t = last.Attempt
	return last.failure(branch.String()), now.Before(last.retryAt())
}

// failure reports why a branch that is left alone still fails.
func (r Refusal) failure(subject string) Failure {
	return r.failureUntil(subject, fmt.Sprintf("the first cycle after %s tries again", r.retryAt().UTC().Format(time.RFC3339)))
}

// failureInTurn is that of a branch that is left alone because others are tried which fail alike.
func (r Refusal) failureInTurn(subject string) Failure {
	return r.failureUntil(subject, fmt.Sprintf("each cycle tries %d of those that fail so, and all once one of them gets through", retries.Probes))
}

func (r Refusal) failureUntil(subject, next string) Failure {
	times := "once"
	if r.Refused > 1 {
		times = fmt.Sprintf("%d times", r.Refused)
	}
	return Failure{
		Subject: subject, Kind: r.Kind, Workflow: r.Workflow,
		Reason: fmt.Sprintf("%s\nTried %s since %s; %s, starter retry at once.", r.Reason, times, r.Since.UTC().Format(time.RFC3339), next),
	}
}

// fingerprint identifies everything that decides how a run ends: where the branch is, the newest object in the bucket
// (a zero object when there is none), and the worker's settings.
func fingerprint(head Head, newest object.Stored, settings string) string {
	at := head.Commit
	if head.Err != nil { // its text may be another each time
		at = fmt.Sprintf("unreadable %t %q", head.NoProject, head.MissingGroups)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q", at, newest.Key, newest.Modified.UnixNano(), settings))
	return hex.EncodeToString(sum[:16])
}
