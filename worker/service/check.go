package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Check reports what a cycle of a role would do with this environment, which has the shape of os.Environ. It needs no
// Temporal and changes nothing: it reads the list of syncs, the bucket's listing, and the refs of the role's Git
// server. It logs warnings about the configuration. An error means that there is no plan; what is wrong with a
// single sync is a failure in the report.
func Check(ctx context.Context, named contract.Role, environ []string, log io.Writer) (contract.Report, error) {
	r, err := roles[named.Name](environ)
	if err != nil {
		return contract.Report{}, err
	}
	mask := foreign.NewMask(config.Secrets(environ)...)
	r.LogFormat = cmp.Or(r.LogFormat, config.LogText) // it is read by who runs the check
	logger := newLogger(log, mask, r.Logging)
	warnUnused(named, environ, logger)
	d, err := r.connect(ctx, logger)
	if err != nil {
		return contract.Report{}, err
	}
	var report contract.Report
	switch a := r.activities(d).(type) {
	case *activities.Producer:
		report, err = workflows.DryRunProducer(ctx, a, time.Now())
	case *activities.Consumer:
		report, err = workflows.DryRunConsumer(ctx, a, time.Now())
	default:
		err = fmt.Errorf("nothing plans for the role %q", named.Name)
	}
	maskReport(report, mask)
	return report, explain(err, mask)
}

// maskReport hides secrets that a server may have repeated.
func maskReport(report contract.Report, mask *foreign.Mask) {
	for i, f := range report.Failed {
		report.Failed[i].Reason = mask.Text(f.Reason, maxLogged)
	}
	for i, planned := range report.Planned { // not cut: it may be about many refs
		report.Planned[i] = mask.Hide(planned)
	}
	for _, b := range report.Behind {
		for i, change := range b.Changes {
			b.Changes[i] = mask.Hide(change)
		}
	}
}

// explain gives an error its kind, and what to do, as Temporal would show it.
func explain(err error, mask *foreign.Mask) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	kind, reason := contract.FailureOf(activities.Named(err, mask))
	return fmt.Errorf("%s (%s)", reason, kind)
}
