package command

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// What has nothing to do, or is to be left alone, is named with its reason and not run: there is no Temporal to run it.
func TestRetryLeavesAlone(t *testing.T) {
	t.Parallel()
	syncs := []syncStatus{
		{Destination: "g/fine@m", State: fleet.InSync, InSync: true},
		{Destination: "g/paused@m", State: fleet.Paused, Pause: &fleet.Pause{Destination: "g/paused@m", Reason: "audit"}},
		{Destination: "g/busy@m", State: fleet.Behind, AtWorkSince: at, Workflow: "consume/g/busy@m"},
		{Destination: "g/left@m", State: notConfigured, Reason: "it is not in the producer's catalog: nothing is pushed of it"},
	}
	var out bytes.Buffer
	report, err := roleClient{Role: contract.Consumer}.retry(t.Context(), syncs, &out)
	require.NoError(t, err)
	require.Equal(t, `skipped g/fine@m: in sync already: not retried
skipped g/paused@m: paused until somebody ends it: audit
skipped g/busy@m: at work already: not retried
skipped g/left@m: it is not in the producer's catalog: nothing is pushed of it
`, out.String())
	require.Equal(t, "4 checked, 2 up to date, 0 synced, 0 failed, 1 still running, 1 paused", report.String())
}
