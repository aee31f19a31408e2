package service

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// arrival is a variable's value, other than its default, and where it is seen in a worker.
type arrival struct {
	value string
	seen  func(*built) any
	want  any
	// other is another value, with which what was refused is tried again; empty if it is not.
	other string
	// insteadOf is a variable that must not be set together with this one.
	insteadOf string
}

// built is what an environment makes of a role, and what the servers that it names were asked.
type built struct {
	*roleWorker
	activities any
	producer   *activities.Producer
	consumer   *activities.Consumer
	world      *world
}

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
		"PRUNE_AFTER": {value: "3h", seen: func(b *built) any { return b.producer.Retention }, want: plan.Retention{After: 3 * time.Hour, MaxShare: 0.25}},
	})
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
		"PRIVATE_KEY":          {value: id.String(), seen: func(b *built) any { return b.consumer.Identities }, want: []age.Identity{id}, other: other.String()},
		"VERIFY_KEYS":          {value: public, seen: func(b *built) any { return b.consumer.Verifier }, want: verifier, other: another},
		"PUSH_POLICY":          {value: "fast-forward", seen: func(b *built) any { return b.consumer.FastForwardOnly }, want: true, other: "overwrite"},
		"READ_PREDECESSOR":     {value: "false", seen: func(b *built) any { return b.consumer.ReadPredecessor }, want: false}, // the other: below
		"ALLOWED_DESTINATIONS": {value: "mirror/*", seen: func(b *built) any { return b.consumer.Allow }, want: allow, other: "mirror/app"},
		"CREATE_PROJECTS":      {value: "true", seen: func(b *built) any { return b.consumer.CreateProjects }, want: true}, // the other: below
		"GITLAB_API": {value: "true", want: "/gitlab/api/v4/groups/mirror Bearer full-gitlab-token " + version(), other: "false", seen: func(*built) any {
			return w.api.URL.Path + " " + w.api.Header.Get("Authorization") + " " + w.api.UserAgent()
		}},
	})
	table["ENVIRONMENT"] = arrival{value: "full-1", seen: func(b *built) any { return b.consumer.Environment }, want: environment, other: "full-2"}
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

// It goes together with nothing that checks who has made an object.
func TestReadPredecessorArrives(t *testing.T) {
	w := newWorld(t)
	environ := map[string]string{"PRIVATE_KEY": identity(t).String()}
	for variable, a := range both(t, w) {
		if variable != "REQUIRE_SIGNATURES" {
			environ[variable] = a.value
		}
	}
	off := build(t, "consumer", w, environ)
	require.False(t, off.consumer.ReadPredecessor)
	environ["READ_PREDECESSOR"] = "true"
	on := build(t, "consumer", w, environ)
	require.True(t, on.consumer.ReadPredecessor)
	require.NotEqual(t, off.Settings, on.Settings, "what was refused is tried again")
}

// What was refused is tried again when more may be created.
func TestCreationIsInTheSettings(t *testing.T) {
	w := newWorld(t)
	environ := map[string]string{"PRIVATE_KEY": identity(t).String(), "ALLOWED_DESTINATIONS": "mirror/*"}
	for variable, a := range both(t, w) {
		if variable != "REQUIRE_SIGNATURES" {
			environ[variable] = a.value
		}
	}
	off := build(t, "consumer", w, environ)
	environ["CREATE_PROJECTS"] = "true"
	projects := build(t, "consumer", w, environ)
	require.NotEqual(t, off.Settings, projects.Settings)
	require.Nil(t, projects.consumer.Groups, "groups are created only when that is asked for")
}

// Likewise for the producer.
func TestWritePredecessorArrives(t *testing.T) {
	w := newWorld(t)
	environ := map[string]string{"PUBLIC_KEY": identity(t).Recipient().String(), "GRAPHQL_SERVER": w.graphql.URL}
	for variable, a := range both(t, w) {
		if variable != "REQUIRE_SIGNATURES" {
			environ[variable] = a.value
		}
	}
	off := build(t, "producer", w, environ)
	require.False(t, off.producer.WritePredecessor)
	environ["WRITE_PREDECESSOR"] = "true"
	on := build(t, "producer", w, environ)
	require.True(t, on.producer.WritePredecessor)
	require.NotEqual(t, off.Settings, on.Settings, "what was refused is tried again")
}

// both are the arrivals of the variables that both roles have.
func both(t *testing.T, w *world) map[string]arrival {
	signed := func(*built) any { return w.signature(t) }
	workdir := filepath.Join(t.TempDir(), "full")
	login := func(*built) any { return basic(w.git.last) }
	return map[string]arrival{
		"AWS_ACCESS_KEY_ID":     {value: w.credentials.AccessKeyID, seen: signed, want: "as expected"},
		"AWS_SECRET_ACCESS_KEY": {value: w.credentials.SecretAccessKey, seen: signed, want: "as expected"},
		"AWS_SESSION_TOKEN":     {value: "@" + write(t, w.credentials.SessionToken+"\n"), seen: signed, want: "as expected"},
		"AWS_REGION":            {value: w.region, seen: signed, want: "as expected"},
		"AWS_S3_BUCKET":         {value: "full-bucket", seen: func(*built) any { return w.store.last.URL.Path }, want: "/full-bucket/key", other: "another-bucket"},
		"AWS_S3_USE_PATH_STYLE": {value: "true", seen: func(*built) any { return w.store.last.URL.Path }, want: "/full-bucket/key"},
		"GITLAB_BASE_URL":       {value: w.git.URL + "/gitlab", seen: func(*built) any { return w.git.last.URL.Path }, want: "/gitlab/mirror/new.git/info/refs", other: "https://gitlab.example.com"},
		"GITLAB_USERNAME":       {value: "full-bot", seen: login, want: "full-bot:full-gitlab-token", other: "another-bot"},
		"GITLAB_TOKEN":          {value: "full-gitlab-token", seen: login, want: "full-bot:full-gitlab-token"},
		"INTERNAL_GIT_CA_PATH":  {value: w.ca, seen: func(*built) any { return w.git.last != nil }, want: true},
		"ALLOW_PLAIN_HTTP":      {value: "true", seen: func(b *built) any { return b.AllowPlainHTTP }, want: true},
		"REQUIRE_SIGNATURES":    {value: "true", seen: func(b *built) any { return b.RequireSignatures }, want: true},
		"WORKDIR": {value: workdir, want: true, seen: func(b *built) any {
			_, err := os.Stat(filepath.Join(workdir, b.Staging.ID()))
			return err == nil
		}},
		"MAX_CONCURRENT":      {value: "3", seen: func(b *built) any { return b.MaxConcurrent }, want: 3},
		"DRAIN_TIMEOUT":       {value: "7s", seen: func(b *built) any { return b.options(nil).WorkerStopTimeout }, want: 7 * time.Second},
		"HEALTH_ADDRESS":      {value: "127.0.0.1:18080", seen: func(b *built) any { return b.Endpoints()[0] }, want: config.Endpoint{Variable: "HEALTH_ADDRESS", Address: "127.0.0.1:18080"}},
		"METRICS_SERVER_PORT": {value: "19090", seen: func(b *built) any { return b.Endpoints()[1] }, want: config.Endpoint{Variable: "METRICS_SERVER_PORT", Address: ":19090"}},
		"INSTANCE_SHARD": {value: "full-shard", want: true, seen: func(b *built) any {
			b.metrics.cycles.record(workflow.Execution{ID: "a cycle"}, time.Second, nil)
			_, page := probe(t, b.metrics.page, "/metrics")
			return strings.Contains(page, `shard_id="full-shard"`)
		}},
	}
}

func requireArrivals(t *testing.T, name string, configuration reflect.Type, w *world, table map[string]arrival) {
	t.Helper()
	for _, field := range reflect.VisibleFields(configuration) {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		if variable == "" || variable == "-" {
			continue
		}
		require.Contains(t, table, variable, "where is it seen?")
		require.NotEqual(t, field.Tag.Get("envDefault"), table[variable].value, "%s is left at its default", variable)
	}
	environ := map[string]string{}
	for variable, a := range table {
		if a.insteadOf == "" {
			environ[variable] = a.value
		}
	}
	environ["TEMPORAL_ADDRESS"] = "temporal.example.com:7233\n"
	b := build(t, name, w, environ)
	b.askServers(t)
	address, _ := b.Temporal.LookupEnv("TEMPORAL_ADDRESS")
	require.Equal(t, "temporal.example.com:7233", address)
	for variable, a := range table {
		if a.insteadOf == "" {
			require.Equal(t, a.want, a.seen(b), variable)
			continue
		}
		alone := maps.Clone(environ)
		delete(alone, a.insteadOf)
		alone[variable] = a.value
		require.Equal(t, a.want, a.seen(build(t, name, w, alone)), variable)
	}
	require.Equal(t, version(), w.git.last.UserAgent())
	requireFilled(t, b.activities)

	for variable, a := range table {
		if a.other != "" {
			changed := maps.Clone(environ)
			changed[variable] = a.other
			require.NotEqual(t, b.Settings, build(t, name, w, changed).Settings, "what %s made be refused is tried again", variable)
		}
	}
	for _, secret := range config.Secrets(list(environ)) {
		require.NotContains(t, b.Settings, secret)
	}
}

// requireFilled finds the fields of the activities that nothing was put into.
func requireFilled(t *testing.T, steps any) {
	t.Helper()
	v := reflect.ValueOf(steps).Elem()
	for _, field := range reflect.VisibleFields(v.Type()) {
		isFalse := field.Type.Kind() == reflect.Bool // is seen elsewhere
		if field.IsExported() && !isFalse {
			require.False(t, v.FieldByIndex(field.Index).IsZero(), "nothing arrives in %s", field.Name)
		}
	}
}

// build makes a worker as run does, up to where it would connect to Temporal.
func build(t *testing.T, name string, w *world, environ map[string]string) *built {
	t.Helper()
	r, err := roles[name](list(environ))
	require.NoError(t, err)
	logger := slog.New(slog.DiscardHandler)
	s, err := r.open(t.Context(), logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Staging.Close()) })
	s.LastRuns.ID = r.ChildID
	m, err := newMetrics(name, r.Shard)
	require.NoError(t, err)
	b := &built{roleWorker: &roleWorker{r, s, logger, foreign.NewMask(), m}, activities: r.activities(s), world: w}
	b.producer, _ = b.activities.(*activities.Producer)
	b.consumer, _ = b.activities.(*activities.Consumer)
	return b
}

// askServers has each client ask its server once, and holds renamed projects to what the role allows.
func (b *built) askServers(t *testing.T) {
	t.Helper()
	var git interface {
		activities.RefReader
	}
	if b.producer != nil {
		git = b.producer.Source
		_, err := b.producer.Syncs.Syncs(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.producer.Bucket.Upload(t.Context(), "key", strings.NewReader("object"), 6))
		_, err = git.Refs(t.Context(), "mirror/two", "refs/heads/main")
		require.NoError(t, err, "a source may be read wherever the token reads it")
		b.world.put = b.world.store.last
		_, err = b.producer.Bucket.Stat(t.Context(), "key")
		require.NoError(t, err)
	} else {
		git = b.consumer.Destination
		_, err := git.Refs(t.Context(), "mirror/two", "refs/heads/main")
		require.ErrorIs(t, err, smarthttp.ErrMovedElsewhere, "GitLab redirects a project that was renamed, and not out of ALLOWED_DESTINATIONS")
		_, err = b.consumer.Bucket.Stat(t.Context(), "key")
		require.NoError(t, err)
		_, err = b.consumer.Groups.MissingGroups(t.Context(), "mirror")
		require.ErrorIs(t, err, gitlabapi.ErrNotGitLab, "this GitLab has no API")
		b.world.api = b.world.git.last
	}
	_, err := git.Refs(t.Context(), "mirror/one", "refs/heads/main")
	require.NoError(t, err)
}

func list(environ map[string]string) (all []string) {
	for name, value := range environ {
		all = append(all, name+"="+value)
	}
	return all
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
