package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A refusal that only a person can lift is not paid for again in each cycle, until something has changed.
func TestRefusalCostsOnce(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const destination, repo = "mirror/refused/app@main", "mirror/refused/app"
	configure(t, [2]string{"refused/app@main", destination})
	commit(t, "refused/app@main")
	create(t, t.Destination, repo)
	asked := filepath.Join(t.TempDir(), "asked")
	hook(t, repo, "echo . >> '"+asked+"'; echo 'frozen until Monday' >&2; exit 1")
	cycle(t, stack.Producer)

	before := downloads(t)
	requireTried := func(times int) {
		t.Helper()
		pushes, err := os.ReadFile(asked)
		require.NoError(t, err)
		require.Equal(t, times, strings.Count(string(pushes), "."), "pushes")
		require.GreaterOrEqual(t, downloads(t)-before, times, "the log that is counted")
	}
	failingCycle(t, stack.Consumer)
	requireTried(1)
	once := downloads(t)
	for range 3 {
		out := failingCycle(t, stack.Consumer)
		require.Contains(t, out, "failed "+destination+": ")
		require.Contains(t, out, "frozen until Monday")
		require.Contains(t, out, "(PushRefused, workflow "+consumeID(destination)+")")
		require.Contains(t, out, "Tried once since ")
		require.Contains(t, out, "starter retry at once")
	}
	out, err := t.Starter(t.Context(), stack.Consumer, "plan")
	require.Error(t, err)
	require.Contains(t, out, "frozen until Monday")
	requireTried(1)
	require.Equal(t, once, downloads(t), "nothing is downloaded for a refusal that is known")

	_, err = t.Starter(t.Context(), stack.Consumer, "retry", destination)
	require.Error(t, err)
	requireTried(2)
	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer))
	failingCycle(t, stack.Consumer) // the memory is not the worker's
	requireTried(2)

	second := commit(t, "refused/app@main")
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)
	requireTried(3)

	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, "PUSH_POLICY=fast-forward"))
	failingCycle(t, stack.Consumer)
	requireTried(4)
	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer))

	unprotect(t, repo)
	starter(t, stack.Consumer, "retry", destination)
	require.Equal(t, second, arrived(t, destination))
}

// downloads counts the answers of the bucket that had an object's content. The catalog is read in each cycle.
func downloads(t sides) (n int) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(filepath.Dir(t.SyncsFile()), "logs", "s3.log"))
	require.NoError(t, err)
	for _, line := range strings.Split(string(log), "\n") {
		if strings.Contains(line, "| GET |") && strings.Contains(line, ".tar.age") && !strings.Contains(line, "/"+catalog.Key) {
			n++
		}
	}
	return n
}

// An operator's word is not lost in a run that was started without it.
func TestRollbackIsNotSaidToAnotherRun(test *testing.T) {
	test.Parallel()
	t := begin(test)
	_, destination, _ := upload(t, "joined")
	gate := closeGate(t, branch(destination).Path())
	wait := startCycle(t)
	gate.await(t)

	out, err := t.Starter(t.Context(), stack.Consumer, "run", "--allow-rollback", destination)
	require.Error(t, err)
	require.Contains(t, out, "consumer-sync-once is running already, without --allow-rollback, which was not used")

	in := contract.CycleInput{AllowRollback: []string{destination}}
	options := client.StartWorkflowOptions{ID: "beside", TaskQueue: contract.Consumer.TaskQueue}
	beside, err := t.Temporal.Clients[stack.Consumer].ExecuteWorkflow(t.Context(), options, contract.Consumer.Parent, in)
	require.NoError(t, err)
	err = beside.Get(t.Context(), nil)
	require.ErrorContains(t, err, "without allow_rollback")
	require.ErrorContains(t, err, plan.KindRollbackNotUsed)

	gate.pass(t)
	out, err = wait()
	require.NoError(t, err, out)
}
