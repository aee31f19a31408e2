package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// No step may hold a repository in memory, on either side.
func TestMemoryDoesNotGrowWithRepository(test *testing.T) {
	rusage.Need(test)
	const small, big, allowed = 3 << 20, 120 << 20, 40 << 20 // bytes
	t := begin(test)
	releasedWorkers(t)
	before := map[stack.Role]int64{}
	for _, size := range []int64{small, big} {
		emptyBucket(t)
		generate(t, fmt.Sprintf("memory/%d", size), size)
		syncOnce(t)
		for _, role := range stack.Roles {
			peak := rusage.PeakMemory(t, t.Workers[role].PID())
			t.Logf("%s: %d MB with a repository of %d MB", role, peak>>20, size>>20)
			if size == big {
				require.Less(t, peak, before[role]+allowed, "%s", role)
				require.Less(t, peak, int64(memoryLimit), "%s", role)
			}
			before[role] = peak
		}
	}
}

// releasedWorkers are built as those that are released: the race detector takes several bytes for each that a worker touches.
func releasedWorkers(t sides) {
	t.Helper()
	if stack.Race {
		careful := t.Binaries
		require.NoError(t, t.Binaries.Build(t.TempDir(), "-race=false", "./worker"))
		t.Cleanup(func() {
			t.Binaries = careful
			for _, role := range stack.Roles {
				require.NoError(t, t.Workers[role].Stop())
				require.NoError(t, t.StartWorker(context.Background(), role))
			}
		})
	}
	restartWorkers(t)
}

// generate makes a project the only one that is synced, with a long history.
func generate(t sides, repo string, size int64) {
	t.Helper()
	create(t, t.Source, repo)
	create(t, t.Destination, "mirror/"+repo)
	_, err := t.Source.Generate(t.Context(), repo, "main", longHistory(size))
	require.NoError(t, err)
	configure(t, [2]string{repo + "@main", "mirror/" + repo + "@main"})
}

func longHistory(size int64) gitserver.History {
	const commit = 15_000
	return gitserver.History{Bytes: size, Commits: int(size / commit)}
}

// restartWorkers gives both sides a new worker.
func restartWorkers(t sides) {
	t.Helper()
	for _, role := range stack.Roles {
		require.NoError(t, t.Workers[role].Stop())
		require.NoError(t, t.StartWorker(t.Context(), role))
	}
}

// syncOnce runs a cycle of either side, without the starter's own start, and returns how long
// each took.
func syncOnce(t sides) (produced, consumed time.Duration) {
	t.Helper()
	begin := time.Now()
	runCycle(t, stack.Producer, contract.Producer.TaskQueue, workflows.ProducerSync, contract.CycleInput{})
	produced = time.Since(begin)
	runCycle(t, stack.Consumer, contract.Consumer.TaskQueue, workflows.ConsumerSync, contract.CycleInput{})
	return produced, time.Since(begin) - produced
}

func runCycle(t sides, role stack.Role, queue string, workflow, input any) {
	t.Helper()
	options := client.StartWorkflowOptions{ID: "measured-cycle", TaskQueue: queue}
	run, err := t.Temporal.Clients[role].ExecuteWorkflow(t.Context(), options, workflow, input)
	require.NoError(t, err)
	require.NoError(t, run.Get(t.Context(), nil))
}

// packSize asks the source for a pack as stock git would get it.
func packSize(t sides, repo, want, have string) int64 {
	t.Helper()
	base, err := url.Parse(t.Source.URL())
	require.NoError(t, err)
	git := smarthttp.New(smarthttp.Options{Forge: gitlab.At(base), Username: t.Source.Credentials.User, Password: t.Source.Credentials.Password})
	pack, err := git.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{want}, Haves: []string{have}, Thin: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, pack.Close()) }()
	require.Equal(t, have, pack.Common())
	size, err := io.Copy(io.Discard, pack)
	require.NoError(t, err)
	return size
}
