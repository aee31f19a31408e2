package service

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Whoever tries the predecessor's variables out sees which have no effect, as those do who run a worker.
func TestCheckNamesUnusedVariables(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1") // nothing listens there
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	var log bytes.Buffer
	_, err := Check(t.Context(), contract.Producer, []string{
		"REQUEST_TIMEOUT=5", "SYNCS_FILE=" + write(t, "syncs: []\n"),
		"PUBLIC_KEY=age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
		"GITLAB_BASE_URL=http://127.0.0.1:1", "GITLAB_USERNAME=u", "GITLAB_TOKEN=token",
		"AWS_REGION=r", "AWS_S3_BUCKET=b", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s",
	}, &log)
	require.ErrorContains(t, err, "ConnectionRefused")
	require.Contains(t, log.String(), "Not used here: REQUEST_TIMEOUT: ")
}
