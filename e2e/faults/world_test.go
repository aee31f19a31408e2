package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/toxiproxy"
)

// setup is what a cell asks of its world. It is comparable.
type setup struct {
	// workers are how many each side has; 0 is one. They share a work directory.
	workers int
	// environ is of both sides' workers: variables separated by newlines.
	producer, consumer string
	// smallDisks have the sides' WORKDIRs.
	smallDisks bool
	// clocks have workers whose clocks can be put ahead or back.
	clocks bool
	// shortSteps have short steps run within the workflow's tasks, as they do unless it is set otherwise.
	shortSteps bool
	// parts keeps cells whose sources get files that are uploaded in parts apart from others.
	parts bool
}

// link is a way from a side's workers to a server.
type link string

const (
	toSource         link = "producer to source"
	toDestination    link = "consumer to destination"
	producerToBucket link = "producer to bucket"
	consumerToBucket link = "consumer to bucket"
	toGraphQL        link = "producer to GraphQL"
)

// world is both sides with their servers, workers and schedules, and whatever can go wrong between them.
type world struct {
	*stack.Stack
	setup    setup
	links    map[link]*faultproxy.Proxy
	network  map[link]*toxiproxy.Proxy // before these
	temporal map[stack.Role]*temporalproxy.Proxy
	workers  map[stack.Role][]*stack.Worker
	afar     otherHosts
	clocks   map[stack.Role]clock // of the sides' first hosts, if the setup asks for them
	spoilt   bool                 // a cell has failed here
	ended    bool
	closers  []func() error
	syncs    string       // the list of what is synced
	changes  atomic.Int32 // made to the sources
	moving   sync.Mutex   // held by who moves a source
	staff    sync.Mutex   // guards workers, where several faults happen at once

	lfsObjects []string // that the commits of large need; moving guards it
	others     others
}

const graphQLPath = "/graphql"

// startPatience is how long a world may take to sync for the first time, beside others that start.
const startPatience = 5 * time.Minute

var worlds atomic.Int32

// begin starts a world in which everything is in sync.
func begin(t *testing.T, s setup) *world {
	t.Helper()
	if s.smallDisks {
		requireDisks(t)
	}
	programs := binaries
	if s.clocks {
		var err error
		programs.Worker, err = clockWorker()
		require.NoError(t, err)
	}
	dir := filepath.Join(tempDir, fmt.Sprintf("world-%d", worlds.Add(1)))
	// Not the test's context: the world is there for other cells, too.
	running, err := stack.Start(context.Background(), stack.Options{Dir: dir, Binaries: programs, LFS: true, WithoutWorkers: true})
	require.NoError(t, err)
	w := &world{
		Stack: running, setup: s,
		links: map[link]*faultproxy.Proxy{}, network: map[link]*toxiproxy.Proxy{},
		temporal: map[stack.Role]*temporalproxy.Proxy{}, workers: map[stack.Role][]*stack.Worker{},
		clocks: map[stack.Role]clock{}, others: others{commits: map[string]bool{}, forgotten: map[string][]string{}},
	}
	begun := false
	defer func() {
		if !begun { // nobody else would end it, and its servers would slow the others down
			w.end()
		}
	}()
	w.startLinks(t)
	for _, role := range stack.Roles {
		w.temporal[role], err = temporalproxy.Start(w.Temporal.Address)
		require.NoError(t, err)
		w.closers = append(w.closers, w.temporal[role].Close)
	}
	if s.smallDisks {
		w.mountDisks(t)
	}
	w.createSources(t)
	for _, role := range stack.Roles {
		if s.clocks {
			w.clocks[role] = w.newClock(t, string(role))
		}
		for range max(1, s.workers) {
			w.startWorker(t, role)
		}
		out, err := w.Starter(t.Context(), role, "schedule", "create")
		require.NoError(t, err, out)
	}
	w.awaitInSync(t, startPatience)
	begun = true
	return w
}

// startLinks leads from the workers through Toxiproxy and a fault proxy to each server.
func (w *world) startLinks(t *testing.T) {
	t.Helper()
	network, err := toxiproxy.Start(context.Background(), toxiproxy.Options{Binary: binaries.Toxiproxy})
	require.NoError(t, err)
	w.closers = append(w.closers, func() error { network.Stop(); return nil })
	for link, server := range map[link]string{
		toSource: w.Source.URL(), toDestination: w.Destination.URL(), toGraphQL: strings.TrimSuffix(w.GraphQLURL(), graphQLPath),
		producerToBucket: w.S3.URL(), consumerToBucket: w.S3.URL(),
	} {
		w.links[link], err = faultproxy.Start(server)
		require.NoError(t, err)
		w.closers = append(w.closers, w.links[link].Close)
		w.network[link], err = network.Proxy(strings.ReplaceAll(string(link), " ", "-"), w.links[link].URL())
		require.NoError(t, err)
	}
}

// end stops everything, and sees to it that every worker ends as it is asked to.
func (w *world) end() {
	if w.ended {
		return
	}
	w.ended = true
	for _, workers := range w.workers {
		for _, worker := range workers {
			_ = worker.Stop()
		}
	}
	for _, c := range w.closers {
		_ = c()
	}
	_ = w.Close()
	if !*keep {
		_ = os.RemoveAll(w.Dir())
	}
}

// environ leads a side's workers to the proxies.
func (w *world) environ(role stack.Role) []string {
	git, bucket, own := toSource, producerToBucket, w.setup.producer
	if role == stack.Consumer {
		git, bucket, own = toDestination, consumerToBucket, w.setup.consumer
	}
	environ := []string{
		"TEMPORAL_ADDRESS=" + w.temporal[role].Address(),
		"GITLAB_BASE_URL=" + w.network[git].URL(),
		"AWS_ENDPOINT_URL_S3=" + w.network[bucket].URL(),
		"DRAIN_TIMEOUT=5s",
	}
	if role == stack.Producer {
		environ = append(environ, "GRAPHQL_SERVER="+w.network[toGraphQL].URL()+graphQLPath, "CATALOG_INTERVAL=5s")
	} else {
		environ = append(environ, "POLL_INTERVAL=2s")
	}
	if !w.setup.shortSteps {
		environ = append(environ, "LOCAL_ACTIVITY_MAX_SIZE=0") // each step has a task to strike
	}
	if clock, ok := w.clocks[role]; ok {
		environ = append(environ, clock.environ())
	}
	return append(environ, lines(own)...)
}

// startWorker starts one more worker of a side. What is given here replaces what the world's setup has.
func (w *world) startWorker(t testing.TB, role stack.Role, environ ...string) *stack.Worker {
	t.Helper()
	w.staff.Lock()
	defer w.staff.Unlock()
	require.NoError(t, w.StartWorker(t.Context(), role, append(w.environ(role), environ...)...))
	worker := w.Stack.Workers[role]
	w.workers[role] = append(w.workers[role], worker)
	return worker
}

// kill ends all workers of a side at once (SIGKILL).
func (w *world) kill(role stack.Role) {
	w.staff.Lock()
	defer w.staff.Unlock()
	for _, worker := range w.workers[role] {
		worker.Kill()
	}
	w.workers[role] = nil
}

// stop ends all workers of a side as they are asked to.
func (w *world) stop(t testing.TB, role stack.Role) {
	t.Helper()
	w.staff.Lock()
	defer w.staff.Unlock()
	for _, worker := range w.workers[role] {
		assert.NoError(t, worker.Stop())
	}
	w.workers[role] = nil
}

// signal sends a signal to all workers of a side.
func (w *world) signal(t testing.TB, role stack.Role, signal syscall.Signal) {
	t.Helper()
	w.staff.Lock()
	defer w.staff.Unlock()
	for _, worker := range w.workers[role] {
		assert.NoError(t, syscall.Kill(worker.PID(), signal))
	}
}
