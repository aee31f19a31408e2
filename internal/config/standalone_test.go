package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStandalone(t *testing.T) {
	s, err := LoadStandalone(nil)
	require.NoError(t, err)
	require.Equal(t, Standalone{TemporalPort: 7233, Every: 5 * time.Minute}, s)

	for text, want := range map[string]LocalAddress{
		"8233": "127.0.0.1:8233", ":8233": "127.0.0.1:8233", "0.0.0.0:8233": "0.0.0.0:8233", "[::1]:8233": "[::1]:8233",
	} {
		s, err := LoadStandalone([]string{"STANDALONE_UI_ADDRESS=" + text})
		require.NoError(t, err)
		require.Equal(t, want, s.UI)
	}
	for address, want := range map[LocalAddress]string{"127.0.0.1:8233": "http://127.0.0.1:8233", "0.0.0.0:8233": "http://127.0.0.1:8233", "[::]:80": "http://127.0.0.1:80", "[::1]:8233": "http://[::1]:8233"} {
		require.Equal(t, want, address.URL())
	}
	for _, end := range []string{"STANDALONE_TEMPORAL_PORT=1", "STANDALONE_TEMPORAL_PORT=65535", "RECONCILE_SLEEP_TIME=1s"} {
		_, err := LoadStandalone([]string{end})
		require.NoError(t, err, end)
	}
	for variable, problem := range map[string]string{
		"STANDALONE_UI_ADDRESS=localhost:8233": "not a port, nor an IP and a port",
		"STANDALONE_UI_ADDRESS=127.0.0.1:":     "not a port, nor an IP and a port",
		"STANDALONE_UI_ADDRESS=0":              "not a port, nor an IP and a port",
		"STANDALONE_UI_ADDRESS=0.0.0.0:65536":  "not a port, nor an IP and a port",
		"STANDALONE_UI_ADDRESS=http":           "not a port, nor an IP and a port",
		"STANDALONE_TEMPORAL_PORT=0":           "STANDALONE_TEMPORAL_PORT is 0, not between 1 and 65535",
		"STANDALONE_TEMPORAL_PORT=65536":       "STANDALONE_TEMPORAL_PORT is 65536, not between 1 and 65535",
		"STANDALONE_TEMPORAL_PORT=no":          "STANDALONE_TEMPORAL_PORT is not a whole number",
		"RECONCILE_SLEEP_TIME=10ms":            "RECONCILE_SLEEP_TIME is 10ms, less than 1s",
		"RECONCILE_SLEEP_TIME=15":              "RECONCILE_SLEEP_TIME is not a duration",
	} {
		_, err := LoadStandalone([]string{variable})
		require.ErrorContains(t, err, problem)
		require.Equal(t, 1, strings.Count(err.Error(), "\n"), "and nothing else: %v", err)
	}
}
