package activities

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/staging"
)

// What a run moves, and not what was planned, decides whether its further steps are short. A workflow of before, which does not ask,
// is not told: it would not know what to do with it.
func TestShortSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	clone := func(asks bool, limit int64) Cloned {
		r.producer.LocalActivityMaxSize = limit
		return must(r, r.producer.Clone, UploadWork{Plan: u, ShortSteps: asks})
	}
	size := clone(false, 1<<20).Bundle.Size
	require.False(t, clone(false, 1<<20).Short)
	require.True(t, clone(true, size).Short)
	require.False(t, clone(true, size-1).Short)
	require.False(t, clone(true, 0).Short)
	r.producer.WritePredecessor = true
	require.False(t, clone(true, size).Short, "its packs are indexed one after the other, huge ones too")
	r.producer.WritePredecessor = false

	cloned := must(r, r.clone, u)
	must(r, r.upload, must(r, r.encrypt, must(r, r.pack, cloned)))
	push := r.planPushes().Moves[0]
	download := func(asks bool, limit int64) bool {
		r.consumer.LocalActivityMaxSize = limit
		return must(r, r.consumer.Download, PushWork{Plan: push, ShortSteps: asks}).Short
	}
	stored := push.Objects[0].Size
	require.False(t, download(false, 1<<20))
	require.True(t, download(true, stored))
	require.False(t, download(true, stored-1))
}

// As part of a workflow task, Cleanup may be on another worker than the files. There it has removed nothing.
func TestCleanupElsewhere(t *testing.T) {
	t.Parallel()
	area, err := staging.Open(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, area.Close()) })
	steps := &Common{Staging: area}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	local := func(run string) error {
		_, err := env.ExecuteLocalActivity(steps.Cleanup, Staged{Run: run})
		return err
	}
	require.Error(t, local("elsewhere"))
	run, err := area.Run("here")
	require.NoError(t, err)
	require.NoError(t, run.Create("file", func(*os.File) error { return nil }))
	require.NoError(t, local("here"))
	require.ErrorIs(t, run.Exists(), staging.ErrMissing)
	env.RegisterActivityWithOptions(func(ctx context.Context) error { return steps.Cleanup(ctx, Staged{Run: "elsewhere"}) }, activity.RegisterOptions{Name: "task"})
	_, err = env.ExecuteActivity("task")
	require.NoError(t, err, "the worker that is told to has nothing left to remove")
}
