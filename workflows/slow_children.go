package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/retries"
)

// inFlightFactor times max_in_flight is how many children may run at once, including slow ones.
const inFlightFactor = 4

// abandonSlow waits until only slow children are left, so that the cycle can continue as a new run. The new run is
// not told when they end, and counts them as running until its own end. It returns false when the cycle's time is up.
func (p *childPool) abandonSlow(ctx workflow.Context) (abandoned bool, err error) {
	if len(p.inFlight) > 0 {
		p.watchSlow()
		err := workflow.Await(ctx, func() bool { return p.countSlow() == len(p.inFlight) || p.timeUp.IsReady() })
		if err != nil {
			return false, p.awaitCancelled(ctx, err)
		}
		if p.timeUp.IsReady() {
			return false, nil
		}
	}
	p.state.Abandoned += len(p.inFlight)
	p.reportRunning()
	return true, nil
}

// hasRoom tells whether another child may start. Slow children count only against the number of all children, no
// matter which run of the cycle started them. After a cycle in which none got through, a few find out.
func (p *childPool) hasRoom() bool {
	all := len(p.inFlight) + p.state.Abandoned
	if p.state.Report.Halted && len(p.inFlight) >= retries.Probes {
		return false
	}
	return len(p.inFlight)-p.countSlow() < p.limits.MaxInFlight && all < inFlightFactor*p.limits.MaxInFlight
}

func (p *childPool) countSlow() (slow int) {
	for _, r := range p.inFlight {
		if r.slow {
			slow++
		}
	}
	return slow
}

// watchSlow starts to mark slow children, if that has not been started yet.
func (p *childPool) watchSlow() {
	if !p.watchesSlow {
		p.watchesSlow = true
		workflow.Go(p.timers, p.markSlow)
	}
}

// markSlow marks children that have been running for long, until the context ends.
func (p *childPool) markSlow(ctx workflow.Context) {
	oldest := func() *runningChild {
		for _, r := range p.inFlight {
			if !r.slow {
				return r
			}
		}
		return nil
	}
	for {
		if workflow.Await(ctx, func() bool { return oldest() != nil }) != nil {
			return
		}
		r := oldest()
		left := r.since.Add(p.limits.SlowAfter()).Sub(workflow.Now(ctx))
		if namedTimer(ctx, left, fmt.Sprintf("until %s counts as slow, and makes room for another", r.destination)).Get(ctx, nil) != nil {
			return
		}
		r.slow = true
	}
}
