package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// No step may hold a repository in memory, on either side.
func TestMemoryDoesNotGrowWithRepository(test *testing.T) {
	needProc(test)
	const small, big, allowed = 3 << 20, 120 << 20, 40 << 20 // bytes
	t := begin(test)
	releasedWorkers(t)
	before := map[stack.Role]int64{}
	for _, size := range []int64{small, big} {
		emptyBucket(t)
		generate(t, fmt.Sprintf("memory/%d", size), size)
		syncOnce(t)
		for _, role := range stack.Roles {
			peak := peakMemory(t, role)
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
	if len(buildFlags) > 0 {
		careful := t.Binaries.Worker
		t.Binaries.Worker = filepath.Join(t.TempDir(), "worker")
		build := exec.Command("go", "build", "-o", t.Binaries.Worker, "../worker")
		build.Env = inherited
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		t.Cleanup(func() {
			t.Binaries.Worker = careful
			for _, role := range stack.Roles {
				require.NoError(t, t.Workers[role].Stop())
				require.NoError(t, t.StartWorker(context.Background(), role))
			}
		})
	}
	restartWorkers(t)
}

func needProc(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
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

var vmHWM = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// peakMemory is the most that a worker was ever given, in bytes (proc(5), VmHWM).
func peakMemory(t sides, role stack.Role) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.Workers[role].PID()))
	require.NoError(t, err)
	match := vmHWM.FindSubmatch(status)
	require.NotNil(t, match)
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	require.NoError(t, err)
	return kib << 10
}

// cpuTime is what a worker has used so far, in user and kernel mode (proc(5), utime and stime).
func cpuTime(t sides, role stack.Role) time.Duration {
	t.Helper()
	const ticksPerSecond = 100 // of the kernel's interface, on every architecture that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.Workers[role].PID()))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	var ticks int64
	for _, field := range strings.Fields(rest)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}
