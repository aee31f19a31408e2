package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A warning that each page gives is given once, and the UI tells the pages apart.
func TestPagesOfOneReport(t *testing.T) {
	scans := map[string]string{
		contract.Producer.Name: "the configured syncs, their sources and the bucket", contract.Consumer.Name: "the bucket and its destinations",
	}
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		var summaries []string
		intercept(env, &told{start: func(_ string, o workflow.ActivityOptions) { summaries = append(summaries, o.Summary) }})
		bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
			f, err := branches(3)(r)
			f.moves, f.warning = nil, map[turn.Position]string{0: "unverified", 1: "unverified", 2: "far behind"}[r.After]
			return f, err
		})
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{Limits: contract.Limits{PageSize: 1}})
		require.Equal(t, "unverified; far behind", report(t, env).Warning)
		require.Equal(t, []string{scans[role], scans[role] + ", after 1 sync", scans[role] + ", after 2 syncs"}, summaries)
	})
}

// A page's branches count from when it is planned, although none of them may start yet.
func TestWaitingBranchesAreCounted(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		bothSides[role].plan(env, branches(4))
		bothSides[role].children(env, func(ctx workflow.Context, _ string) error { return workflow.Sleep(ctx, 50*time.Second) })
		env.RegisterDelayedCallback(func() {
			require.Equal(t, "0 of 4 syncs done, 2 at work, 0 failed", status(t, env).Step)
		}, 30*time.Second)
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{Limits: contract.Limits{PageSize: 2, MaxInFlight: 2}})
		require.Len(t, report(t, env).Synced, 4)
	})
}

// The number of objects is told in English; none cost no transfer, so that its refusal is not remembered.
func TestObjectsAreCounted(t *testing.T) {
	for n, want := range map[int]string{0: "decrypting 0 objects", 1: "decrypting 1 object, 1 B", 2: "decrypting 2 objects, 2 B"} {
		env := environment(t)
		downloaded := activities.Downloaded{Staged: activities.Staged{Host: "host", Run: "run"}, Objects: slices.Repeat([]object.Stored{stored()}, n)}
		env.OnActivity(consumer.Download, mock.Anything, mock.Anything).Return(downloaded, nil)
		steps(env, map[string]error{"Decrypt": named("Unsigned")})
		consumeProject(env, pushOf("p"))
		require.Equal(t, want, status(t, env).Step)
		var failure *temporal.ApplicationError
		require.ErrorAs(t, env.GetWorkflowError(), &failure)
		var tried plan.Attempt
		require.NoError(t, failure.Details(&tried))
		require.Equal(t, n == 0, tried.Light, "what has downloaded nothing costs nothing to try again")
	}
}
