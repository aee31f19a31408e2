package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

// What Temporal's SDK would pass over, and go on without TLS, is refused.
func TestTemporal(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("key-from-file\n"), 0o600))
	for variable, want := range map[string]string{
		"TEMPORAL_TLS=yes": `TEMPORAL_TLS is "yes", not true or false`,
		"TEMPORAL_TLS= ":   `TEMPORAL_TLS is " ", not true or false`,
		"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION=no": `TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is "no"`,
		"TEMPORAL_TLS_CA=/ca.pem":                   "TEMPORAL_TLS_CA is not a variable of Temporal's SDK",
		"TEMPORAL_API_KEY=two words":                "TEMPORAL_API_KEY has white space in it",
		"TEMPORAL_API_KEY=@/missing":                "TEMPORAL_API_KEY: the file that it names",
	} {
		_, err := config.Temporal([]string{variable})
		require.ErrorContains(t, err, want)
	}
	for _, variable := range []string{"TEMPORAL_TLS=TRUE", "TEMPORAL_TLS=0", "TEMPORAL_TLS=", "TEMPORAL_SERVICE_HOST=10.0.0.1"} {
		environ, err := config.Temporal([]string{variable})
		require.NoError(t, err, variable)
		require.Equal(t, config.Environ{variable}, environ)
	}
	environ, err := config.Temporal([]string{"TEMPORAL_API_KEY=@" + key})
	require.NoError(t, err)
	value, _ := environ.LookupEnv("TEMPORAL_API_KEY")
	require.Equal(t, "key-from-file", value)
}
