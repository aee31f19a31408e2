package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/workflows"
)

var (
	producer   *activities.Producer
	consumer   *activities.Consumer
	anySide    *activities.Common
	eitherSide *activities.Common
)

// environment runs workflows with activities that each test replaces.
// noDeadlock is how long workflow code may compute without being taken for stuck: a busy machine with the race detector needs more
// than the usual second.
const noDeadlock = time.Minute

func environment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	env := bareEnvironment(t)
	env.OnActivity(producer.Publish, mock.Anything).Return(nil).Maybe()
	return env
}

// bareEnvironment leaves the catalog to the test, too.
func bareEnvironment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: noDeadlock})
	workflows.RegisterProducer(env)
	workflows.RegisterConsumer(env)
	env.RegisterActivity(&activities.Producer{})
	env.RegisterActivity(&activities.Consumer{})
	t.Cleanup(func() { env.AssertExpectations(t) })
	return env
}

func named(kind string) error {
	return temporal.NewNonRetryableApplicationError(kind+" happened", kind, nil)
}

func TestProduceProject(t *testing.T) {
	env := environment(t)
	staged := activities.Staged{Host: "host-1", Run: "run"}
	upload := plan.Upload{Reason: "moved"}
	cloned := activities.Cloned{Staged: staged, Bundle: archive.Bundle{ID: stored().ID, Size: 1}, Before: time.Unix(0, 0).UTC(), WhySnapshot: "rewritten"}
	packaged := activities.Packaged{CreatedAt: time.Unix(1, 0).UTC(), Note: "of a clock ahead"}
	work := activities.UploadWork{Plan: upload}
	env.OnActivity(producer.Clone, mock.Anything, lookingFirst(work)).Return(cloned, nil).Once()
	work.Staged = staged
	env.OnActivity(producer.Package, mock.Anything, work, activities.PackageInput{Bundle: cloned.Bundle, Before: cloned.Before, WhySnapshot: "rewritten"}).Return(packaged, nil).Once()
	env.OnActivity(producer.Encrypt, mock.Anything, work).Return(activities.Encrypted{Size: 3}, nil).Once()
	env.OnActivity(producer.Upload, mock.Anything, work, activities.UploadInput{ID: cloned.Bundle.ID, CreatedAt: packaged.CreatedAt, Note: packaged.Note, Size: 3}).
		Return(activities.Uploaded{Summary: "done"}, nil).Once()
	env.OnActivity(eitherSide.Cleanup, mock.Anything, staged).Return(nil).Once()

	queues := taskQueues(env)
	produceProject(env, upload)
	var uploaded activities.Uploaded
	require.NoError(t, env.GetWorkflowResult(&uploaded))
	require.Equal(t, "done", uploaded.Summary)
	require.Equal(t, map[string]string{
		"Clone": "default-test-taskqueue", "Package": "host-1", "Encrypt": "host-1", "Upload": "host-1", "Cleanup": "host-1",
	}, *queues, "what follows the clone runs where its files are")
}

// taskQueues notes on which task queue each activity is started.
func taskQueues(env *testsuite.TestWorkflowEnvironment) *map[string]string {
	queues := map[string]string{}
	env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) {
		queues[info.ActivityType.Name] = info.TaskQueue
	})
	return &queues
}

// Where the source has Git LFS, its LFS objects go ahead of the commits, whose manifest lists them. Where there turn out to be
// none, all is as without.
func TestProduceProjectWithLFS(t *testing.T) {
	for name, needed := range map[string]int{"no LFS objects": 0, "LFS objects": 3} {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			staged := activities.Staged{Host: "host-1", Run: "run"}
			cloned := activities.Cloned{Staged: staged, Bundle: archive.Bundle{ID: stored().ID, Size: 1}, LFS: true}
			work := activities.UploadWork{}
			env.OnActivity(producer.Clone, mock.Anything, lookingFirst(work)).Return(cloned, nil).Once()
			work.Staged = staged
			env.OnActivity(producer.FindLFS, mock.Anything, work).Return(activities.FoundLFS{Objects: needed, Size: 4e9}, nil).Once()
			want := map[string]string{"Clone": testQueue, "FindLFS": "host-1", "Package": "host-1", "Encrypt": "host-1", "Upload": "host-1", "Cleanup": "host-1"}
			packaged, uploaded := activities.PackageInput{Bundle: cloned.Bundle}, activities.UploadInput{ID: cloned.Bundle.ID}
			if needed > 0 {
				uploaded.LFS = activities.MovedLFS{Sent: 1, There: 1, Missing: 1, MissingNames: []string{"oid"}}
				sent := activities.UploadedLFS{MovedLFS: uploaded.LFS, ListSize: 70, ListSHA256: "hash"}
				env.OnActivity(producer.UploadLFS, mock.Anything, work).Return(sent, nil).Once()
				packaged.Bundle.LFSSize, packaged.Bundle.LFSSHA256 = 70, "hash"
				want["UploadLFS"] = "host-1"
			}
			env.OnActivity(producer.Package, mock.Anything, work, packaged).Return(activities.Packaged{}, nil).Once()
			env.OnActivity(producer.Encrypt, mock.Anything, work).Return(activities.Encrypted{}, nil).Once()
			env.OnActivity(producer.Upload, mock.Anything, work, uploaded).Return(activities.Uploaded{}, nil).Once()
			env.OnActivity(eitherSide.Cleanup, mock.Anything, staged).Return(nil).Once()
			queues := taskQueues(env)
			produceProject(env, plan.Upload{})
			require.NoError(t, env.GetWorkflowError())
			require.Equal(t, want, *queues)
		})
	}
}

// What was cloned cannot be searched any more where the source was rewritten: the run takes what it is now, once.
func TestProduceProjectSourceRewritten(t *testing.T) {
	for healAfter, clones := range map[int]int{2: 2, 0: 2} {
		env := environment(t)
		steps := steps(env, map[string]error{"FindLFS": named(activities.KindSourceRewritten)})
		steps.healAfter = healAfter
		produceProject(env, plan.Upload{})
		require.Equal(t, healAfter > 0, env.GetWorkflowError() == nil)
		require.Equal(t, clones, steps.ran["Clone"])
		require.Equal(t, clones, steps.ran["Cleanup"])
	}
}

func TestProduceProjectFails(t *testing.T) {
	for _, failing := range []string{"Clone", "FindLFS", "UploadLFS", "Package", "Encrypt", "Upload"} {
		t.Run(failing, func(t *testing.T) {
			env := environment(t)
			steps := steps(env, map[string]error{failing: named("GitAuthFailed")})
			produceProject(env, plan.Upload{})
			var failure *temporal.ApplicationError
			require.ErrorAs(t, env.GetWorkflowError(), &failure)
			require.Equal(t, "GitAuthFailed", failure.Type())
			require.Equal(t, failing != "Clone", steps.cleaned, "files are removed once there are any")
			require.Equal(t, 1, steps.ran[failing], "a named failure is not retried")
			require.Equal(t, failing == "Upload", steps.ran["Upload"] > 0, "no commit goes ahead of its files")
		})
	}
}

func TestProduceProjectRetries(t *testing.T) {
	env := environment(t)
	steps := steps(env, map[string]error{"Upload": errors.New("connection reset")})
	begun := env.Now()
	produceProject(env, plan.Upload{})
	require.Error(t, env.GetWorkflowError())
	require.Equal(t, retries.Passing.Budget().Attempts, steps.ran["Upload"])
	require.GreaterOrEqual(t, env.Now().Sub(begun), retries.Passing.Budget().Patience(), "what is down for a while is back by then")
	require.Equal(t, 1, steps.ran["Clone"])
	require.True(t, steps.cleaned)
}

// A run whose worker is lost starts over from its first step, but not for ever.
func TestProduceProjectHostLost(t *testing.T) {
	lost := map[string]error{
		"worker gone": temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil),
		"files gone":  named(activities.KindStagedFileMissing),
	}
	for name, err := range lost {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			steps := steps(env, map[string]error{"Encrypt": err})
			steps.healAfter = 2
			produceProject(env, plan.Upload{})
			require.NoError(t, env.GetWorkflowError())
			require.Equal(t, map[string]int{"Clone": 2, "FindLFS": 2, "UploadLFS": 2, "Package": 2, "Encrypt": 2, "Upload": 1, "Cleanup": 2}, steps.ran)
		})
		t.Run(name+" for good", func(t *testing.T) {
			env := environment(t)
			steps := steps(env, map[string]error{"Encrypt": err})
			produceProject(env, plan.Upload{})
			require.Error(t, env.GetWorkflowError())
			require.Equal(t, 3, steps.ran["Clone"])
		})
	}
}

// Files that cannot be removed are left to the worker's next start, and what has been uploaded is.
func TestFailedCleanupFailsNoRun(t *testing.T) {
	env := environment(t)
	steps := steps(env, map[string]error{"Cleanup": errors.New("input/output error")})
	produceProject(env, plan.Upload{})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 3, steps.ran["Cleanup"])
}

func TestProduceProjectCancelled(t *testing.T) {
	env := environment(t)
	steps := steps(env, nil)
	env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) {
		if info.ActivityType.Name == "Encrypt" {
			env.CancelWorkflow()
		}
	})
	produceProject(env, plan.Upload{})
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
	require.Zero(t, steps.ran["Upload"])
	require.True(t, steps.cleaned, "a cancelled run removes its files, too")
}
