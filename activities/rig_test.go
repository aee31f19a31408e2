package activities

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// rig is both sides with real Git servers and a real bucket between them.
type rig struct {
	*testing.T
	source, destination *gitserver.Server
	producer            *Producer
	consumer            *Consumer
	activities          *testsuite.TestActivityEnvironment
	sync                project.Sync
	s3                  *s3test.Bucket
	lag                 *lag          // of the producer's listings
	runs                *producerRuns // of the producer
}

const (
	// workerSecret is one that none of the clients knows.
	workerSecret = "AGE-SECRET-KEY-1WORKER"

	sourceRepo      = "platform/router"
	destinationRepo = "mirror/platform/router"
)

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, sync: project.Sync{
		Source:      project.Branch{Group: "platform", Name: "router", Branch: "main"},
		Destination: project.Branch{Group: "mirror/platform", Name: "router", Branch: "stable"},
	}}
	var source, destination *smarthttp.Client
	r.source, source = r.git(sourceRepo)
	r.destination, destination = r.git(destinationRepo)

	r.s3 = s3test.Start(t)
	s3 := r.s3
	r.lag = &lag{spread: r.s3.Spread(catalog.Key)}
	proxy := r.lag.serve(t, s3.URL())
	write, err := bucket.Open(t.Context(), bucket.Options{Name: s3.Name, PathStyle: true}, s3.ClientConfig(s3.Producer),
		config.WithBaseEndpoint(proxy))
	require.NoError(t, err)
	read, err := bucket.Open(t.Context(), bucket.Options{Name: s3.Name, PathStyle: true}, s3.ClientConfig(s3.Consumer))
	require.NoError(t, err)

	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	r.producer = &Producer{
		Common: Common{Bucket: write, Staging: r.area(), Host: "p", Clock: time.Now},
		Syncs:  &listed{syncs: []project.Sync{r.sync}}, Source: source, ThinPacks: true, Recipients: []age.Recipient{id.Recipient()}, Signer: sign.Unsigned(), Retention: plan.Retention{MaxShare: 0.5},
		Version: "test",
	}
	r.runs = &producerRuns{ends: runEnds{}}
	r.producer.LastRuns = LastRuns{Executions: r.runs, ID: project.Branch.String}
	r.consumer = &Consumer{
		Common:      Common{Bucket: read, Staging: r.area(), Host: "c", Clock: time.Now},
		Destination: destination, Identities: []age.Identity{id},
		Verifier: sign.Unverified(), Allow: project.AllowAll(), Environment: archive.AnyEnvironment(),
	}

	r.activities = newActivities()
	r.register()
	return r
}

func (r *rig) register() {
	for _, activity := range []any{r.producer, r.consumer, r.clone, r.findLFS, r.uploadLFS, r.sendLFS, r.pack, r.encrypt, r.upload, r.download, r.decrypt, r.pushLFS, r.push} {
		r.activities.RegisterActivity(activity)
	}
}

// newActivities runs activities as a worker does.
func newActivities() *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return newActivitiesIn(&suite)
}

func newActivitiesIn(suite *testsuite.WorkflowTestSuite) *testsuite.TestActivityEnvironment {
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&ErrorNaming{Mask: foreign.NewMask(workerSecret)}}})
	return env
}

func (r *rig) git(repo string, options ...gitserver.Option) (*gitserver.Server, *smarthttp.Client) {
	r.Helper()
	credentials := gitserver.Credentials{User: "bot", Password: "token-" + repo}
	server, err := gitserver.Start(r.TempDir(), credentials, options...)
	require.NoError(r, err)
	r.Cleanup(func() { server.Close() })
	require.NoError(r, server.Create(r.Context(), repo))
	u, err := url.Parse(server.URL())
	require.NoError(r, err)
	return server, smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), Username: credentials.User, Password: credentials.Password})
}

func (r *rig) area() *staging.Area {
	r.Helper()
	area, err := staging.Open(r.Context(), r.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(r, err)
	r.Cleanup(func() { area.Close() })
	return area
}

func (r *rig) commit(content string) string {
	r.Helper()
	sha, err := r.source.Commit(r.Context(), sourceRepo, r.sync.Source.Branch, map[string]string{"file": content}, content)
	require.NoError(r, err)
	return sha
}

// tip is where the destination's branch really is.
func (r *rig) tip() string {
	r.Helper()
	sha, err := r.destination.Git(r.Context(), destinationRepo, "rev-parse", "--verify", r.sync.Destination.Ref())
	require.NoError(r, err)
	return sha
}

// chains are those of the bucket, which has nothing else.
func (r *rig) chains() map[project.Branch]chain.Chain {
	r.Helper()
	held, err := readBucket(r.Context(), r.consumer.Bucket, selection{allow: project.AllowAll()})
	require.NoError(r, err)
	require.Empty(r, held.failures)
	return held.chains
}

func execute[I, O any](r *rig, activity func(context.Context, I) (O, error), in I) (O, error) {
	var out O
	value, err := r.activities.ExecuteActivity(activity, in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

func must[I, O any](r *rig, activity func(context.Context, I) (O, error), in I) O {
	r.Helper()
	out, err := execute(r, activity, in)
	require.NoError(r, err)
	return out
}

// produce runs one cycle of the producer's side.
func (r *rig) produce() (uploaded []Uploaded) {
	r.Helper()
	for _, u := range must(r, r.producer.PlanUploads, PlanRequest{}).Moves {
		object := must(r, r.encrypt, must(r, r.pack, must(r, r.uploadLFS, must(r, r.clone, u))))
		uploaded = append(uploaded, must(r, r.upload, object))
	}
	if len(uploaded) > 0 {
		r.publish()
	}
	return uploaded
}

// publish renews the catalog, as a cycle does after its uploads.
func (r *rig) publish() {
	r.Helper()
	_, err := r.activities.ExecuteActivity(r.producer.Publish)
	require.NoError(r, err)
}

func (r *rig) planPushes() plan.Page[plan.Push] {
	r.Helper()
	value, err := r.activities.ExecuteActivity(r.consumer.PlanPushes, PlanRequest{})
	require.NoError(r, err)
	var p plan.Page[plan.Push]
	require.NoError(r, value.Get(&p))
	return p
}

// consume runs one cycle of the consumer's side.
func (r *rig) consume() (pushed []Pushed) {
	r.Helper()
	for _, p := range r.planPushes().Moves {
		pushed = append(pushed, must(r, r.push, must(r, r.pushLFS, must(r, r.decrypt, must(r, r.download, p)))))
	}
	return pushed
}

// fails runs an activity that must fail with a named error, and returns its text.
func fails[I, O any](r *rig, kind string, activity func(context.Context, I) (O, error), in I) string {
	r.Helper()
	_, err := execute(r, activity, in)
	var failure *temporal.ApplicationError
	require.ErrorAs(r, err, &failure)
	require.Equal(r, kind, failure.Type(), "%v", err)
	require.True(r, failure.NonRetryable())
	return failure.Message()
}

// put replaces what is in the bucket under a key.
func (r *rig) put(key string, content []byte) {
	r.Helper()
	f, err := os.CreateTemp(r.TempDir(), "")
	require.NoError(r, err)
	defer f.Close()
	_, err = f.Write(content)
	require.NoError(r, err)
	require.NoError(r, r.producer.Bucket.Upload(r.Context(), key, f, int64(len(content))))
}
