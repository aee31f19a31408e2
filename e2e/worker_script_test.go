package e2e_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// The demo says when a side has no worker any more, and how to start another one, which takes over.
func TestWorkerOfAPerson(test *testing.T) {
	test.Parallel()
	t, _ := newStack(test)
	has := func() bool {
		works, err := t.HasWorker(t.Context(), stack.Consumer)
		require.NoError(t, err)
		return works
	}
	require.True(t, has())
	t.Workers[stack.Consumer].Kill()
	<-t.Workers[stack.Consumer].Exited()
	require.False(t, has())

	script, err := t.WriteWorkerScript(stack.Consumer)
	require.NoError(t, err)
	worker, err := child.Start(exec.Command(script))
	require.NoError(t, err)
	t.Cleanup(func() { _ = worker.Stop(time.Minute) })
	require.Eventually(t, has, time.Minute, 100*time.Millisecond)

	pair := operated("script")
	configure(t, pair)
	destination, sha := prepareOperated(t, "script")
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	awaitHead(t, destination, sha)
}
