package contract

import (
	"net/url"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Pause is the workflow that pauses one sync of a side: as long as it runs, plans leave the sync alone. Its ID (Role.PauseID) says
// which sync, its input (a fleet.Pause) until when, by whom and why. It ends by itself when the time is over; whoever cancels or
// terminates it ends the pause.
const Pause = "PauseSync"

// MinPause and MaxPause bound how long a sync is paused at a time.
const (
	MinPause = time.Minute
	MaxPause = 30 * 24 * time.Hour
)

// MaxPauses is how many syncs of a namespace may be paused at a time. Plans fail where there are more, as they could not know all.
const MaxPauses = 2_000

// MaxPauseWords is how many characters of the reason of a pause are shown, and of the name of whoever has asked for it.
const MaxPauseWords = 200

// PauseEnd is how a pause has ended: PauseOver or PauseCancelled. Of one that was terminated, nothing is left to say it.
type PauseEnd struct {
	Ended string `json:"ended"`
}

// Values of PauseEnd.Ended.
const (
	PauseOver      = "its time was over"
	PauseCancelled = "unpaused"
)

const pauseIDs = "pause/"

// PausesQuery finds the pauses of a namespace, of both sides if both use it.
const PausesQuery = "WorkflowType = '" + Pause + "' AND ExecutionStatus = 'Running'"

// PauseID is the ID of the workflow that pauses the sync of a destination. It is the same for all spellings of its project, so that a
// sync has one pause at a time.
func (r Role) PauseID(destination project.Branch) string { return pauseIDs + r.ChildID(destination) }

// pauseMemo is what the memo of a pause says: the same as its input, for lists.
type pauseMemo struct {
	destination, reason, by string
	until                   time.Time
}

// fields are the entries of the memo, by their keys.
func (m *pauseMemo) fields() map[string]any {
	return map[string]any{"destination": &m.destination, "reason": &m.reason, "until": &m.until, "by": &m.by}
}

// PauseMemo is the memo with which a pause is started.
func PauseMemo(p fleet.Pause) map[string]any {
	return (&pauseMemo{p.Destination, p.Reason, p.By, p.Until.UTC()}).fields()
}

// ReadPause reads the ID and the memo of a workflow that pauses a sync of this side; it is false for others. Which sync it pauses, its
// ID alone says. The rest is empty if the memo does not have it.
func (r Role) ReadPause(id string, memo *common.Memo) (p fleet.Pause, ok bool) {
	destination, ok := r.pausedBy(id)
	if !ok {
		return p, false
	}
	var said pauseMemo
	for key, value := range said.fields() {
		_ = converter.GetDefaultDataConverter().FromPayload(memo.GetFields()[key], value)
	}
	if b, err := project.ParseBranch(said.destination); err == nil && b.Identity() == destination {
		destination = b // as it was spelled
	}
	if year := said.until.Year(); year < 1970 || year > 9000 { // JSON has no times after the year 9999, in whatever zone
		said.until = time.Time{}
	}
	return fleet.Pause{
		Destination: destination.String(), Until: said.until,
		Reason: foreign.Line(said.reason, MaxPauseWords), By: foreign.Line(said.by, MaxPauseWords),
	}, true
}

// pausedBy returns the identity of the destination whose sync the workflow with an ID pauses.
func (r Role) pausedBy(id string) (destination project.Branch, ok bool) {
	name, ours := strings.CutPrefix(id, pauseIDs+r.childIDs)
	name, err := url.PathUnescape(name)
	if !ours || err != nil {
		return destination, false
	}
	destination, err = project.ParseBranch(name)
	return destination, err == nil && r.PauseID(destination) == id
}
