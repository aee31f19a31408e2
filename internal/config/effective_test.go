package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
)

// All variables are there, with what holds, and no secret is.
func TestEffective(t *testing.T) {
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	query := filepath.Join(t.TempDir(), "query")
	require.NoError(t, os.WriteFile(query, []byte("{ apps_v1 }"), 0o600))
	id := identity(t)
	all := environ(map[string]string{
		"GRAPHQL_SERVER": "https://graphql.example.com/graphql", "GRAPHQL_PASSWORD": "graphql-canary", "PUBLIC_KEY": id.Recipient().String(), "SIGNING_KEY": secret,
		"GRAPHQL_GLSYNC_QUERY_FILE": query, "PRUNE_AFTER": "3h", "LOG_LEVEL": "DEBUG", "LFS_MAX_PROJECT_SIZE": "2kB",
		"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_API_KEY": "temporal-canary", "TEMPORAL_GRPC_META_X_TOKEN": "meta-canary", "TEMPORAL_TLS": "true",
		"HTTPS_PROXY": "bot:proxy-canary@proxy:3128", "AWS_ENDPOINT_URL_S3": "http://minio:9000", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-canary",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=otel-canary", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:endpoint-canary@collector:4318", "UNRELATED": "unrelated-canary",
	})
	c, err := LoadProducer(all)
	require.NoError(t, err)
	got := map[string]string{}
	for _, s := range Effective(c, all) {
		require.NotContains(t, got, s.Name)
		got[s.Name] = s.Value
		require.NotContains(t, s.Value, "canary")
		require.NotContains(t, s.Value, secret)
	}
	for _, s := range settingsOfType(reflect.TypeFor[Producer]()) {
		require.Contains(t, got, s.name)
	}
	for name, want := range map[string]string{
		"GITLAB_BASE_URL": "https://gitlab.example.com", "GITLAB_TOKEN": "set", "GITLAB_USERNAME": "bot", "GRAPHQL_PASSWORD": "set", "SIGNING_KEY": "set",
		"AWS_SESSION_TOKEN": "not set", "WEBHOOK_SECRETS": "not set", "PUBLIC_KEY": id.Recipient().String(), "SYNCS_FILE": "not set", "GRAPHQL_QUERY_FILE": query,
		"MAX_CONCURRENT": "8", "DRAIN_TIMEOUT": "30s", "PRUNE_AFTER": "3h0m0s", "THIN_PACKS": "true", "LFS_MAX_PROJECT_SIZE": "2000", "LOG_LEVEL": "debug",
		"LOG_FORMAT": "not set", "PRUNE_MAX_SHARE": "0.5", "INTERNAL_GIT_CA_PATH": "not set", "WORKDIR": c.WorkDir,
		"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_API_KEY": "set", "TEMPORAL_GRPC_META_X_TOKEN": "set", "TEMPORAL_TLS": "true",
		"HTTPS_PROXY": "***@proxy:3128", "AWS_ENDPOINT_URL_S3": "http://minio:9000", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "set",
		"OTEL_EXPORTER_OTLP_HEADERS": "set", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://***@collector:4318",
	} {
		require.Equal(t, want, got[name], name)
	}
	require.NotContains(t, got, "UNRELATED")

	consumer := environ(map[string]string{"PRIVATE_KEY": id.String(), "VERIFY_KEYS": public, "ALLOWED_DESTINATIONS": "mirror/*\nother/app"})
	cc, err := LoadConsumer(consumer)
	require.NoError(t, err)
	texts := []string{}
	for _, s := range Effective(cc, consumer) {
		texts = append(texts, s.Name+"="+s.Value)
	}
	all = texts
	require.Subset(t, all, []string{"PRIVATE_KEY=set", "ALLOWED_DESTINATIONS=mirror/* other/app", "PUSH_POLICY=overwrite", "VERIFY_KEYS=" + strings.Join(strings.Fields(public), " "), "POLL_INTERVAL=10s"})
}
