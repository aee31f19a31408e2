package service

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/statuspage"
	"github.com/app-sre/git-partition-sync/internal/version"
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
		"LFS":                   {value: "false", seen: func(b *built) any { return b.LFS }, want: false},
		"REQUIRE_SIGNATURES":    {value: "true", seen: func(b *built) any { return b.RequireSignatures }, want: true},
		"WORKDIR": {value: workdir, want: true, seen: func(b *built) any {
			_, err := os.Stat(filepath.Join(workdir, b.Staging.ID()))
			return err == nil
		}},
		"MAX_CONCURRENT":          {value: "3", seen: func(b *built) any { return b.MaxConcurrent }, want: 3},
		"LOCAL_ACTIVITY_MAX_SIZE": {value: "3kB", seen: func(b *built) any { return b.dependencies.LocalActivityMaxSize }, want: int64(3000)},
		"GITLAB_MAX_RATE":         {value: "50000", seen: func(b *built) any { return b.GitLabMaxRate }, want: 50000.},
		"DRAIN_TIMEOUT":           {value: "7s", seen: func(b *built) any { return b.options(nil).WorkerStopTimeout }, want: 7 * time.Second},
		"LOG_FORMAT":              {value: "text", seen: func(b *built) any { return b.LogFormat }, want: config.LogText},
		"LOG_LEVEL":               {value: "debug", seen: func(b *built) any { return b.LogLevel.Level() }, want: slog.LevelDebug},
		"HEALTH_ADDRESS":          {value: "127.0.0.1:18080", seen: func(b *built) any { return b.Endpoints()[0] }, want: config.Endpoint{Variable: "HEALTH_ADDRESS", Address: "127.0.0.1:18080"}},
		"METRICS_SERVER_PORT":     {value: "19090", seen: func(b *built) any { return b.Endpoints()[1] }, want: config.Endpoint{Variable: "METRICS_SERVER_PORT", Address: ":19090"}},
		"STATUS_PAGE":             {value: "true", seen: func(b *built) any { return b.statusPage(&views{}) != nil }, want: true},
		"TEMPORAL_UI_URL": {value: "https://temporal.example.com", want: "https://temporal.example.com/namespaces/default/workflows/a", seen: func(b *built) any {
			page := b.statusPage(&views{}).(*statuspage.Handler)
			return page.UI.Workflow(page.Namespace, "a")
		}},
		"NOTIFY_URL":    {value: "https://user:full-notify-word@hooks.example.com/full-hook?token=full-notify-token", seen: func(b *built) any { return b.Notifier.URL.String() }, want: "https://user:full-notify-word@hooks.example.com/full-hook?token=full-notify-token"},
		"NOTIFY_FORMAT": {value: "slack", seen: func(b *built) any { return b.Notifier.Format }, want: notify.Slack},
		"INSTANCE_SHARD": {value: "full-shard", want: true, seen: func(b *built) any {
			b.metrics.cycles.record(workflow.Execution{ID: "a cycle"}, time.Second, false)
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
	require.Equal(t, version.Agent(), w.git.last.UserAgent())
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
		isFalse := field.Type.Kind() == reflect.Bool                        // is seen elsewhere
		isMemory := field.Type == reflect.TypeFor[*activities.ServerDown]() // of what was seen, and no configuration
		if field.IsExported() && !isFalse && !isMemory {
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
	s.LastRuns.ID, s.Cycles.ID, s.Pauses.Role = r.ChildID, r.ParentID, r.Role
	s.Attributes = &activities.SearchAttributes{}
	m, err := newMetrics(name, r.Shard)
	require.NoError(t, err)
	b := &built{roleWorker: &roleWorker{role: r, dependencies: s, log: logger, mask: foreign.NewMask(), metrics: m, namespace: "default"}, activities: r.activities(s), world: w}
	b.producer, _ = b.activities.(*activities.Producer)
	b.consumer, _ = b.activities.(*activities.Consumer)
	return b
}

// askServers has each client ask its server once, and holds renamed projects to what the role allows.
func (b *built) askServers(t *testing.T) {
	t.Helper()
	var git activities.RefReader
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
		if b.consumer.LFS != nil {
			b.askLFS(t, b.consumer.LFS)
		}
	}
	_, err := git.Refs(t.Context(), "mirror/one", "refs/heads/main")
	require.NoError(t, err)
}

// askLFS has the client of the LFS server ask it, with the credentials for Git, and follow renamed projects as far as Git does.
func (b *built) askLFS(t *testing.T, server activities.LFSDestination) {
	t.Helper()
	object := []lfs.Object{{OID: strings.Repeat("a", 64), Size: 1}}
	_, err := server.Batch(t.Context(), "mirror/two", lfsapi.Upload, object)
	require.ErrorIs(t, err, lfsapi.ErrMovedElsewhere)
	_, err = server.Batch(t.Context(), "mirror/one", lfsapi.Upload, object)
	require.ErrorIs(t, err, lfsapi.ErrNotLFS, "this GitLab has no LFS")
	require.Equal(t, "/gitlab/mirror/new.git/info/lfs/objects/batch", b.world.git.last.URL.Path)
	require.Equal(t, "full-bot:full-gitlab-token", basic(b.world.git.last))
	require.Equal(t, version.Agent(), b.world.git.last.UserAgent())
}

func list(environ map[string]string) (all []string) {
	for name, value := range environ {
		all = append(all, name+"="+value)
	}
	return all
}
