package workflows

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// addPage adds what a page says of the branches that it has looked at.
func addPage[M any](report *contract.Report, page plan.Page[M]) {
	report.Checked += page.Checked
	report.UpToDate += page.UpToDate
	report.Unchecked = page.Left
	report.NotCatalogued += page.NotCatalogued
	report.InSync = page.InSync
	report.FailAll(page.Failures)
	report.AddPaused(page.Paused, page.PausedMore)
	if page.Bucket != (fleet.BucketUse{}) {
		report.Bucket = page.Bucket
	}
	report.Warn(page.Warning) // each page says it
}

// addPlan adds what a cycle would do about the branches of a page.
func (s cycleSpec[M]) addPlan(report *contract.Report, page plan.Page[M]) {
	report.Planned = append(report.Planned, deletions(page)...)
	for _, due := range page.LFSDue {
		report.Planned = append(report.Planned, "delete LFS objects of "+due.Project+": "+due.Reason)
	}
	for _, move := range page.Moves {
		child := s.child(move)
		destination := child.destination.String()
		changes := page.Changes[destination]
		line := s.verb + " " + destination + ": " + child.reason
		report.Planned = append(report.Planned, strings.Join(append([]string{line}, changes...), "\n"))
		report.Behind = append(report.Behind, plan.BranchStatus{
			Destination: destination, Reason: child.reason, Since: child.modified, Changes: changes,
			Source: page.Sources[destination], Ends: page.Ends[destination],
		})
		delete(page.Sources, destination)
		delete(page.Ends, destination)
	}
	for _, waiting := range page.Waiting {
		report.Planned = append(report.Planned, "leave "+waiting.Destination+": "+waiting.Reason)
	}
	report.Behind = append(report.Behind, page.Waiting...)
	report.Sources, report.Ends = page.Sources, page.Ends
	if page.LFS != nil {
		report.LFS = page.LFS
	}
}

// DryRunProducer reports what a cycle of the producer would do, as ProducerSync does in a dry run, without Temporal. now is the time of the cycle.
// Its error is the activity's own.
func DryRunProducer(ctx context.Context, p *activities.Producer, now time.Time) (contract.Report, error) {
	return dryRun(ctx, producerCycle(), p.PlanUploads, now)
}

// DryRunConsumer does the same for the consumer.
func DryRunConsumer(ctx context.Context, c *activities.Consumer, now time.Time) (contract.Report, error) {
	return dryRun(ctx, consumerCycle(), c.PlanPushes, now)
}

func dryRun[M any](
	ctx context.Context, s cycleSpec[M], planPage func(context.Context, activities.PlanRequest) (plan.Page[M], error), now time.Time,
) (all contract.Report, err error) {
	request := activities.PlanRequest{PageRequest: plan.PageRequest{Order: turn.At(now), Size: plan.MaxPageSize, Detail: true, AllChanges: true}}
	for {
		page, err := planPage(ctx, request)
		if err != nil {
			return all, err
		}
		var part contract.Report
		addPage(&part, page)
		s.addPlan(&part, page)
		if request.After == 0 {
			all = part
		} else {
			all.Extend(part)
		}
		if page.Left == 0 || page.Reached <= request.After {
			return all, nil
		}
		request.After = page.Reached
	}
}

// deletions says of which destinations objects would be deleted. Of those that the page does not name there are only numbers.
func deletions[M any](page plan.Page[M]) (lines []string) {
	superseded, more, named := page.Superseded, "", map[string]bool{}
	for _, d := range page.Deletable {
		why := "newer ones have replaced them"
		if d.Orphaned {
			why, named[d.Destination] = "its sync has left the configuration", true
		} else {
			superseded -= d.Objects
			more = "more "
		}
		lines = append(lines, fmt.Sprintf("delete %s, %s, of %s: %s",
			activities.CountNoun(d.Objects, "object", "objects"), humanize.Bytes(uint64(d.Bytes)), d.Destination, why))
	}
	if superseded > 0 {
		lines = append(lines, "delete "+activities.CountNoun(superseded, more+"object", more+"objects")+" that newer ones have replaced")
	}
	for _, due := range page.Orphans.Due {
		if destination := due.String(); !named[destination] {
			lines = append(lines, "delete the objects of "+destination+": its sync has left the configuration")
		}
	}
	return lines
}
