package e2e_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/standalone/devserver"
)

// awaited is a text that is read while it is written.
type awaited struct {
	mu   sync.Mutex
	text strings.Builder
}

func (a *awaited) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.Write(p)
}

func (a *awaited) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.String()
}

// A worker whose Temporal comes late, whose namespace comes later, and whose Temporal goes away and comes back, says each at /readyz
// and once in its log, and takes work whenever it can.
func TestWorkerWaitsForTemporal(test *testing.T) {
	test.Parallel()
	t := begin(test)
	address, probes := freeAddress(t), freeAddress(t)
	var log awaited
	cmd := exec.Command(stacks.binaries.Worker, "-role", "consumer")
	cmd.Env = append(t.WorkerEnviron(stack.Consumer), "TEMPORAL_ADDRESS="+address, "TEMPORAL_NAMESPACE=enclave", "HEALTH_ADDRESS="+probes, "WORKDIR="+t.TempDir())
	cmd.Stderr = &log
	worker, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(worker.Kill)
	get := func(path string) (int, string) {
		answer, err := http.Get("http://" + probes + path)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
	ready := func(status int, text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got, said := get("/readyz")
			return got == status && strings.Contains(said, text)
		}, time.Minute, 50*time.Millisecond, "%s", log.String())
		alive, _ := get("/livez")
		require.Equal(t, http.StatusOK, alive)
	}
	ready(http.StatusServiceUnavailable, "starting: temporal at "+address+": nothing listens there (connection refused)")

	options := devserver.Options{Program: stacks.binaries.Temporal, Address: address, Database: t.TempDir() + "/db", Namespaces: []string{"default"}, Environ: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, Log: io.Discard}
	temporal, err := devserver.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { temporal.Close() })
	ready(http.StatusServiceUnavailable, `the namespace "enclave" does not exist there: create it (temporal operator namespace create enclave)`)

	_, err = temporal.Clients["default"].WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: "enclave", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	ready(http.StatusOK, "ok")

	temporal.Close()
	ready(http.StatusServiceUnavailable, "temporal: ")
	said := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(log.String(), text) }, time.Minute, 100*time.Millisecond, "%s", log.String())
	}
	said("Temporal is not there")
	temporal, err = devserver.Start(context.WithoutCancel(t.Context()), options)
	require.NoError(t, err)
	ready(http.StatusOK, "ok")
	said("Temporal is there again")

	require.NoError(t, syscall.Kill(worker.PID(), syscall.SIGTERM))
	require.NoError(t, worker.Err())
	for text, times := range map[string]int{
		"Waiting for Temporal: ": 2, "connection refused": 2, "does not exist there": 1, `"Temporal is there"`: 1, "Started: taking work": 1,
		"Temporal is not there": 1, "Temporal is there again": 1, "Stopping": 1, "Failed to poll": 0, "Started Worker": 0,
	} {
		require.Equal(t, times, strings.Count(log.String(), text), "%q in %s", text, log.String())
	}
}

// A worker that is told to end while it waits ends at once, and well.
func TestWorkerEndsWhileItWaits(test *testing.T) {
	test.Parallel()
	t := begin(test)
	var log awaited
	cmd := exec.Command(stacks.binaries.Worker, "-role", "consumer")
	cmd.Env = append(t.WorkerEnviron(stack.Consumer), "TEMPORAL_ADDRESS="+freeAddress(t), "WORKDIR="+t.TempDir())
	cmd.Stderr = &log
	worker, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(worker.Kill)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "Waiting for Temporal") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(worker.PID(), syscall.SIGTERM))
	require.NoError(t, worker.Err())
}
