package service

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// What a worker has verified under its own settings is pushed by nobody else: the one that takes its place with others, such as
// with VERIFY_KEYS, has another queue and none of its files, so that the run starts over.
func TestRestartedWorkerTakesNoStepsOfTheOneBefore(t *testing.T) {
	r, err := consumer([]string{
		"PRIVATE_KEY=" + identity(t).String(), "GITLAB_BASE_URL=https://gitlab.example.com", "GITLAB_USERNAME=u", "GITLAB_TOKEN=t",
		"AWS_REGION=r", "AWS_S3_BUCKET=b", "WORKDIR=" + t.TempDir(),
	})
	require.NoError(t, err)
	var hosts []string
	for range 2 {
		d, err := r.open(t.Context(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.NotContains(t, hosts, d.Host)
		hosts = append(hosts, d.Host)
		require.NoError(t, d.Staging.Close())
	}
}

// A worker says what it does not use, and leaves nothing where it could not begin.
func TestWorkerWithoutTemporal(t *testing.T) {
	workdir := t.TempDir()
	for _, variable := range append(producerEnviron(t, "http://127.0.0.1:1", write(t, "syncs: []\n")),
		"REQUEST_TIMEOUT=5", "TEMPORAL_ADDRESS=127.0.0.1:1", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1", "WORKDIR="+workdir, "PRIVATE_KEY=") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	var log bytes.Buffer
	err := run(t.Context(), "", slog.New(slog.NewTextHandler(&log, nil)), foreign.NewMask())
	require.ErrorContains(t, err, `connect to temporal at "127.0.0.1:1"`)
	require.Contains(t, log.String(), "Not used here: REQUEST_TIMEOUT: ")
	left, err := os.ReadDir(workdir)
	require.NoError(t, err)
	for _, l := range left {
		require.False(t, l.IsDir(), "a folder of nobody's: %s", l)
	}
	require.ErrorContains(t, run(t.Context(), "both", slog.New(slog.DiscardHandler), foreign.NewMask()), `the role is "both"`)
}
