package command

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// knownTimeout bounds how long a worker is waited for that tells whether there is a sync.
const knownTimeout = 15 * time.Second

// requireKnown fails if a worker is there and says that this side has no sync of the destination. Whoever cannot be asked is no reason
// not to pause.
func (s roleClient) requireKnown(ctx context.Context, destination string) error {
	missing, err := s.noPoller(ctx, func(neededQueue, time.Time) {})
	if err != nil || missing != "" {
		s.console.note("it was not looked whether this side has such a sync")
		return err
	}
	asking, cancel := context.WithTimeout(ctx, knownTimeout)
	defer cancel()
	report, err := s.runOnce(asking, contract.CycleInput{DryRun: true, Only: []string{destination}}, false)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case asking.Err() != nil: // what is missing has been said while it was waited
		s.console.note(fmt.Sprintf("it was not found out within %s whether this side has such a sync", knownTimeout))
		return nil
	case err != nil:
		s.console.note("it was not found out whether this side has such a sync: " + contract.InWords(err).Error())
		return nil
	}
	for _, f := range report.Failed {
		if f.Kind == plan.KindNotConfigured {
			return usagef("this side (%s) has no sync of %q: say --force to pause it all the same%s", s.Name, destination, s.didYouMeanSync(ctx, destination))
		}
	}
	return nil
}

// didYouMeanSync is the question after a destination that is not known.
func (s roleClient) didYouMeanSync(ctx context.Context, name string) string {
	var known []*cli.Command
	for destination := range s.knownDestinations(ctx) {
		known = append(known, &cli.Command{Name: destination})
	}
	return didYouMean(name, cli.SuggestCommand(known, name), func(name string) string { return name })
}

// noteMisspelt says which destination was meant, perhaps, by the first that no sync has.
func (s roleClient) noteMisspelt(ctx context.Context, failures []plan.Failure) {
	for _, f := range failures {
		if f.Kind != plan.KindNotConfigured {
			continue
		}
		if question := s.didYouMeanSync(ctx, f.Subject); question != "" {
			s.console.note(fmt.Sprintf("there is no sync %q%s", f.Subject, question))
		}
		return
	}
}
