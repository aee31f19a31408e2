package child_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/child"
)

// start runs a shell script and returns once it has printed something.
func start(t *testing.T, script string) *child.Process {
	t.Helper()
	output, input := io.Pipe()
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = input
	p, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	_, err = output.Read(make([]byte, 1))
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, output) }()
	return p
}

func TestStop(t *testing.T) {
	tests := map[string]struct {
		script   string
		patience time.Duration
		want     string
	}{
		"ends when asked":  {`trap 'exit 0' TERM; echo; while :; do sleep 0.01; done`, time.Minute, ""},
		"ends with status": {`trap 'exit 3' TERM; echo; while :; do sleep 0.01; done`, time.Minute, "exit status 3"},
		"does not listen":  {`trap '' TERM; echo; while :; do sleep 0.01; done`, time.Millisecond, "signal: killed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := start(t, tt.script).Stop(tt.patience)
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.want)
			}
		})
	}
}

func TestAwait(t *testing.T) {
	p := start(t, "echo; exec sleep 60")
	asked := 0
	require.NoError(t, p.Await(t.Context(), func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}))

	never := func(context.Context) error { return errors.New("never") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.EqualError(t, p.Await(ctx, never), "not ready: context canceled: never")
	p.Kill()
	require.EqualError(t, p.Await(t.Context(), never), "exited before it was ready: signal: killed")
}

func TestServerThatIsNotReady(t *testing.T) {
	output, input, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", "exec sleep 60")
	cmd.Stdout = input
	never := func(context.Context) error { return errors.New("never") }
	_, err = child.StartServer(t.Context(), cmd, time.Millisecond, never)
	require.EqualError(t, err, "not ready: context deadline exceeded: never")
	require.NoError(t, input.Close())
	_, err = output.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "nobody is left to write")
}

func TestStartFails(t *testing.T) {
	_, err := child.Start(exec.Command("/nonexistent"))
	require.ErrorContains(t, err, "no such file")
}

// Only the status says whether a server is ready: one that is still being started may answer.
func TestAnswersOK(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	ready := child.AnswersOK(server.URL)
	require.ErrorContains(t, ready(t.Context()), "health check: 503")
	status = http.StatusOK
	require.NoError(t, ready(t.Context()))
	server.Close()
	require.Error(t, ready(t.Context()))
}
