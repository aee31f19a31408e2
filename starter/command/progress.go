package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	lookedAt     = time.Second      // how often a workflow is asked how far it is, where that is drawn
	lineEvery    = 10 * time.Second // the least time between two lines that say how far it is, where lines are written
	atWorkEvery  = 30 * time.Second // the same for what each child does
	queryTimeout = 3 * time.Second  // without a worker nobody answers
)

// cycleProgress shows how a cycle goes: on a terminal by a block of lines that is drawn anew, elsewhere line by line.
type cycleProgress struct {
	roleClient
	id string

	// synced and failed are how many entries of the report's lists were shown.
	synced, failed int
	step           string
	stepAt         time.Time
	atWorkAt       time.Time
}

// follow shows how a cycle goes until the context is cancelled. In the end it leaves no block on the terminal.
func (p *cycleProgress) follow(ctx context.Context) {
	p.atWorkAt = time.Now()
	if p.console.live != nil {
		defer p.console.live.show(nil)
	}
	tick := time.NewTicker(lookedAt)
	defer tick.Stop()
	for {
		if status, ok := p.ask(ctx); ok {
			p.show(ctx, status)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *cycleProgress) ask(ctx context.Context) (status contract.Status, ok bool) {
	asking, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, err := p.QueryWorkflow(asking, p.id, "", contract.QueryStatus)
	return status, err == nil && value.Get(&status) == nil && ctx.Err() == nil
}

func (p *cycleProgress) show(ctx context.Context, status contract.Status) {
	if status.Report != nil {
		p.showEnded(*status.Report)
	}
	if p.console.live != nil {
		p.draw(ctx, status)
		return
	}
	now := time.Now()
	if status.Step != p.step && now.Sub(p.stepAt) >= lineEvery {
		p.step, p.stepAt = status.Step, now
		p.console.note(status.Step)
	}
	if now.Sub(p.atWorkAt) >= atWorkEvery {
		p.atWorkAt = now
		for _, at := range p.describeAtWork(ctx, status.AtWork) {
			p.console.note(at.String())
		}
	}
}

// showEnded shows what has been synced and what has failed since it was called last. Of failures only what happened: what to do is in
// the report.
func (p *cycleProgress) showEnded(r contract.Report) {
	for ; p.synced < len(r.Synced); p.synced++ {
		p.console.say("synced", r.Synced[p.synced])
	}
	for ; p.failed < len(r.Failed); p.failed++ {
		f := r.Failed[p.failed]
		what, _, _ := strings.Cut(f.Reason, "\n")
		p.console.say("failed", fmt.Sprintf("%s: %s (%s)", f.Subject, what, f.Kind))
	}
}

// draw shows the step, and below it what each child does.
func (p *cycleProgress) draw(ctx context.Context, status contract.Status) {
	width, height := p.console.live.size()
	lines := []string{foreign.Line(status.Step, maxShownLength)}
	all := p.describeAtWork(ctx, status.AtWork)
	room := max(0, height-3) // but for the step, how many more there are, and the line of the cursor
	for _, at := range all[:min(len(all), room)] {
		lines = append(lines, at.line(width-1))
	}
	if more := len(status.AtWork) - min(len(all), room); more > 0 && len(all) > 0 {
		lines = append(lines, fmt.Sprintf("%sand %d more at work", indent, more))
	}
	if ctx.Err() == nil {
		p.console.live.show(lines)
	}
}
