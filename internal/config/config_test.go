package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
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
		"GRAPHQL_SERVER": "https://graphql.example.com/graphql", "PUBLIC_KEY": identity(t).Recipient().String(), "GRAPHQL_QUERY_FILE": query, "ENVIRONMENT": "staging-1",
	}))
	require.NoError(t, err)
	require.Equal(t, "gitlab.example.com", c.GitLab.Host)
	require.Len(t, c.Recipients, 1)
	require.Equal(t, Query("{ apps_v1 }"), c.Query)
	require.Equal(t, 0.5, c.MaxPruneShare)
	require.Equal(t, 24*time.Hour, c.PruneAfter)
	require.Equal(t, time.Minute, c.CatalogInterval)
	require.Equal(t, "staging-1", c.Environment.Name())
	require.True(t, c.ThinPacks)
	require.True(t, c.LFS)
	require.Zero(t, c.MaxLFSProjectSize)
	require.Equal(t, 30*time.Second, c.DrainTimeout)
	require.NotEmpty(t, c.WorkDir)
}

// Where no query is named, the file that the image may bring is asked for one.
func TestDefaultQueryFile(t *testing.T) {
	was := defaultQueryFile
	t.Cleanup(func() { defaultQueryFile = was })
	defaultQueryFile = filepath.Join(t.TempDir(), "query.graphql")
	load := func() (Producer, error) {
		return LoadProducer(environ(map[string]string{"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": identity(t).Recipient().String()}))
	}
	c, err := load()
	require.NoError(t, err)
	require.Empty(t, c.Query)
	require.NoError(t, os.WriteFile(defaultQueryFile, []byte("{ apps_v1 }"), 0o600))
	c, err = load()
	require.NoError(t, err)
	require.Equal(t, Query("{ apps_v1 }"), c.Query)
	require.NoError(t, os.WriteFile(defaultQueryFile, nil, 0o600))
	_, err = load()
	require.ErrorContains(t, err, "GRAPHQL_QUERY_FILE is not set, and its default: there is nothing in")
	_, err = LoadProducer(environ(map[string]string{"SYNCS_FILE": "/syncs.yaml", "PUBLIC_KEY": identity(t).Recipient().String()}))
	require.NoError(t, err, "there is nobody to ask")
}

func TestLoadConsumer(t *testing.T) {
	c, err := LoadConsumer(environ(map[string]string{
		"PRIVATE_KEY": identity(t).String(), "WORKDIR": "/work", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
	}))
	require.NoError(t, err, "credentials may come from elsewhere")
	require.Len(t, c.Identities, 1)
	require.Equal(t, Overwrite, c.PushPolicy)
	require.Equal(t, "/work", c.WorkDir)
	require.NotNil(t, c.HTTP, "the system's certificates are trusted where no others are given")
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
		"  PUBLIC_KEY is not set",
		"  neither GRAPHQL_SERVER nor SYNCS_FILE is set: one of them says where the syncs are listed",
	}, "\n"))

	_, err = LoadProducer(environ(map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_S3_USE_PATH_STYLE": "perhaps", "GITLAB_BASE_URL": "https://bot:url-canary@gitlab.example.com",
		"GRAPHQL_SERVER": "graphql-canary", "PUBLIC_KEY": "age1-nonsense", "PRUNE_MAX_SHARE": "2", "GRAPHQL_QUERY_FILE": "/does/not/exist",
		"DRAIN_TIMEOUT": "soon", "MAX_CONCURRENT": "0", "LOCAL_ACTIVITY_MAX_SIZE": "65MB", "GITLAB_MAX_RATE": "0.5", "HEALTH_ADDRESS": "8080", "PRUNE_AFTER": "-1h", "CATALOG_INTERVAL": "24h1s", "ENVIRONMENT": " ",
	}))
	for _, want := range []string{
		"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together", "AWS_S3_USE_PATH_STYLE is not true or false",
		"GITLAB_BASE_URL: there are credentials in the URL", "GRAPHQL_SERVER: not an http or https URL", "PUBLIC_KEY: ", "PRUNE_MAX_SHARE is 2",
		"GRAPHQL_QUERY_FILE: open /does/not/exist", "DRAIN_TIMEOUT is not a duration", "MAX_CONCURRENT is 0", "LOCAL_ACTIVITY_MAX_SIZE is 65000000 bytes, more than 64000000", "GITLAB_MAX_RATE is 0.5, neither 0 nor between 1 and 100000",
		`HEALTH_ADDRESS: "8080" is not host:port or :port`, "PRUNE_AFTER is -1h0m0s, less than 0", "CATALOG_INTERVAL is 24h0m1s, not between 0 and 24h0m0s", "ENVIRONMENT is set, but to white space only",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "canary")
}

func TestEndsOfWhatIsAllowed(t *testing.T) {
	t.Parallel()
	producer := map[string]string{"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": identity(t).Recipient().String()}
	for _, setting := range []string{"MAX_CONCURRENT=1", "LOCAL_ACTIVITY_MAX_SIZE=0", "LOCAL_ACTIVITY_MAX_SIZE=64MB", "GITLAB_MAX_RATE=0", "GITLAB_MAX_RATE=1", "DRAIN_TIMEOUT=0s", "PRUNE_AFTER=0s", "CATALOG_INTERVAL=0s", "CATALOG_INTERVAL=24h", "PRUNE_MAX_SHARE=0", "PRUNE_MAX_SHARE=1"} {
		_, err := LoadProducer(append(environ(producer), setting))
		require.NoError(t, err, setting)
	}
	consumer := environ(map[string]string{"PRIVATE_KEY": identity(t).String()})
	for _, setting := range []string{"DELETE_REFS_MAX_SHARE=0", "DELETE_REFS_MAX_SHARE=1", "CATALOG_MAX_AGE=0s", "POLL_INTERVAL=0", "POLL_INTERVAL=0s", "POLL_INTERVAL=1s", "POLL_INTERVAL=1h"} {
		_, err := LoadConsumer(append(consumer, setting))
		require.NoError(t, err, setting)
	}
	_, err := LoadConsumer(append(consumer, "CATALOG_MAX_AGE=-1s"))
	require.ErrorContains(t, err, "CATALOG_MAX_AGE is -1s, less than 0")
}

// A limit that was misread would be none, or keep everything out.
func TestSizes(t *testing.T) {
	t.Parallel()
	producer := environ(map[string]string{"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": identity(t).Recipient().String()})
	for text, want := range map[string]Bytes{"1": 1, "100GB": 100_000_000_000, "2TiB": 2 << 40, " 7mb\n": 7_000_000, "": 0} {
		c, err := LoadProducer(append(producer, "LFS_MAX_PROJECT_SIZE="+text))
		require.NoError(t, err, text)
		require.Equal(t, want, c.MaxLFSProjectSize, text)
	}
	for _, text := range []string{"0", "0GB", "-1GB", "much", "100GX", "8EiB", "99999999999999999999"} {
		_, err := LoadProducer(append(producer, "LFS_MAX_PROJECT_SIZE="+text))
		require.EqualError(t, err, fmt.Sprintf("configuration:\n  LFS_MAX_PROJECT_SIZE: %q is not a size such as 500MB or 2TiB", text))
	}
}

// Deliveries without secrets would be anybody's.
func TestWebhookSettings(t *testing.T) {
	t.Parallel()
	producer := environ(map[string]string{"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": identity(t).Recipient().String()})
	const address, token = "WEBHOOK_ADDRESS=:8081", "a-token-of-16-chars"
	c, err := LoadProducer(append(producer, address, "WEBHOOK_SECRETS=@"+write(t, "# GitLab's\n"+token+"\n")))
	require.NoError(t, err)
	require.Equal(t, Address(":8081"), c.WebhookAddress)
	require.True(t, c.WebhookSecrets.Any())
	for _, tt := range []struct{ address, secrets, want string }{
		{address, "", "WEBHOOK_SECRETS is not set, and WEBHOOK_ADDRESS asks for it"},
		{address, "WEBHOOK_SECRETS=", "WEBHOOK_SECRETS is not set, and WEBHOOK_ADDRESS asks for it"},
		{address, "WEBHOOK_SECRETS=@" + write(t, "# none\n"), "WEBHOOK_SECRETS: there is no secret in it"},
		{address, "WEBHOOK_SECRETS=short-canary", "WEBHOOK_SECRETS: line 1: a secret has fewer than 16 characters"},
		{"", "WEBHOOK_SECRETS=" + token, "WEBHOOK_ADDRESS is not set, and WEBHOOK_SECRETS is for what is delivered there"},
		{"WEBHOOK_ADDRESS=8081", "WEBHOOK_SECRETS=" + token, `WEBHOOK_ADDRESS: "8081" is not host:port or :port`},
	} {
		_, err := LoadProducer(append(producer, tt.address, tt.secrets))
		require.ErrorContains(t, err, tt.want)
		require.NotContains(t, err.Error(), "canary")
		require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one problem: %v", err)
	}
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
	require.ErrorContains(t, err, "PUBLIC_KEY holds an age private key, which belongs into PRIVATE_KEY")
	require.NotContains(t, err.Error(), key[:20])
}

// The syncs are listed in one place.
func TestWhereTheSyncsAreListed(t *testing.T) {
	key := identity(t).Recipient().String()
	const server, file = "https://graphql.example.com/graphql", "/etc/git-partition-sync/my syncs.yaml"
	c, err := LoadProducer(environ(map[string]string{"PUBLIC_KEY": key, "SYNCS_FILE": file + "\n"}))
	require.NoError(t, err)
	require.Equal(t, file, c.SyncsFile)
	require.Nil(t, c.GraphQL)
	for _, tt := range []struct{ server, file, want string }{
		{server, file, "GRAPHQL_SERVER and SYNCS_FILE are both set, and the syncs are listed in one place: unset the other"},
		{"", "", "neither GRAPHQL_SERVER nor SYNCS_FILE is set: one of them says where the syncs are listed"},
		{"graphql", "", "GRAPHQL_SERVER: not an http or https URL"},
		{"", " ", "SYNCS_FILE is set, but to white space only"},
	} {
		_, err := LoadProducer(environ(map[string]string{"PUBLIC_KEY": key, "GRAPHQL_SERVER": tt.server, "SYNCS_FILE": tt.file}))
		require.EqualError(t, err, "configuration:\n  "+tt.want)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	key := identity(t).String()
	for address, want := range map[string]string{
		"gitlab.example.com": "not an http", "/canary": "not an http", "ftp://canary.example.com": "not an http", "https:canary": "not an http",
		"https:///canary": "not an http", "https://%zz": "not an http",
		"https://gitlab.example.com?token=canary": "a query or fragment", "https://gitlab.example.com#canary": "a query or fragment",
	} {
		_, err := LoadConsumer(environ(map[string]string{"PRIVATE_KEY": key, "GITLAB_BASE_URL": address}))
		require.ErrorContains(t, err, "GITLAB_BASE_URL: ", address)
		require.ErrorContains(t, err, want, address)
		require.NotContains(t, err.Error(), "canary")
	}
}

// Credentials do not go over plain HTTP to other hosts, unless that is asked for by name.
func TestPlainHTTP(t *testing.T) {
	key := identity(t).String()
	for base, want := range map[string]string{
		"http://gitlab.example.com": "GITLAB_BASE_URL would send credentials over plain HTTP to gitlab.example.com",
		"http://10.0.0.1:8080":      "GITLAB_BASE_URL would send credentials over plain HTTP to 10.0.0.1",
		"http://127.0.0.1:8080":     "",
		"http://[::1]:8080":         "",
		"http://localhost":          "",
		"https://gitlab.example":    "",
	} {
		_, err := LoadConsumer(environ(map[string]string{"PRIVATE_KEY": key, "GITLAB_BASE_URL": base}))
		if want == "" {
			require.NoError(t, err, base)
			continue
		}
		require.ErrorContains(t, err, want)
		_, err = LoadConsumer(environ(map[string]string{"PRIVATE_KEY": key, "GITLAB_BASE_URL": base, "ALLOW_PLAIN_HTTP": "true"}))
		require.NoError(t, err)
	}

	graphql := map[string]string{"GRAPHQL_SERVER": "http://graphql.gitlab-sync.svc.cluster.local:8080/graphql", "PUBLIC_KEY": identity(t).Recipient().String()}
	_, err := LoadProducer(environ(graphql))
	require.NoError(t, err, "there is nothing to keep secret")
	for _, name := range []string{"GRAPHQL_USERNAME", "GRAPHQL_PASSWORD"} {
		_, err = LoadProducer(append(environ(graphql), name+"=canary"))
		require.EqualError(t, err, "configuration:\n  GRAPHQL_SERVER would send credentials over plain HTTP to graphql.gitlab-sync.svc.cluster.local: "+
			"use https, or set ALLOW_PLAIN_HTTP=true if nobody can listen in between, such as within a cluster", name)
		_, err = LoadProducer(append(environ(graphql), name+"=canary", "ALLOW_PLAIN_HTTP=true"))
		require.NoError(t, err)
	}
}

func TestKeysFromFiles(t *testing.T) {
	id := identity(t)
	dir := t.TempDir()
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return "@" + path
	}
	p, err := LoadProducer(environ(map[string]string{
		"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": file("age.pub", id.Recipient().String()), "SIGNING_KEY": file("sign.key", secret),
	}))
	require.NoError(t, err)
	require.Len(t, p.Recipients, 1)
	require.Equal(t, public, p.Signer.PublicKey())
	c, err := LoadConsumer(environ(map[string]string{
		"PRIVATE_KEY": file("age.key", id.String()), "VERIFY_KEYS": file("sign.pub", "untrusted comment: x\n"+public), "PUSH_POLICY": "fast-forward", "ALLOWED_DESTINATIONS": "mirror/*",
	}))
	require.NoError(t, err)
	require.Len(t, c.Identities, 1)
	require.Equal(t, FastForward, c.PushPolicy)
	require.Equal(t, 1, c.Verifier.Keys())
	require.True(t, c.Verifier.Verifies())
	require.True(t, c.Allow.AllowsPath("mirror/router"))
	require.False(t, c.Allow.AllowsPath("other/router"))

	t.Chdir(dir)
	_, err = LoadConsumer(environ(map[string]string{"PRIVATE_KEY": "@age.key"}))
	require.NoError(t, err)

	_, err = LoadConsumer(environ(map[string]string{"PRIVATE_KEY": "@" + dir + "/missing", "VERIFY_KEYS": "canary", "PUSH_POLICY": "hope", "ALLOWED_DESTINATIONS": "*"}))
	for _, want := range []string{"PRIVATE_KEY: open ", "VERIFY_KEYS: ", "PUSH_POLICY: \"hope\" is not overwrite or fast-forward", "ALLOWED_DESTINATIONS: "} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "canary")
	_, err = LoadProducer(environ(map[string]string{"SIGNING_KEY": "sign-canary"}))
	require.ErrorContains(t, err, "SIGNING_KEY: not a minisign secret key")
	require.NotContains(t, err.Error(), "canary")
}
