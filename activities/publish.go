package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Publish renews the catalog after runs have ended: it takes in the objects that they have uploaded, and how they have failed. It asks
// the runs themselves, of all destinations whose object in the bucket is not the catalog's, or that fail.
func (p *Producer) Publish(ctx context.Context) error {
	defer startMeter(ctx, 0).stop()
	if !p.keepsCatalog() {
		return nil
	}
	syncs, err := p.listSyncs(ctx)
	if err != nil {
		return err
	}
	l, err := p.openLedger(ctx, syncs)
	if err != nil {
		return err
	}
	l.maxAsked, l.asksFailed = maxSyncs, true
	if err := p.compareAll(ctx, l); err != nil {
		return err
	}
	return l.save(ctx, 0, func(d *catalogDraft) {
		for id, end := range l.ends {
			switch _, renewed := l.renewed[id]; {
			case end.unknown:
			case end.failure != "":
				d.failRun(id, end.failure, end.at)
			case renewed:
				d.recover(id)
			}
		}
	})
}

// compareAll compares all of the bucket, in parts that fit into memory.
func (p *Producer) compareAll(ctx context.Context, l *ledger) error {
	order, after := turn.At(p.Clock()), turn.Position(0)
	accepted, _ := plan.ValidateSyncs(l.configured)
	for len(accepted) > 0 {
		contents, err := p.readBucket(ctx, order, after, l.configured, plan.Absence{}, nil)
		if err != nil {
			return err
		}
		var covered []project.Branch
		var rest []project.Sync
		for _, s := range accepted {
			if !contents.covers(s.Destination) {
				rest = append(rest, s)
				continue
			}
			covered = append(covered, s.Destination)
			after = max(after, order.Position(s.Destination))
		}
		if len(covered) == 0 { // there is room only for what is of syncs that are refused
			return nil
		}
		l.compare(ctx, contents.chains, covered)
		accepted = rest
	}
	return nil
}
