// Package plan decides what has to move. It is pure: given what is wanted and what is there, it returns actions with
// their reasons.
package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Failure is one thing that could not be done, and why.
type Failure struct {
	// Subject is what failed: a branch ("group/name@branch"), or an object's key.
	Subject string `json:"subject"`
	Kind    string `json:"kind"`
	Reason  string `json:"reason"`
	// Workflow is the ID of the child that failed; empty when there was none.
	Workflow string `json:"workflow,omitempty"`
}

func (f Failure) String() string {
	where := ""
	if f.Workflow != "" {
		where = ", workflow " + f.Workflow
	}
	return fmt.Sprintf("%s: %s (%s%s)", f.Subject, f.Reason, f.Kind, where)
}

// BranchStatus says where one destination branch is. Plans list it on request (PageRequest.Detail).
type BranchStatus struct {
	Destination string    `json:"destination"`
	Reason      string    `json:"reason,omitempty"` // why it has to move, or what is to be known of it
	Since       time.Time `json:"since,omitzero"`   // when its newest object was uploaded
	// Changes say what would become of the refs of a set that has to move.
	Changes []string `json:"changes,omitempty"`
	// Source is what the producer's catalog says of the sync; nil where there is none, and in a producer's plan.
	Source *SourceStatus `json:"source,omitempty"`
	// NotCatalogued says that the producer's catalog does not name it: its sync has left the configuration, or is new.
	NotCatalogued bool `json:"not_catalogued,omitempty"`
	// Ends is where both ends are.
	Ends *Ends `json:"ends,omitempty"`
}

// Head is what is known of a branch on its Git server.
type Head struct {
	// Commit of a set of refs is the ID of the state of all refs there that match; "" when it could not be read or does not
	// exist.
	Commit string
	// Noted is the commit of the ref by which the destination has recorded the branch's newest object; "" when there is
	// none. Of a set it is the state in which the push of that object left the destination's refs.
	Noted string
	// Err is why the head could not be read. The plan then moves the branch, so that the run reads it again and reports
	// the error.
	Err error
	// Kind is the kind of failure that Err is.
	Kind string
	// NoProject says that according to Err there is no such project, or none that the credentials may read.
	NoProject bool
	// MissingGroups are the groups that have to be created before such a project, as far as they were looked for.
	MissingGroups []string
	// Unreachable says that Err may pass by itself. The branch is then left for the next cycle.
	Unreachable bool
	// NotQueried says that there was no time to read the head. Unreachable is set, too.
	NotQueried bool
}

// notQueriedFailure is one failure for all branches that were not asked for.
func notQueriedFailure(branches int) Failure {
	return Failure{Subject: SubjectGitServer, Kind: KindUnreachable, Reason: fmt.Sprintf(
		"%d syncs were not looked at: projects that are slow to answer, or do not, took all of the scan's time; they get their turn in the next cycles", branches)}
}

// triedAgain is the reason of a failure that may pass. Servers end what they say with a full stop.
func triedAgain(err error) string {
	return strings.TrimRight(err.Error(), ".") + "; the next cycle tries again"
}

// shortState abbreviates a commit, or says that the ID is one of a set's states.
func shortState(b project.Branch, id string) string {
	if b.IsSet() {
		return "state " + Short(id)
	}
	return Short(id)
}

// Short abbreviates a commit for people to read.
func Short(commit string) string {
	return commit[:min(len(commit), 7)]
}
