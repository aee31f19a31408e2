package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A destination that no sync has is most often misspelt.
func TestMisspeltDestination(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "misspelt")
	cycleOf(t, c, func(_ workflow.Context, in contract.CycleInput) (contract.Report, error) {
		r := contract.Report{Checked: 1}
		if len(in.Only) == 0 {
			r.InSync = []plan.BranchStatus{{Destination: "enclave/router@main"}}
			return r, nil
		}
		r.Fail(plan.Failure{Subject: in.Only[0], Kind: plan.KindNotConfigured, Reason: "no configured sync has this destination"})
		return r, r.Err()
	}, nil, nil)
	require.Equal(t, 0, start(t, "misspelt", "plan").exit())
	for _, command := range []string{"run", "plan"} {
		require.Eventually(t, func() bool { // Temporal lists what has ended a little later
			p := start(t, "misspelt", command, "-o", "json", "enclave/ruter@main")
			require.Equal(t, exitFailed, p.exit())
			require.NotContains(t, p.out.String(), "did you mean")
			return p.err.String() == "... there is no sync \"enclave/ruter@main\"; did you mean \"enclave/router@main\"?\nstarter: 1 failed\n"
		}, waitLong, waitShort)
	}
	p := start(t, "misspelt", "pause", "enclave/ruter@main")
	require.Equal(t, exitUsage, p.exit())
	require.Equal(t, "starter: this side (consumer) has no sync of \"enclave/ruter@main\": say --force to pause it all the same; did you mean \"enclave/router@main\"?\n", p.err.String())
}

// A side that does not answer keeps nobody from pausing, and nobody is said to have interrupted it.
func TestPauseOfASideThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "unanswered")
	cycleOf(t, c, func(ctx workflow.Context, _ contract.CycleInput) (contract.Report, error) {
		return contract.Report{}, workflow.Sleep(ctx, time.Hour)
	}, nil, nil)
	p := start(t, "unanswered", "pause", "g/a@main", "--for", "1h")
	require.Equal(t, 0, p.exit())
	require.Equal(t, "... it was not found out within 15s whether this side has such a sync\n", p.err.String())
	require.Contains(t, p.out.String(), "paused g/a@main until ")
	require.Contains(t, p.out.String(), "starter unpause 'g/a@main'\n", "shells expand the * in the name of a set")
}
