package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/retries"
)

// changeHalt is the change since which a cycle in which nothing gets through starts no more children.
const changeHalt = "halt-in-outages"

// outage counts the children of a run that have ended, as far as that tells whether what they all need is down.
type outage struct {
	failed    int // in a way that passes
	succeeded int
}

// noteEnd takes in how a child has ended. One that an operator has paused, or that runs already, says nothing.
func (p *childPool) noteEnd(ctx workflow.Context, c child, err error, paused bool) {
	failure, named := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case paused:
	case err == nil:
		p.outage.succeeded++
		p.state.Report.Halted = false
		if c.again {
			p.state.Report.Recovered = workflow.Now(ctx)
		}
	case named && activities.ClassOf(failure.Type()).Passes():
		p.outage.failed++
	}
}

// halt tells whether to start no more children, as many as are left: all that have ended in this run have failed in a way that passes,
// so the others would, too, and a server that is down, or comes back, would be asked by all of them. The next cycle finds out with a
// few.
func (p *childPool) halt(ctx workflow.Context, left int) bool {
	most := retries.MaxFailures
	if p.state.Report.Halted {
		most = retries.Probes
	}
	if p.outage.succeeded > 0 || p.outage.failed < most || workflow.GetVersion(ctx, changeHalt, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return false
	}
	p.halted, p.state.Report.Halted = true, true
	p.state.Report.Warn(fmt.Sprintf("%s failed and none got through: %s left for the next cycle, which begins with %d",
		activities.CountNoun(p.outage.failed, "sync has", "syncs have"), activities.CountNoun(left, "sync is", "syncs are"), retries.Probes))
	return true
}
