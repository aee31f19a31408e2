package activities

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// A heartbeat that fails is not the failure of what the step was waiting for.
func TestLostConnectionToTemporal(t *testing.T) {
	causes := map[string]struct {
		cause error
		lost  bool
	}{
		"no answer in time":                  {serviceerror.NewDeadlineExceeded("context deadline exceeded"), true},
		"no answer, as the client says":      {context.DeadlineExceeded, true},
		"unavailable":                        {serviceerror.NewUnavailable("connection refused"), true},
		"too much to do":                     {serviceerror.NewResourceExhausted(0, "busy"), true},
		"nobody waits for the step any more": {serviceerror.NewNotFound("activity not found"), false},
		"cancelled":                          {temporal.NewCanceledError(), false},
		"the worker stops":                   {worker.ErrWorkerShutdown, false},
		"cancelled by the step itself":       {context.Canceled, false},
	}
	for name, test := range causes {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			require.NoError(t, heartbeatFailure(ctx))
			cancel(test.cause)
			err := heartbeatFailure(ctx)
			require.Equal(t, test.lost, err != nil, "%v", err)
			require.NoError(t, nameFailure(ctx, nil, nil), "what is done is done")
			if test.lost {
				var failure *temporal.ApplicationError
				require.ErrorAs(t, nameFailure(ctx, fmt.Errorf("list branches: %w", test.cause), nil), &failure)
				require.Equal(t, "TemporalLost", failure.Type())
				require.False(t, failure.NonRetryable())
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	require.NoError(t, heartbeatFailure(ctx), "the step has had its time")
}

// When a scan is cut off, no project is to blame for it.
func TestScanThatIsCutOffFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := serviceerror.NewUnavailable("connection refused")
	cancel(cause)
	_, err := newSurvey(scanLimits, r.consumer.Destination).readHeads(ctx, headRequest{syncs: ofThemselves([]project.Branch{r.sync.Destination})})
	require.ErrorIs(t, err, cause)
}

// What is only shown says what a run would have failed with.
func TestShownPlanNamesFailures(t *testing.T) {
	heads := map[project.Branch]plan.Head{
		{Name: "a"}: {Err: fmt.Errorf("%w: a", ErrNoBranch)},
		{Name: "b"}: {Err: errors.New("unknown")},
		{Name: "c"}: {Commit: "c"},
	}
	nameHeads(heads)
	require.Equal(t, plan.KindBranchNotFound, heads[project.Branch{Name: "a"}].Kind)
	require.ErrorContains(t, heads[project.Branch{Name: "a"}].Err, "Create the branch")
	require.Equal(t, plan.Head{Err: errors.New("unknown")}, heads[project.Branch{Name: "b"}])
	require.Equal(t, plan.Head{Commit: "c"}, heads[project.Branch{Name: "c"}])
}
