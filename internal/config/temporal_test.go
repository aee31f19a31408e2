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
		"TEMPORAL_TLS= ":   "TEMPORAL_TLS is set, but to white space only",
		"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION=no": `TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is "no"`,
		"TEMPORAL_TLS_CA=/ca.pem":                   "TEMPORAL_TLS_CA is not a variable of Temporal's SDK",
		"TEMPORAL_ADDRESS=temporal :7233":           "TEMPORAL_ADDRESS has white space in it",
		"TEMPORAL_NAMESPACE=temporal-system":        `TEMPORAL_NAMESPACE is "temporal-system", which Temporal keeps to itself`,
		"TEMPORAL_CONFIG_FILE=/nope":                "TEMPORAL_CONFIG_FILE: stat /nope: no such file or directory",
		"TEMPORAL_NAMESPACE=a\nb":                   "TEMPORAL_NAMESPACE has a control character in it",
		"TEMPORAL_TLS_CLIENT_KEY_PATH=/a\nb":        "TEMPORAL_TLS_CLIENT_KEY_PATH has a control character in it",
		"TEMPORAL_GRPC_META_AUTHORIZATION=a\nb":     "TEMPORAL_GRPC_META_AUTHORIZATION has a control character in it",
		"TEMPORAL_API_KEY=two words":                "TEMPORAL_API_KEY has white space in it",
		"TEMPORAL_API_KEY=@/missing":                "TEMPORAL_API_KEY: the file that it names",
	} {
		_, err := config.Temporal([]string{variable})
		require.ErrorContains(t, err, want)
	}
	_, err := config.Temporal([]string{"TEMPORAL_TLS_CA=/ca.pem", "TEMPORAL_TLS_ON=1", "TEMPORAL_NAMESPACE=a b", "TEMPORAL_ADDRESS=a b", "TEMPORAL_TLS_SERVER_NAME=a b"})
	for _, want := range []string{"TEMPORAL_TLS_CA is", "TEMPORAL_TLS_ON is", "TEMPORAL_NAMESPACE has", "TEMPORAL_ADDRESS has", "TEMPORAL_TLS_SERVER_NAME has", "it knows TEMPORAL_TLS, TEMPORAL_TLS_CLIENT_CERT_DATA, "} {
		require.ErrorContains(t, err, want)
	}
	for _, variable := range []string{"TEMPORAL_TLS=TRUE", "TEMPORAL_TLS=0", "TEMPORAL_TLS=", "TEMPORAL_SERVICE_HOST=10.0.0.1"} {
		environ, err := config.Temporal([]string{variable})
		require.NoError(t, err, variable)
		require.Equal(t, config.Environ{variable}, environ)
	}
	environ, err := config.Temporal([]string{"TEMPORAL_ADDRESS= temporal:7233\n", "TEMPORAL_GRPC_META_X=@/a b\n", "TEMPORAL_TLS_SERVER_CA_CERT_DATA=a\nb\n"})
	require.NoError(t, err)
	require.Equal(t, config.Environ{"TEMPORAL_ADDRESS=temporal:7233", "TEMPORAL_GRPC_META_X=@/a b", "TEMPORAL_TLS_SERVER_CA_CERT_DATA=a\nb"}, environ)
	for _, data := range []string{"TEMPORAL_TLS_CLIENT_CERT_DATA=a\nb", "TEMPORAL_TLS_CLIENT_KEY_DATA=a\nb", "TEMPORAL_TLS_SERVER_CA_CERT_DATA=a\nb"} {
		environ, err = config.Temporal([]string{data})
		require.NoError(t, err)
		require.Equal(t, config.Environ{data}, environ)
	}
	environ, err = config.Temporal([]string{"TEMPORAL_API_KEY=@" + key})
	require.NoError(t, err)
	value, _ := environ.LookupEnv("TEMPORAL_API_KEY")
	require.Equal(t, "key-from-file", value)
}
