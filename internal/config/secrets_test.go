package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte("# public key: age1abc\nAGE-SECRET-KEY-1ONE\r\n\nAGE-SECRET-KEY-1TWO\n"), 0o600))
	require.ElementsMatch(t, []string{
		"glpat-token", "bot:glpat-token", "pass=word", ":pass=word", "AGE-SECRET-KEY-1ONE", "AGE-SECRET-KEY-1TWO", "RWQsigning", "session",
		"Bearer abc",
	}, config.Secrets([]string{
		"GITLAB_USERNAME=bot", "GITLAB_TOKEN=glpat-token\n", "GRAPHQL_PASSWORD=pass=word", "PRIVATE_KEY=@" + keys,
		"SIGNING_KEY=untrusted comment: minisign secret key\nRWQsigning", "AWS_SESSION_TOKEN=session",
		"AWS_SECRET_ACCESS_KEY=@" + keys + "-missing", "PUBLIC_KEY=age1abc", "AWS_S3_BUCKET=bucket", "HOME",
		"TEMPORAL_GRPC_META_AUTHORIZATION=Bearer abc",
	}))
	require.Equal(t, []string{"AGE-SECRET-KEY-1ONE"}, config.Secrets([]string{`PRIVATE_KEY="AGE-SECRET-KEY-1ONE"`}), "quotes are no part of a key")
	require.Equal(t, []string{"a-token-of-16-cs", "whsec_MDEyMzQ1"}, config.Secrets([]string{"WEBHOOK_SECRETS=a-token-of-16-cs, whsec_MDEyMzQ1 # of the group"}), "each is found by itself")
	require.ElementsMatch(t, []string{`"pass"`, `:"pass"`}, config.Secrets([]string{`GRAPHQL_PASSWORD="pass"`}), "and may be of a password")
	require.Empty(t, config.Secrets([]string{"GITLAB_USERNAME=bot"}), "a name alone is no secret")
	require.Equal(t, []string{"MIIEvQ"}, config.Secrets([]string{"TEMPORAL_TLS_CLIENT_KEY_DATA=-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"}))
}
