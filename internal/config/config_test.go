package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
)

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return id
}

func environ(vars map[string]string) []string {
	all := map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "aws-canary", "AWS_REGION": "us-east-1", "AWS_S3_BUCKET": "bucket",
		"GITLAB_BASE_URL": "https://gitlab.example.com", "GITLAB_USERNAME": "bot", "GITLAB_TOKEN": "gitlab-canary",
	}
	for k, v := range vars {
		all[k] = v
	}
	var out []string
	for k, v := range all {
		if v != "" {
			out = append(out, k+"="+v)
		}
	}
	return out
}

func TestLoadProducer(t *testing.T) {
	query := filepath.Join(t.TempDir(), "query.graphql")
	require.NoError(t, os.WriteFile(query, []byte("{ apps_v1 }"), 0o600))
	c, err := LoadProducer(environ(map[string]string{
		"GRAPHQL_SERVER": "https://graphql.example.com/graphql", "PUBLIC_KEY": identity(t).Recipient().String(), "GRAPHQL_QUERY_FILE": query,
	}))
	require.NoError(t, err)
	require.Equal(t, "gitlab.example.com", c.BaseURL.Host)
	require.Len(t, c.Recipients, 1)
	require.Equal(t, "{ apps_v1 }", c.Query)
	require.Equal(t, 0.5, c.MaxPruneShare)
	require.True(t, c.ThinPacks)
	require.Equal(t, 30*time.Second, c.DrainTimeout)
	require.NotEmpty(t, c.WorkDir)
}

func TestLoadConsumer(t *testing.T) {
	c, err := LoadConsumer(environ(map[string]string{
		"PRIVATE_KEY": identity(t).String(), "WORKDIR": "/work", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
	}))
	require.NoError(t, err, "credentials may come from elsewhere")
	require.Len(t, c.Identities, 1)
	require.Equal(t, "/work", c.WorkDir)
}

// Everything that is wrong is said at once, and nothing of what is secret.
func TestLoadNamesEveryProblem(t *testing.T) {
	_, err := LoadProducer(nil)
	require.EqualError(t, err, strings.Join([]string{
		"configuration:",
		"  AWS_REGION is not set",
		"  AWS_S3_BUCKET is not set",
		"  GITLAB_BASE_URL is not set",
		"  GITLAB_USERNAME is not set",
		"  GITLAB_TOKEN is not set",
		"  GRAPHQL_SERVER is not set",
		"  PUBLIC_KEY is not set",
	}, "\n"))

	_, err = LoadProducer(environ(map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_S3_USE_PATH_STYLE": "perhaps", "GITLAB_BASE_URL": "https://bot:url-canary@gitlab.example.com",
		"GRAPHQL_SERVER": "graphql-canary", "PUBLIC_KEY": "age1-nonsense", "PRUNE_MAX_SHARE": "2", "GRAPHQL_QUERY_FILE": "/does/not/exist",
		"DRAIN_TIMEOUT": "soon", "MAX_CONCURRENT": "0",
	}))
	for _, want := range []string{
		"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together", "AWS_S3_USE_PATH_STYLE is not a valid bool",
		"GITLAB_BASE_URL has credentials in it", "GRAPHQL_SERVER is not an http or https URL", "PUBLIC_KEY: ", "PRUNE_MAX_SHARE is 2",
		"GRAPHQL_QUERY_FILE: open /does/not/exist", "DRAIN_TIMEOUT is not a valid", "MAX_CONCURRENT is 0",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "canary")
}

func TestLoadConsumerKeepsItsKeySecret(t *testing.T) {
	key := identity(t).String()
	_, err := LoadConsumer(environ(map[string]string{"PRIVATE_KEY": key[:len(key)-1]}))
	require.ErrorContains(t, err, "PRIVATE_KEY: ")
	require.NotContains(t, err.Error(), key[:20])
}

func TestLoadProducerKeepsAMisplacedKeySecret(t *testing.T) {
	key := identity(t).String()
	_, err := LoadProducer(environ(map[string]string{"PUBLIC_KEY": key}))
	require.ErrorContains(t, err, "PUBLIC_KEY: parse recipients: there is a private key among the public ones")
	require.NotContains(t, err.Error(), key[:20])
}
