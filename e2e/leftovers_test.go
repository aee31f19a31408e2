package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// TestLeftoversOfRuns has a worker hold one run's files, finds it another's that is over, and then has all
// of its work directory deleted in the middle of the run.
func TestLeftoversOfRuns(test *testing.T) {
	test.Parallel()
	t := begin(test)
	source, destination, _ := upload(t, "left")
	cycle(t, stack.Consumer)
	temporal := t.Temporal.Clients[stack.Consumer]
	runID := func() string {
		about, err := temporal.DescribeWorkflowExecution(t.Context(), consumeID(destination), "")
		require.NoError(t, err)
		return about.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	}
	over := runID()

	commit(t, source)
	cycle(t, stack.Producer)
	gate := closeGate(t, "mirror/left/app")
	wait := startCycle(t)
	gate.await(t)
	alive := runID()
	require.NotEqual(t, over, alive)
	folders, err := filepath.Glob(filepath.Join(t.WorkDir(stack.Consumer), "worker-*", alive+".*"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	left := filepath.Join(filepath.Dir(folders[0]), over+".attempt")
	require.NoError(t, os.Mkdir(left, 0o700))
	long := time.Now().Add(-time.Hour)
	for _, folder := range []string{left, folders[0]} {
		require.NoError(t, os.Chtimes(folder, long, long))
	}
	require.Eventually(t, func() bool { _, err := os.Stat(left); return os.IsNotExist(err) }, time.Minute, 50*time.Millisecond)
	require.DirExists(t, folders[0], "its run is not over")

	require.NoError(t, os.RemoveAll(t.WorkDir(stack.Consumer)))
	gate.pass(t)
	out, err := wait()
	require.NoError(t, err, out)
	requireInSync(t, 1)
	commit(t, source)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	requireInSync(t, 1)
	require.Empty(t, staged(t, stack.Consumer))
}
