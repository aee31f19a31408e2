package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// aTemporal answers as Temporal's server does at the start of a worker.
type aTemporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	refusal error // of DescribeNamespace
}

func (aTemporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (s aTemporal) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	if s.refusal != nil {
		return nil, s.refusal
	}
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

// serveTemporal serves at an address; any free one if it is empty.
func serveTemporal(t *testing.T, address string, s aTemporal) string {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// Whatever keeps a worker from its Temporal is said in words, with what to do.
func TestWhyThereIsNoTemporal(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	refused := func(refusal error) string { return serveTemporal(t, "", aTemporal{refusal: refusal}) }
	nobody := freeAddress(t)
	withTLS := client.ConnectionOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	for name, tt := range map[string]struct {
		options client.Options
		want    string
	}{
		"nobody there":      {client.Options{HostPort: nobody}, "temporal at " + nobody + ": nothing listens there (connection refused): start Temporal, or correct TEMPORAL_ADDRESS; trying again"},
		"unknown host":      {client.Options{HostPort: "temporal.invalid:7233"}, ": see TEMPORAL_ADDRESS; trying again"},
		"no namespace":      {client.Options{HostPort: refused(status.Error(codes.NotFound, "no enclave")), Namespace: "enclave"}, `: the namespace "enclave" does not exist there: create it (temporal operator namespace create enclave), or set TEMPORAL_NAMESPACE to the one that is meant; trying again`},
		"not allowed":       {client.Options{HostPort: refused(status.Error(codes.PermissionDenied, "not you"))}, "Temporal does not allow it to these credentials: see TEMPORAL_API_KEY or the client certificate, and their rights in the namespace (not you); trying again"},
		"TLS to plain text": {client.Options{HostPort: serveTemporal(t, "", aTemporal{}), ConnectionOptions: withTLS}, "it does not speak TLS: set TEMPORAL_TLS=false; trying again"},
		"unknown authority": {client.Options{HostPort: secure.Listener.Addr().String(), ConnectionOptions: withTLS}, "the TLS connection failed (certificate signed by unknown authority): see TEMPORAL_TLS and its certificates; trying again"},
		"plain text to TLS": {client.Options{HostPort: secure.Listener.Addr().String()}, "see TEMPORAL_ADDRESS; trying again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.options.Logger = quiet
			_, err := temporalWait{options: tt.options}.reach(t.Context())
			require.ErrorContains(t, err, tt.want)
			require.True(t, strings.HasPrefix(err.Error(), "temporal at "+tt.options.HostPort+": "), err)
		})
	}
}

// A log that is read while it is written.
type sharedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// A worker waits for its Temporal, alive and not ready, says why, and takes it when it is there; the namespace can come later, too.
func TestWorkerWaitsForTemporal(t *testing.T) {
	address := freeAddress(t)
	var log sharedBuffer
	reasons := make(chan error, 100)
	wait := temporalWait{options: client.Options{HostPort: address, Logger: quiet}, log: slog.New(slog.NewTextHandler(&log, nil)), pause: time.Millisecond, waits: func(err error) {
		select {
		case reasons <- err:
		default:
		}
	}}
	connected := make(chan client.Client)
	go func() { connected <- wait.connect(t.Context()) }()
	for range 3 {
		require.ErrorContains(t, <-reasons, "connection refused")
	}
	serveTemporal(t, address, aTemporal{})
	temporal := <-connected
	require.NotNil(t, temporal)
	temporal.Close()
	require.Equal(t, 1, strings.Count(log.String(), "Waiting for Temporal"), "it is said once: %s", log.String())
	require.Contains(t, log.String(), "Temporal is there")
}

// A worker that waits serves its probes, says what it does not use, ends at once when it is told to, without a failure, and leaves
// nothing.
func TestWorkerThatIsToldToEndWhileItWaits(t *testing.T) {
	workdir, address := t.TempDir(), freeAddress(t)
	for _, variable := range append(producerEnviron(t, "http://127.0.0.1:1", write(t, "syncs: []\n")), "HEALTH_ADDRESS="+address,
		"REQUEST_TIMEOUT=5", "TEMPORAL_ADDRESS=127.0.0.1:1", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1", "WORKDIR="+workdir, "PRIVATE_KEY=") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	var log sharedBuffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- run(ctx, "", &log, foreign.NewMask()) }()
	probe := func(path string) (int, string) {
		answer, err := http.Get("http://" + address + path)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
	require.Eventually(t, func() bool {
		status, text := probe("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "starting: temporal at 127.0.0.1:1: nothing listens there (connection refused)")
	}, 30*time.Second, 10*time.Millisecond)
	status, text := probe("/livez")
	require.Equal(t, http.StatusOK, status, text)
	stop()
	require.NoError(t, <-ended)

	var first struct {
		Msg, Version, Role string
		Configuration      map[string]string
	}
	lines := strings.Split(log.String(), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first), "a log that is no terminal's is JSON: %s", lines[0])
	require.Equal(t, "Starting", first.Msg)
	require.Equal(t, "producer", first.Role)
	require.NotEmpty(t, first.Version)
	require.Equal(t, workdir, first.Configuration["WORKDIR"])
	require.Equal(t, "set", first.Configuration["GITLAB_TOKEN"])
	require.Contains(t, log.String(), "Not used here: REQUEST_TIMEOUT: ")
	left, err := os.ReadDir(workdir)
	require.NoError(t, err)
	for _, l := range left {
		require.False(t, l.IsDir(), "a folder of nobody's: %s", l)
	}
	require.ErrorContains(t, run(t.Context(), "both", io.Discard, foreign.NewMask()), `the role is "both"`)
}

// That Temporal is gone is said once, and that it is back, too.
func TestWatchTemporal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log sharedBuffer
		ctx, stop := context.WithCancel(t.Context())
		looks := 0
		go watchTemporal(ctx, func(ctx context.Context) error {
			_, bounded := ctx.Deadline()
			assert.True(t, bounded)
			if looks++; looks == 1 || looks > 5 {
				return nil
			}
			return errors.New("gone")
		}, slog.New(slog.NewTextHandler(&log, nil)), time.Minute)
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		stop()
		synctest.Wait()
		require.Regexp(t, `(?s)^\S+ level=WARN msg="Temporal is not there: what runs waits for it" error=gone\n\S+ level=INFO msg="Temporal is there again" away_seconds=240\n$`, log.String())
	})
}
