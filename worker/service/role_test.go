package service

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/internal/webhook"
)

// Each variable reaches what the worker works with. Those that a configuration has, and no arrival speaks of, fail.
func TestProducerConfigurationArrives(t *testing.T) {
	w := newWorld(t)
	one, two, other := identity(t), identity(t), identity(t)
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	another, _, err := sign.Generate()
	require.NoError(t, err)
	query := write(t, "query Full { apps_v1 { codeComponents { gitlabSync { sourceProject { name group branch } destinationProject { name group branch } } } } }")
	table := both(t, w)
	maps.Copy(table, map[string]arrival{
		"GRAPHQL_SERVER":        {value: w.graphql.URL + "/full", seen: func(*built) any { return w.graphql.last.URL.Path }, want: "/full"},
		"GRAPHQL_USERNAME":      {value: "reader", seen: func(*built) any { return basic(w.graphql.last) }, want: "reader:full-graphql-password"},
		"GRAPHQL_PASSWORD":      {value: "full-graphql-password", seen: func(*built) any { return basic(w.graphql.last) }, want: "reader:full-graphql-password"},
		"GRAPHQL_QUERY_FILE":    {value: query, seen: func(*built) any { return strings.Contains(w.graphql.body, "query Full") }, want: true},
		"PUBLIC_KEY":            {value: one.Recipient().String() + " " + two.Recipient().String(), seen: func(b *built) any { return fmt.Sprint(b.producer.Recipients) }, want: fmt.Sprint([]age.Recipient{one.Recipient(), two.Recipient()}), other: other.Recipient().String()},
		"SIGNING_KEY":           {value: secret, seen: func(b *built) any { return b.producer.Signer.PublicKey() }, want: public, other: another},
		"AWS_S3_SSE_KMS_KEY_ID": {value: "full-kms-key", seen: func(*built) any { return w.put.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") }, want: "full-kms-key", other: "another-key"},
		"THIN_PACKS":            {value: "false", seen: func(b *built) any { return b.producer.ThinPacks }, want: false, other: "true"},
		"WRITE_PREDECESSOR":     {value: "false", seen: func(b *built) any { return b.producer.WritePredecessor }, want: false}, // the other: below
		"PRUNE_MAX_SHARE":       {value: "0.25", seen: func(b *built) any { return b.producer.Retention }, want: plan.Retention{After: 3 * time.Hour, MaxShare: 0.25}},
		"SYNCS_FILE": {
			value: write(t, "syncs: [{source: {group: full, name: app, branch: main}, destination: {group: mirror}}]\n"), insteadOf: "GRAPHQL_SERVER",
			want: "[full/app@main -> mirror/app@main]", seen: func(b *built) any {
				syncs, err := b.producer.Syncs.Syncs(t.Context())
				require.NoError(t, err)
				return fmt.Sprint(syncs)
			},
		},
		"CATALOG_INTERVAL": {value: "2m", seen: func(b *built) any { return b.producer.CatalogInterval }, want: 2 * time.Minute},
		"PRUNE_AFTER":      {value: "3h", seen: func(b *built) any { return b.producer.Retention }, want: plan.Retention{After: 3 * time.Hour, MaxShare: 0.25}},
	})
	table["LFS"] = arrival{value: "false", insteadOf: "LFS", seen: func(b *built) any { return b.producer.LFS }, want: nil, other: "false"}
	table["LFS_MAX_PROJECT_SIZE"] = arrival{value: "3GB", seen: func(b *built) any { return b.producer.MaxLFSProjectSize }, want: int64(3_000_000_000), other: "4GB"}
	secrets, err := webhook.ParseSecrets("a-token-of-16-chars")
	require.NoError(t, err)
	table["WEBHOOK_ADDRESS"] = arrival{value: "127.0.0.1:18081", seen: func(b *built) any { return b.hook.Endpoint }, want: config.Endpoint{Variable: "WEBHOOK_ADDRESS", Address: "127.0.0.1:18081"}}
	table["WEBHOOK_SECRETS"] = arrival{value: "a-token-of-16-chars", seen: func(b *built) any { return b.hook.secrets }, want: secrets}
	table["ENVIRONMENT"] = arrival{value: "full-1", seen: func(b *built) any { return b.producer.Environment }, want: "full-1", other: "full-2"}
	requireArrivals(t, "producer", reflect.TypeFor[config.Producer](), w, table)
}

func TestConsumerConfigurationArrives(t *testing.T) {
	w := newWorld(t)
	id, other := identity(t), identity(t)
	_, public, err := sign.Generate()
	require.NoError(t, err)
	_, another, err := sign.Generate()
	require.NoError(t, err)
	verifier, err := sign.ParseVerifier(public)
	require.NoError(t, err)
	allow, err := project.ParseAllowlist("mirror/*")
	require.NoError(t, err)
	environment, err := archive.ParseEnvironment("full-1")
	require.NoError(t, err)
	table := both(t, w)
	maps.Copy(table, map[string]arrival{
		"PRIVATE_KEY":           {value: id.String(), seen: func(b *built) any { return b.consumer.Identities }, want: []age.Identity{id}, other: other.String()},
		"VERIFY_KEYS":           {value: public, seen: func(b *built) any { return b.consumer.Verifier }, want: verifier, other: another},
		"PUSH_POLICY":           {value: "fast-forward", seen: func(b *built) any { return b.consumer.FastForwardOnly }, want: true, other: "overwrite"},
		"READ_PREDECESSOR":      {value: "false", seen: func(b *built) any { return b.consumer.ReadPredecessor }, want: false}, // the other: below
		"ALLOWED_DESTINATIONS":  {value: "mirror/*", seen: func(b *built) any { return b.consumer.Allow }, want: allow, other: "mirror/app"},
		"CATALOG_MAX_AGE":       {value: "20m", seen: func(b *built) any { return b.consumer.MaxCatalogAge }, want: 20 * time.Minute},
		"CREATE_PROJECTS":       {value: "true", seen: func(b *built) any { return b.consumer.CreateProjects }, want: true}, // the other: below
		"DELETE_REFS":           {value: "false", seen: func(b *built) any { return b.consumer.DeleteRefs }, want: false, other: "true"},
		"POLL_INTERVAL":         {value: "90s", seen: func(b *built) any { return b.consumer.PollInterval }, want: 90 * time.Second}, // nothing is refused by it
		"DELETE_REFS_MAX_SHARE": {value: "0.25", seen: func(b *built) any { return b.consumer.MaxDeletedShare }, want: 0.25, other: "0.75"},
		"GITLAB_API": {value: "true", want: "/gitlab/api/v4/groups/mirror Bearer full-gitlab-token " + version.Agent(), other: "false", seen: func(*built) any {
			return w.api.URL.Path + " " + w.api.Header.Get("Authorization") + " " + w.api.UserAgent()
		}},
	})
	table["ENVIRONMENT"] = arrival{value: "full-1", seen: func(b *built) any { return b.consumer.Environment }, want: environment, other: "full-2"}
	// Without it, requireFilled finds the client.
	table["LFS"] = arrival{value: "false", insteadOf: "LFS", seen: func(b *built) any { return b.consumer.LFS }, want: nil, other: "false"}
	requireArrivals(t, "consumer", reflect.TypeFor[config.Consumer](), w, table)
}

// A file that is not there, or not valid, is said at the start.
func TestSyncsFileIsReadAtTheStart(t *testing.T) {
	environ := []string{
		"AWS_REGION=r", "AWS_S3_BUCKET=b", "GITLAB_BASE_URL=https://gitlab.example.com", "GITLAB_USERNAME=u", "GITLAB_TOKEN=t",
		"PUBLIC_KEY=" + identity(t).Recipient().String(),
	}
	_, err := roles["producer"](append(environ, "SYNCS_FILE="+write(t, "syncs: []\n")))
	require.NoError(t, err)
	for file, want := range map[string]string{
		"/does/not/exist":            "SYNCS_FILE: syncs file cannot be read: open /does/not/exist: no such file",
		write(t, ""):                 "there is nothing in it",
		write(t, "syncs:\n- main\n"): "line 2: syncs[0] is text, not a group of fields",
	} {
		_, err := roles["producer"](append(environ, "SYNCS_FILE="+file))
		require.ErrorContains(t, err, want)
	}
}

// What does not go together with all other settings arrives, too, and what was refused is tried again with it.
func TestSettingsThatExcludeOthersArrive(t *testing.T) {
	w := newWorld(t)
	producer := map[string]string{"PUBLIC_KEY": identity(t).Recipient().String(), "GRAPHQL_SERVER": w.graphql.URL}
	consumer := map[string]string{"PRIVATE_KEY": identity(t).String(), "ALLOWED_DESTINATIONS": "mirror/*"}
	for variable, tt := range map[string]struct {
		role    string
		environ map[string]string
		seen    func(*built) bool
	}{
		"READ_PREDECESSOR": {"consumer", consumer, func(b *built) bool { return b.consumer.ReadPredecessor }},
		"CREATE_PROJECTS":  {"consumer", consumer, func(b *built) bool { return b.consumer.CreateProjects && b.consumer.Groups == nil }},
		"WRITE_PREDECESSOR": {"producer", producer, func(b *built) bool {
			require.Equal(t, b.producer.WritePredecessor, b.producer.LFS == nil, "the predecessor's consumer knows no LFS objects")
			return b.producer.WritePredecessor
		}},
	} {
		t.Run(variable, func(t *testing.T) {
			environ := maps.Clone(tt.environ)
			for other, a := range both(t, w) {
				if other != "REQUIRE_SIGNATURES" && other != "LFS" {
					environ[other] = a.value
				}
			}
			off := build(t, tt.role, w, environ)
			require.False(t, tt.seen(off))
			environ[variable] = "true"
			on := build(t, tt.role, w, environ)
			require.True(t, tt.seen(on))
			require.NotEqual(t, off.Settings, on.Settings)
		})
	}
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return id
}

func write(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
