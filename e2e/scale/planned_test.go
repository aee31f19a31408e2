package scale_test

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/testserver/port"
	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/standalone/devserver"
	product "github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// madeUp is both sides with made-up repositories and a bucket in memory, on a real Temporal.
type madeUp struct {
	testing.TB
	store               *store
	bucket              *bucket.Bucket
	source, destination *forge
	syncs               []project.Sync
	clients             map[stack.Role]client.Client
	temporal            int // process
	asked               requests.Counter
}

// What cycles of a large company's projects take that move nothing: of what is planned, told to Temporal and written to the bucket, all is
// real.
func TestPlanned(t *testing.T) {
	parallel(t)
	rusage.Need(t)
	m := newMadeUp(t, *plannedSyncs)
	m.serve()
	const perLook = 1
	m.cycles().four(contract.Limits{MaxInFlight: 64}, perLook, m.move)
}

func newMadeUp(t testing.TB, n int) *madeUp {
	t.Helper()
	m := &madeUp{TB: t, store: newStore(), source: newForge(), destination: newForge(), asked: requests.NewCounter()}
	for i := range n {
		name := fmt.Sprintf("project-of-a-usual-name-%05d", i)
		m.syncs = append(m.syncs, project.Sync{
			Source:      project.Branch{Group: "platform/team", Name: name, Branch: "main"},
			Destination: project.Branch{Group: "mirror/platform/team", Name: name, Branch: "main"},
		})
	}
	m.move(n, 0)
	s3 := httptest.NewServer(m.store)
	t.Cleanup(s3.Close)
	var err error
	m.bucket, err = bucket.Open(t.Context(), bucket.Options{Name: "partition", PathStyle: true}, config.WithRegion("us-east-1"),
		config.WithBaseEndpoint(s3.URL), config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("key", "secret", "")))
	require.NoError(t, err)

	address, err := port.Free()
	require.NoError(t, err)
	server, err := devserver.Start(t.Context(), devserver.Options{
		Program: binaries.Temporal, Address: address,
		Namespaces: []string{string(stack.Producer), string(stack.Consumer)}, Log: io.Discard, Level: "error",
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	m.temporal, m.clients = server.PID(), map[stack.Role]client.Client{}
	for _, role := range stack.Roles {
		m.clients[role], err = client.Dial(client.Options{
			HostPort: address, Namespace: string(role), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
			MetricsHandler: requestCounter{MetricsHandler: client.MetricsNopHandler, to: m.asked},
		})
		require.NoError(t, err)
		t.Cleanup(m.clients[role].Close)
	}
	return m
}

// Syncs lists the wanted syncs.
func (m *madeUp) Syncs(context.Context) ([]project.Sync, error) { return m.syncs, nil }

// move has the sources of the first syncs at other commits.
func (m *madeUp) move(n, number int) {
	for _, s := range m.syncs[:n] {
		m.source.set(s.Source.Path(), map[string]string{s.Source.Ref(): fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%s %d", s.Source, number)))})
	}
}

func (m *madeUp) inSync() (n int) {
	for _, s := range m.syncs {
		if at := m.source.refs[s.Source.Path()][s.Source.Ref()]; at == m.destination.refs[s.Destination.Path()][s.Destination.Ref()] {
			n++
		}
	}
	return n
}

func (m *madeUp) cycles() cycles {
	meter := meter{
		processes: map[string][]int{"temporal": {m.temporal}},
		others:    map[string]func(testing.TB) time.Duration{"workers and all that is made up": rusage.OwnCPU},
		take: func() map[string]map[string]int {
			return map[string]map[string]int{"source": m.source.Take(), "destination": m.destination.Take(), "bucket": m.store.Take(), "temporal": m.asked.Take()}
		},
	}
	return cycles{TB: m, clients: m.clients, meter: meter, syncs: len(m.syncs), inSync: m.inSync}
}

// common is what the activities of a side work with.
func (m *madeUp) common(role stack.Role) activities.Common {
	m.Helper()
	area, err := staging.Open(m.Context(), m.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(m, err)
	m.Cleanup(func() { require.NoError(m, area.Close()) })
	temporal, names := m.clients[role], roles[role]
	return activities.Common{
		Bucket: m.bucket, Staging: area, Host: names.TaskQueue + "/own", Clock: time.Now, Settings: "made up",
		LastRuns:   activities.LastRuns{Executions: temporal, ID: names.ChildID},
		Cycles:     activities.Cycles{Temporal: temporal, ID: names.ParentID},
		Attributes: &activities.SearchAttributes{Operator: temporal, Namespace: string(role), Names: contract.Attributes()},
		Pauses:     activities.Pauses{Temporal: temporal, Role: names, Clock: time.Now},
	}
}

// serve starts a worker of either side.
func (m *madeUp) serve() {
	m.Helper()
	secret, public, err := sign.Generate()
	require.NoError(m, err)
	signer, err := sign.ParseSigner(secret)
	require.NoError(m, err)
	verifier, err := sign.ParseVerifier(public)
	require.NoError(m, err)
	key, err := age.GenerateX25519Identity()
	require.NoError(m, err)
	m.work(stack.Producer, product.RegisterProducer, &madeUpProducer{&activities.Producer{
		Common: m.common(stack.Producer), Syncs: m, Source: m.source, Recipients: []age.Recipient{key.Recipient()}, ThinPacks: true,
		Signer: signer, Retention: plan.Retention{MaxShare: 0.5}, Version: "test", CatalogInterval: time.Minute,
	}, m.source})
	m.work(stack.Consumer, product.RegisterConsumer, &madeUpConsumer{&activities.Consumer{
		Common: m.common(stack.Consumer), Destination: m.destination, Identities: []age.Identity{key},
		Verifier: verifier, Environment: archive.AnyEnvironment(), Allow: project.AllowAll(),
	}, m.destination})
}

// work polls the task queues that a side's worker polls.
func (m *madeUp) work(role stack.Role, register func(product.Registry), steps any) {
	m.Helper()
	queue := roles[role].TaskQueue
	for _, name := range []string{queue + "/own", contract.ScanQueue(queue), queue} {
		w := sdkworker.New(m.clients[role], name, sdkworker.Options{
			DisableWorkflowWorker: name != queue, DeadlockDetectionTimeout: time.Minute, // a busy machine looks like a deadlock
		})
		if name == queue {
			register(w)
		}
		w.RegisterActivity(steps)
		require.NoError(m, w.Start())
		m.Cleanup(w.Stop)
	}
}

// requestCounter counts what workers ask Temporal, but for polls, which wait for work.
type requestCounter struct {
	client.MetricsHandler
	to        requests.Counter
	operation string
}

func (r requestCounter) WithTags(tags map[string]string) client.MetricsHandler {
	if operation, ok := tags["operation"]; ok {
		r.operation = operation
	}
	return r
}

func (r requestCounter) Counter(name string) client.MetricsCounter {
	if name != "temporal_request" {
		return r.MetricsHandler.Counter(name)
	}
	return counts(func() { r.to.Count(r.operation) })
}

type counts func()

// Inc is called for each request.
func (c counts) Inc(int64) { c() }
