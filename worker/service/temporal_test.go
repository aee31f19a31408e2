package service

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

func TestPlainTemporalIsWarnedOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environ []string
		want    string
	}{
		{nil, ""},
		{[]string{"TEMPORAL_ADDRESS=127.0.0.1:7233"}, ""},
		{[]string{"TEMPORAL_ADDRESS=[::1]:7233"}, ""},
		{[]string{"TEMPORAL_ADDRESS=temporal:7233", "TEMPORAL_TLS=true"}, ""},
		{[]string{"TEMPORAL_ADDRESS=temporal:7233", "TEMPORAL_API_KEY=key"}, ""},
		{[]string{"TEMPORAL_ADDRESS=temporal:7233"}, "Temporal is reached without TLS: whoever is in between can read names"},
		{[]string{"TEMPORAL_ADDRESS=temporal:7233", "TEMPORAL_TLS=false", "TEMPORAL_API_KEY=key"}, "and has the API key: set TEMPORAL_TLS=true"},
		{[]string{"TEMPORAL_ADDRESS=temporal:7233", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION=true"}, "Temporal's certificate is not verified"},
	} {
		var out bytes.Buffer
		_, err := temporalOptions(config.Environ(append(tt.environ, "TEMPORAL_CONFIG_FILE=/dev/null")), slog.New(slog.NewTextHandler(&out, nil)))
		require.NoError(t, err)
		if tt.want == "" {
			require.Empty(t, out.String(), tt.environ)
			continue
		}
		require.Contains(t, out.String(), tt.want, tt.environ)
	}
}

func TestPlainStoreIsWarnedOf(t *testing.T) {
	t.Parallel()
	for endpoint, warned := range map[string]bool{
		"": false, "https://s3.example.com": false, "http://127.0.0.1:7070": false, "http://localhost/": false, "http://[::1]:7070/x": false, "http://[::1]": false,
		"http://s3:7070": true, "HTTP://s3.example.com/": true, "http://127.0.0.1.example.com": true,
	} {
		require.Equal(t, warned, plaintextStoreWarning(endpoint) != "", endpoint)
	}
}
