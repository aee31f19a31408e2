package service

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// saidCycle ends as it is told to.
type saidCycle struct {
	Report contract.Report
	Fails  string // the type of the failure, which has the report as details
}

// cycleRunner runs cycles that end as they are told to, one after the other.
type cycleRunner struct {
	t *testing.T
	client.Client
}

func newCycleRunner(t *testing.T) cycleRunner {
	t.Helper()
	c := devClient(t, client.ConnectionOptions{})
	w := worker.New(c, "cycles", worker.Options{})
	for _, role := range []contract.Role{contract.Producer, contract.Consumer} {
		w.RegisterWorkflowWithOptions(func(_ workflow.Context, s saidCycle) (contract.Report, error) {
			if s.Fails == "" {
				return s.Report, nil
			}
			return s.Report, temporal.NewApplicationErrorWithOptions("it failed", s.Fails, temporal.ApplicationErrorOptions{Details: []any{s.Report}})
		}, workflow.RegisterOptions{Name: role.Parent})
	}
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return cycleRunner{t, c}
}

// run runs a cycle, and returns when it is listed.
func (r cycleRunner) run(role contract.Role, id string, said saidCycle) {
	r.t.Helper()
	run, err := r.ExecuteWorkflow(r.t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "cycles"}, role.Parent, said)
	require.NoError(r.t, err)
	if err := run.Get(r.t.Context(), nil); said.Fails != "" {
		var failed *temporal.ApplicationError
		require.ErrorAs(r.t, err, &failed)
	} else {
		require.NoError(r.t, err)
	}
}

func TestLastCycleIsComplete(t *testing.T) {
	t.Parallel()
	r := newCycleRunner(t)
	cycles := &lastCycles{Role: contract.Consumer, temporal: r.Client}
	c, err := cycles.last(t.Context())
	require.NoError(t, err)
	require.Zero(t, c)

	lags := func(destination string) saidCycle {
		began := time.Now().UTC()
		return saidCycle{Report: contract.Report{
			Began: began, Lags: fleet.Lags{LookedAt: began, List: []fleet.Lag{{Destination: destination}}}, UpToDate: 3, Synced: []string{"a"}, SyncedMore: 1,
			Bucket: fleet.BucketUse{LongestChain: 7}, Catalog: plan.CatalogSeen{Sequence: 5, CreatedAt: time.Unix(5, 0).UTC()},
		}}
	}
	lagging := func(c fleet.Cycle) (all []string) {
		for _, lag := range c.Lags.List {
			all = append(all, lag.Destination)
		}
		return all
	}
	r.run(contract.Producer, "producer-sync-once", lags("other/side@main"))
	complete := lags("complete/one@main")
	r.run(contract.Consumer, "consumer-sync-2026-07-01T12:00:00Z", complete)
	r.run(contract.Consumer, "consumer-sync-plan", lags("a/plan@main"))
	r.run(contract.Consumer, "consumer-sync-plan/1-2", lags("a/plan@main"))
	r.run(contract.Consumer, "consumer-sync-once/0123456789abcdef", lags("some/only@main"))
	r.run(contract.Consumer, "consumer-poll/sync", lags("some/only@main"))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		c, err := cycles.last(r.t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"complete/one@main"}, lagging(c))
	}, 30*time.Second, 50*time.Millisecond)
	c, err = cycles.last(t.Context())
	require.NoError(t, err)
	require.Equal(t, complete.Report.Began, c.Looked)
	require.Equal(t, complete.Report.Began, c.Began)
	require.Equal(t, time.Unix(5, 0).UTC(), c.Catalog)
	require.Equal(t, 5, c.InSync)
	require.Equal(t, 7, c.Bucket.LongestChain)
	require.WithinDuration(t, time.Now(), c.Ended, time.Minute)

	failed := lags("with/failures@main")
	failed.Fails, failed.Report.Failed = plan.KindSyncsFailed, []plan.Failure{{Subject: "with/failures@main", Kind: "DiskFull", Reason: "full"}}
	r.run(contract.Consumer, "consumer-sync-once", failed)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		c, err := cycles.last(r.t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"with/failures@main"}, lagging(c))
		require.Equal(t, []fleet.Reported{{Subject: "with/failures@main", Kind: "DiskFull", Reason: "full"}}, c.Failed)
	}, 30*time.Second, 50*time.Millisecond)

	// One that could not plan says only why. What is known of the syncs is older.
	r.run(contract.Consumer, "consumer-sync", saidCycle{Fails: "BucketNotFound", Report: contract.Report{Catalog: plan.CatalogSeen{Sequence: 5}}})
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		c, err := cycles.last(r.t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"with/failures@main"}, lagging(c))
		require.Equal(t, failed.Report.Began, c.Looked)
		require.True(t, c.Began.After(c.Looked))
		require.Equal(t, fleet.Reported{Subject: "plan", Kind: "BucketNotFound", Reason: "it failed"}, c.Failed[0])
	}, 30*time.Second, 50*time.Millisecond)
}
