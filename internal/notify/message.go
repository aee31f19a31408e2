// Package notify tells people what has changed about failures: one HTTP request for all changes of a cycle, in the shape that the
// receiver knows.
package notify

import (
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// Version is that of the JSON in FormatJSON.
const Version = 1

// MaxChanges is how many changes a message has. The rest is counted.
const MaxChanges = 50

// Message is what has changed on one side.
type Message struct {
	Version int    `json:"version"`
	Role    string `json:"role"` // producer or consumer
	// Environment is the name of the two sides; empty if they have none.
	Environment string    `json:"environment,omitempty"`
	At          time.Time `json:"at"` // when the cycle ended that has found it, in UTC
	Changes     []Change  `json:"changes"`
	// More counts the failures and changes that Changes has no room for.
	More int `json:"more,omitempty"`
}

// Change is what has become of one failure.
type Change struct {
	Destination string `json:"destination"` // group/name@branch, or what else has failed, such as "catalog", "bucket" or "plan"
	Change      string `json:"change"`      // one of those of package fleet
	Kind        string `json:"kind"`        // of failure, as in docs/errors.md; of one that has recovered, what it was
	// Was is the kind with which people were told of it before, if that was another.
	Was    string    `json:"was,omitempty"`
	Reason string    `json:"reason,omitempty"` // what happened, in one line
	Remedy string    `json:"remedy,omitempty"` // what to do, in one line
	Since  time.Time `json:"since,omitzero"`   // when it began to fail
	// Workflow is the ID of the workflow to look at, and Link its page in Temporal's UI, if that is known.
	Workflow string `json:"workflow,omitempty"`
	Link     string `json:"link,omitempty"`
}

// words say what a change is.
var words = map[string]string{
	fleet.ChangeFailing: "failing", fleet.ChangeStillFailing: "still failing", fleet.ChangeRecovered: "recovered",
}

// Title says in a line whose message it is, and how much has changed.
func (m Message) Title() string {
	title := "git-partition-sync " + m.Role
	if m.Environment != "" {
		title += " (" + m.Environment + ")"
	}
	separator := ": "
	for _, what := range []string{fleet.ChangeFailing, fleet.ChangeStillFailing, fleet.ChangeRecovered} {
		n := 0
		for _, c := range m.Changes {
			if c.Change == what {
				n++
			}
		}
		if n > 0 {
			title += fmt.Sprintf("%s%d %s", separator, n, words[what])
			separator = ", "
		}
	}
	if m.More > 0 {
		title += fmt.Sprintf("%s%d more", separator, m.More)
	}
	return title
}
