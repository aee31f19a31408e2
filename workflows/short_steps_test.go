package workflows_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// stepRuns counts how a run's steps were started: as tasks, or as parts of the workflow's.
type stepRuns struct{ tasks, local map[string]int }

func countRuns(env *testsuite.TestWorkflowEnvironment) stepRuns {
	r := stepRuns{map[string]int{}, map[string]int{}}
	env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) { r.tasks[info.ActivityType.Name]++ })
	env.SetOnLocalActivityStartedListener(func(info *activityInfo, _ context.Context, _ []any) { r.local[info.ActivityType.Name]++ })
	return r
}

// shortSteps are a child's steps where what it moves is small.
func shortSteps(env *testsuite.TestWorkflowEnvironment, failures map[string]error) (*fakeSteps, stepRuns) {
	staged := activities.Staged{Host: "host", Run: "run"}
	offered := mock.MatchedBy(func(work activities.UploadWork) bool { return work.ShortSteps })
	env.OnActivity(producer.Clone, mock.Anything, offered).Return(activities.Cloned{Staged: staged, Short: true}, nil).Maybe()
	wanted := mock.MatchedBy(func(work activities.PushWork) bool { return work.ShortSteps })
	env.OnActivity(consumer.Download, mock.Anything, wanted).Return(activities.Downloaded{Staged: staged, Short: true}, nil).Maybe()
	return steps(env, failures), countRuns(env)
}

// Where little is moved, what needs a server stays a task that can be seen and retried, and the rest costs none.
func TestShortSteps(t *testing.T) {
	env := environment(t)
	_, ran := shortSteps(env, nil)
	produceProject(env, plan.Upload{})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, map[string]int{"Clone": 1, "Upload": 1}, ran.tasks)
	require.Equal(t, map[string]int{"Package": 1, "Encrypt": 1, "Cleanup": 1}, ran.local)

	env = environment(t)
	_, ran = shortSteps(env, nil)
	consumeProject(env, plan.Push{})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, map[string]int{"Download": 1, "PushLFS": 1, "Push": 1}, ran.tasks)
	require.Equal(t, map[string]int{"Decrypt": 1, "Cleanup": 1}, ran.local)
}

// A short step that fails, as on a worker without the files, is tried as any other is, and so are those after it.
func TestShortStepsThatFail(t *testing.T) {
	missing := temporal.NewNonRetryableApplicationError("not here", activities.KindStagedFileMissing, nil)
	tests := map[string]struct {
		failing      string
		failure      error
		tasks, local map[string]int
	}{
		"the files are elsewhere": {"Package", missing, map[string]int{"Clone": 1, "Package": 1, "Encrypt": 1, "Upload": 1, "Cleanup": 1}, map[string]int{"Package": 1}},
		"a failure that passes":   {"Encrypt", errors.New("disk"), map[string]int{"Clone": 1, "Encrypt": 1, "Upload": 1, "Cleanup": 1}, map[string]int{"Package": 1, "Encrypt": 1}},
		"only the end":            {"Cleanup", missing, map[string]int{"Clone": 1, "Upload": 1, "Cleanup": 1}, map[string]int{"Package": 1, "Encrypt": 1, "Cleanup": 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			steps, ran := shortSteps(env, map[string]error{test.failing: test.failure})
			steps.healAfter = 2
			produceProject(env, plan.Upload{})
			require.NoError(t, env.GetWorkflowError())
			require.Equal(t, test.tasks, ran.tasks)
			require.Equal(t, test.local, ran.local)
		})
	}
}

// What fails for good does so as a task, where an operator sees it.
func TestShortStepThatFailsForGood(t *testing.T) {
	env := environment(t)
	_, ran := shortSteps(env, map[string]error{"Decrypt": named("DecryptFailed")})
	consumeProject(env, plan.Push{})
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, "DecryptFailed", failure.Type())
	require.Equal(t, map[string]int{"Download": 1, "Decrypt": 1, "Cleanup": 1}, ran.tasks)
}

// What docs/architecture.md and docs/scaling.md say of the events.
func TestEventsOfAChild(t *testing.T) {
	for name, want := range map[string]int{"produce-project": 36, "produce-project-small": 23, "consume-project": 30, "consume-project-small": 22} {
		history := recordedHistory(t, name+".json")
		require.Len(t, history.Events, want, name)
	}
}
