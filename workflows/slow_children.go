package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// inFlightFactor times max_in_flight is how many children are at work at most, slow ones included.
const inFlightFactor = 4

// abandonSlow waits only for those that are not slow, as others are to start. Whoever continues the cycle is not told when the
// slow ones end, and counts them until it ends. It is false when the cycle has waited long enough.
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

// hasRoom tells whether another child may start. Slow ones count only against the number of all, whichever run of the
// cycle has started them.
func (p *childPool) hasRoom() bool {
	all := len(p.inFlight) + p.state.Abandoned
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

// watchSlow begins to tell slow children, when somebody waits for that.
func (p *childPool) watchSlow() {
	if !p.watchesSlow {
		p.watchesSlow = true
		workflow.Go(p.timers, p.markSlow)
	}
}

// markSlow marks the children that have been at work for long, until the context ends.
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
		if workflow.Sleep(ctx, r.since.Add(p.limits.SlowAfter()).Sub(workflow.Now(ctx))) != nil {
			return
		}
		r.slow = true
	}
}
