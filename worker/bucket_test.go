package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/config"
)

// The SDK reads the same variables itself, and would send "@" and the path as they are.
func TestBucketCredentialsFromFiles(t *testing.T) {
	var sent http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	dir := t.TempDir()
	environ := []string{"AWS_REGION=us-east-1", "AWS_S3_BUCKET=b", "AWS_S3_USE_PATH_STYLE=true"}
	for name, content := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIA\n", "AWS_SECRET_ACCESS_KEY": "secret\n", "AWS_SESSION_TOKEN": "session\n"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		t.Setenv(name, "@"+path)
		environ = append(environ, name+"=@"+path)
	}
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	c, err := config.LoadConsumer(environ)
	require.ErrorContains(t, err, "GITLAB_TOKEN is not set", "only the bucket is of interest here")
	var out bytes.Buffer
	store, err := openBucket(t.Context(), c.Side, bucket.Options{}, slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	_, err = store.Stat(t.Context(), "key")
	require.Error(t, err)
	require.Contains(t, sent.Get("Authorization"), "Credential=AKIA/")
	require.Equal(t, "session", sent.Get("X-Amz-Security-Token"))
	require.Empty(t, out.String(), "nobody is in between")
}
