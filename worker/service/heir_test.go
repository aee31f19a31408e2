package service

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows"
)

// soon is far below all limits of time by which Temporal itself would find out that a worker is lost.
const soon = time.Minute

// needsHost has a step that needs no worker's files, and others that need those of one.
func needsHost(ctx workflow.Context, host string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Hour})
	onHost := workflow.WithTaskQueue(ctx, host)
	first, push := workflow.ExecuteActivity(ctx, "Step"), workflow.ExecuteActivity(onHost, "Step")
	if err := first.Get(ctx, nil); err != nil {
		return err
	}
	return push.Get(ctx, nil)
}

// cleansUp has a step that only removes a worker's files.
func cleansUp(ctx workflow.Context, host string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Hour})
	return workflow.ExecuteActivity(workflow.WithTaskQueue(ctx, host), "Cleanup").Get(ctx, nil)
}

// goesOn has two steps that need a worker's files, one after the other.
func goesOn(ctx workflow.Context, host string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Hour})
	onHost := workflow.WithTaskQueue(ctx, host)
	if err := workflow.ExecuteActivity(onHost, "Step").Get(ctx, nil); err != nil {
		return err
	}
	return workflow.ExecuteActivity(onHost, "Step").Get(ctx, nil)
}

func registerHosts(r workflows.Registry) {
	r.RegisterWorkflow(goesOn)
	r.RegisterWorkflow(needsHost)
	r.RegisterWorkflow(cleansUp)
}

// lingering has a step whose first attempts do not end.
type lingering struct {
	attempts atomic.Int32
	forever  int32         // how many do not
	begun    chan struct{} // sent to by these
}

func (l *lingering) Step(context.Context) error {
	if l.attempts.Add(1) <= l.forever {
		l.begun <- struct{}{}
		select {} // not even when it is cancelled
	}
	return nil
}

func start(t *testing.T, c client.Client, workflow any, host string) (result func() error) {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "steps"}, workflow, host)
	require.NoError(t, err)
	return func() error {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		return run.Get(ctx, nil)
	}
}

func requireFilesLost(t *testing.T, err error) {
	t.Helper()
	failure := &temporal.ApplicationError{}
	require.ErrorAs(t, err, &failure)
	require.Equal(t, activities.KindStagedFileMissing, failure.Type(), err)
}

// A worker that starts where another one was killed has all run again that the other was at, or had the files for.
func TestKilledWorkerHasAnHeir(t *testing.T) {
	t.Parallel()
	c := devClient(t, client.ConnectionOptions{})
	const killed = "worker-KILLED"
	workdir := t.TempDir()
	folder := filepath.Join(workdir, killed)
	require.NoError(t, os.Mkdir(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "lock"), nil, 0o600))

	pushed, cleaned := start(t, c, needsHost, "steps/host/"+killed), start(t, c, cleansUp, "steps/host/"+killed)
	planner := worker.New(c, "steps", worker.Options{LocalActivityWorkerOnly: true})
	registerHosts(planner)
	require.NoError(t, planner.Start())
	polling, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for _, queue := range []string{"steps", "steps/host/" + killed} {
		taken, err := c.WorkflowService().PollActivityTaskQueue(polling, &workflowservice.PollActivityTaskQueueRequest{
			Namespace: client.DefaultNamespace, TaskQueue: &taskqueue.TaskQueue{Name: queue},
		})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "note-"+filepath.Base(queue)), taken.GetTaskToken(), 0o600))
	}
	planner.Stop()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "note-0"), []byte("half a tok"), 0o600), "the disk was full")

	_, stop := serveIn(t, c, workdir, registerHosts, &lingering{})
	t.Cleanup(stop)
	requireFilesLost(t, pushed())
	require.NoError(t, cleaned())
	require.NoDirExists(t, folder)
}

// What is cut off when a worker has been told to end is run again at once.
func TestCutOffStepsAreGivenUp(t *testing.T) {
	t.Parallel()
	c := devClient(t, client.ConnectionOptions{})
	steps := &lingering{forever: 2, begun: make(chan struct{}, 2)}
	host, stop := serveIn(t, c, t.TempDir(), registerHosts, steps)
	pushed := start(t, c, needsHost, host)
	<-steps.begun
	<-steps.begun
	serve(t, c, registerHosts, &lingering{})
	stop()
	requireFilesLost(t, pushed())
}

// brief has a step that takes a moment.
type brief struct {
	begun chan struct{} // sent to by each
	ended atomic.Int32
}

func (b *brief) Step(context.Context) error {
	b.begun <- struct{}{}
	time.Sleep(200 * time.Millisecond)
	b.ended.Add(1)
	return nil
}

// stage lets a run have files on a worker, and returns their folder.
func stage(t *testing.T, workdir, host string) string {
	t.Helper()
	folder := filepath.Join(workdir, filepath.Base(host), "run")
	require.NoError(t, os.Mkdir(folder, 0o700))
	return folder
}

// A worker that is told to end goes on with the runs whose files it has.
func TestRunsGoOnWhileAWorkerEnds(t *testing.T) {
	t.Parallel()
	c := devClient(t, client.ConnectionOptions{})
	steps, workdir := &brief{begun: make(chan struct{}, 2)}, t.TempDir()
	host, stop := serveIn(t, c, workdir, registerHosts, steps)
	stage(t, workdir, host)
	serve(t, c, registerHosts, &lingering{}) // which is at the workflow meanwhile
	ended := start(t, c, goesOn, host)
	<-steps.begun
	stop()
	require.NoError(t, ended())
	require.EqualValues(t, 2, steps.ended.Load())
}

// A worker that ends between two steps of a run, for which nobody else is there, has an heir that tells the run.
func TestStoppedWorkerHasAnHeir(t *testing.T) {
	t.Parallel()
	c := devClient(t, client.ConnectionOptions{})
	steps, workdir := &brief{begun: make(chan struct{}, 2)}, t.TempDir()
	host, stop := serveIn(t, c, workdir, registerHosts, steps)
	folder := stage(t, workdir, host)
	ended := start(t, c, goesOn, host)
	<-steps.begun
	stop()
	require.EqualValues(t, 1, steps.ended.Load())
	require.NoDirExists(t, folder, "it would take room until a worker starts here")

	_, stop = serveIn(t, c, workdir, registerHosts, &lingering{})
	t.Cleanup(stop)
	requireFilesLost(t, ended())
}
