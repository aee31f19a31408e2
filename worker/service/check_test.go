package service

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// producerEnviron is what a producer needs at least.
func producerEnviron(t *testing.T, gitlab, syncs string) []string {
	t.Helper()
	return []string{
		"SYNCS_FILE=" + syncs, "PUBLIC_KEY=" + identity(t).Recipient().String(),
		"GITLAB_BASE_URL=" + gitlab, "GITLAB_USERNAME=u", "GITLAB_TOKEN=token",
		"AWS_REGION=r", "AWS_S3_BUCKET=b", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=canary",
	}
}

// Whoever tries the predecessor's variables out sees which have no effect, as those do who run a worker.
func TestCheckNamesUnusedVariables(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1") // nothing listens there
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	var log bytes.Buffer
	environ := append(producerEnviron(t, "http://127.0.0.1:1", write(t, "syncs: []\n")), "REQUEST_TIMEOUT=5")
	_, err := Check(t.Context(), contract.Producer, environ, &log)
	require.ErrorContains(t, err, "ConnectionRefused")
	require.Contains(t, log.String(), "Not used here: REQUEST_TIMEOUT: ")
	require.NotContains(t, log.String(), "GRAPHQL")
}

// Nobody is between a check and the person who reads it: what a server says of one sync is masked there.
func TestCheckTellsNoSecrets(t *testing.T) {
	git := record(t, true, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "canary", http.StatusUnprocessableEntity) })
	store := record(t, true, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`)
	})
	t.Setenv("AWS_ENDPOINT_URL_S3", store.URL)
	syncs := write(t, "syncs: [{source: {group: g, name: n, branch: b}, destination: {group: m}}]\n")
	report, err := Check(t.Context(), contract.Producer, producerEnviron(t, git.URL, syncs), io.Discard)
	require.NoError(t, err)
	require.Len(t, report.Failed, 1)
	require.Contains(t, report.Failed[0].Reason, "422")
	require.NotContains(t, report.Failed[0].Reason, "canary")
}

// Who ends a check finds no failure of anybody's.
func TestInterruptedCheck(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	_, err := Check(ctx, contract.Producer, producerEnviron(t, "http://127.0.0.1:1", write(t, "syncs: []\n")), io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}
