package command

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// Bounds of what Temporal is asked at a time about syncs at work.
const (
	maxAskedAtWork  = 16
	askedConcurrent = 4
	askTimeout      = 3 * time.Second
)

// syncAtWork is what a sync's workflow does at the moment.
type syncAtWork struct {
	name string // of the destination
	step string // "" if it is at none
	activities.Progress
	trouble string // why it is at that step again
}

// describeAtWork asks about the first of some children, and leaves out those that have ended, or are not told of in time.
func (s roleClient) describeAtWork(ctx context.Context, ids []string) []syncAtWork {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ids = ids[:min(len(ids), maxAskedAtWork)]
	found := make([]*syncAtWork, len(ids))
	var group errgroup.Group
	group.SetLimit(askedConcurrent)
	for i, id := range ids {
		group.Go(func() error {
			described, err := s.DescribeWorkflowExecution(ctx, id, "")
			if err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				at := atWork(id, described.GetPendingActivities())
				found[i] = &at
			}
			return nil
		})
	}
	_ = group.Wait() // it has no errors
	all := make([]syncAtWork, 0, len(ids))
	for _, at := range found {
		if at != nil {
			all = append(all, *at)
		}
	}
	return all
}

// atWork reads what a child's activities say of themselves.
func atWork(id string, pending []*workflow.PendingActivityInfo) syncAtWork {
	at := syncAtWork{name: destinationOfID(id)}
	if len(pending) == 0 {
		return at
	}
	activity := pending[0]
	at.step = strings.ToLower(foreign.Line(activity.GetActivityType().GetName(), maxShownLength))
	if beats := activity.GetHeartbeatDetails().GetPayloads(); len(beats) > 0 {
		_ = converter.GetDefaultDataConverter().FromPayload(beats[0], &at.Progress) // others say nothing of bytes
	}
	if activity.GetState() == enums.PENDING_ACTIVITY_STATE_SCHEDULED {
		at.step += ", waits for a worker"
	}
	if attempt := activity.GetAttempt(); attempt > 1 {
		what, _, _ := strings.Cut(activity.GetLastFailure().GetMessage(), "\n")
		at.trouble = fmt.Sprintf("attempt %d: %s", attempt, secrets().Line(what, maxShownLength))
	}
	return at
}

// destinationOfID is the destination that a child's ID names.
func destinationOfID(id string) string {
	_, name, _ := strings.Cut(id, "/")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return foreign.Line(name, maxShownLength)
}

// details are what is known of it, from all of it to the least.
func (a syncAtWork) details() (shorter []string) {
	if a.trouble != "" {
		return []string{a.step + "  " + a.trouble, a.step}
	}
	if a.Done == 0 && a.Total == 0 {
		return []string{a.step}
	}
	bytes := humanize.Bytes(uint64(max(0, a.Done)))
	least := bytes
	if a.Total > 0 {
		bytes += " of " + humanize.Bytes(uint64(a.Total))
		least = fmt.Sprintf("%d%%", 100*a.Done/a.Total)
	}
	bytes = a.step + "  " + bytes
	rate, left := "", ""
	if a.Rate > 0 {
		rate = "  " + humanize.Bytes(uint64(a.Rate)) + "/s"
	}
	if a.ETA > 0 {
		left = "  " + (time.Duration(a.ETA) * time.Second).String() + " left"
	}
	return []string{bytes + rate + left, bytes + left, bytes, a.step + " " + least, least}
}

// leastName is how much of a destination's name is shown before details of its work are left out.
const leastName = 24

const indent = "  "

// line is one line of at most width columns: the name, and as many details as fit beside it. Of troubles the end is cut.
func (a syncAtWork) line(width int) string {
	all := a.details()
	room := func(details string) int { return width - 2*len(indent) - runewidth.StringWidth(details) }
	shown := all[len(all)-1]
	for _, least := range []int{runewidth.StringWidth(a.name), leastName} {
		if i := slices.IndexFunc(all, func(details string) bool { return room(details) >= least }); i >= 0 {
			shown = all[i]
			break
		}
	}
	if a.trouble != "" {
		return runewidth.Truncate(indent+cutMiddle(a.name, max(leastName, width/2))+indent+all[0], width, "…")
	}
	return indent + cutMiddle(a.name, max(1, room(shown))) + indent + shown
}

func (a syncAtWork) String() string { return a.name + indent + a.details()[0] }
