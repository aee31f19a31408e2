package activities

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

const (
	// concurrentChanges is of how many sets the refs are compared at a time: of each, two lists are in memory.
	concurrentChanges = 2
	// maxUnknownReason is how many characters are shown of why it is not known which refs would change.
	maxUnknownReason = 600
)

// addChanges says in a plan that is only shown what the moves would do to the refs of sets. What cannot be read is said
// in its place: the plan is good without.
func (s *scan[M]) addChanges(ctx context.Context, p bucketPart[M], moves []M) error {
	if !s.request.Detail {
		return nil
	}
	reading, stop := context.WithDeadline(ctx, s.survey.deadline)
	defer stop()
	lines := make([][]string, len(moves))
	var group errgroup.Group
	group.SetLimit(concurrentChanges)
	for i, move := range moves {
		if p.destination(move).IsSet() {
			group.Go(func() error {
				changes, err := p.changes(reading, move)
				lines[i] = s.describeChanges(changes, err)
				return nil
			})
		}
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, move := range moves {
		if lines[i] != nil {
			s.page.AddChanges(p.destination(move).String(), lines[i])
		}
	}
	return nil
}

func (s *scan[M]) describeChanges(changes plan.RefChanges, err error) []string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = errNotAsked
		fallthrough
	case err != nil:
		return []string{"which refs would change is not known: " + foreign.Line(err.Error(), maxUnknownReason)}
	}
	return changes.Describe(s.request.AllChanges)
}
