package e2e_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// stoppable is a side where four branches are held in the middle of their last step: two in one
// cycle, and one in each of two more.
type stoppable struct {
	sides
	role    stack.Role
	childID func(destination string) string
	start   func(id string) client.WorkflowRun
	parents map[string]client.WorkflowRun
}

// The branches, named after what happens to them.
const (
	childCancelled   = "child-cancelled"
	childTerminated  = "child-terminated"
	parentCancelled  = "parent-cancelled"
	parentTerminated = "parent-terminated"
)

var stopped = []string{childCancelled, childTerminated, parentCancelled, parentTerminated}

func stopSource(role stack.Role, name string) string {
	return "stop/" + string(role) + "/" + name + "@main"
}

func stopDestination(role stack.Role, name string) string { return "mirror/" + stopSource(role, name) }

func (s stoppable) child(name string) string { return s.childID(stopDestination(s.role, name)) }

func (s stoppable) client() client.Client { return s.Temporal.Clients[s.role] }

// hold starts the cycles. The callbacks make a branch ready to be synced, and wait until it is held.
func (s stoppable) hold(prepare, await func(name string)) {
	s.Helper()
	cycles := [][]string{{childCancelled, childTerminated}, {parentCancelled}, {parentTerminated}}
	for _, names := range cycles {
		for _, name := range names {
			prepare(name)
		}
		last := names[len(names)-1]
		s.parents[last] = s.start("stop-" + last)
		for _, name := range names {
			await(name)
		}
	}
}

// stop stops what the names say, and waits until they have ended.
func (s stoppable) stop() {
	s.Helper()
	ctx := s.Context()
	require.NoError(s, s.client().CancelWorkflow(ctx, s.child(childCancelled), ""))
	require.NoError(s, s.client().TerminateWorkflow(ctx, s.child(childTerminated), "", s.Name()))
	require.NoError(s, s.client().CancelWorkflow(ctx, s.parents[parentCancelled].GetID(), ""))
	require.NoError(s, s.client().TerminateWorkflow(ctx, s.parents[parentTerminated].GetID(), "", s.Name()))
}

// requireStopped waits until all but the child of the parent that was terminated have ended.
func (s stoppable) requireStopped() {
	s.Helper()
	ctx := s.Context()
	for _, name := range []string{childCancelled, parentCancelled} {
		err := s.client().GetWorkflow(ctx, s.child(name), "").Get(ctx, nil)
		require.True(s, temporal.IsCanceledError(err), "%s: %v", name, err)
	}
	err := s.parents[childTerminated].Get(ctx, nil)
	require.ErrorContains(s, err, "8 checked, 6 up to date, 0 synced, 2 failed")
	err = s.parents[parentCancelled].Get(ctx, nil)
	require.True(s, temporal.IsCanceledError(err), "%v", err)
	var terminated *temporal.TerminatedError
	require.ErrorAs(s, s.parents[parentTerminated].Get(ctx, nil), &terminated)
}

// requireOrphanFinishes waits for the child whose parent was terminated.
func (s stoppable) requireOrphanFinishes() {
	s.Helper()
	require.NoError(s, s.client().GetWorkflow(s.Context(), s.child(parentTerminated), "").Get(s.Context(), nil))
}

func (s stoppable) restartWorker() {
	s.Helper()
	require.NoError(s, s.Workers[s.role].Stop())
	require.NoError(s, s.StartWorker(s.Context(), s.role))
	require.Empty(s, staged(s.sides, s.role))
}

// started is a cycle as the UI starts it, with no input.
func started(t sides, role stack.Role, taskQueue, workflow string) func(id string) client.WorkflowRun {
	return func(id string) client.WorkflowRun {
		run, err := t.Temporal.Clients[role].ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, workflow)
		require.NoError(t, err)
		return run
	}
}

// uploads stand between the producer and the S3 server, and hold objects while they are closed.
type uploads struct {
	*httptest.Server
	held chan struct{} // receives once for each held object
	open chan struct{}
	pass func()
}

func holdUploads(t sides) *uploads {
	t.Helper()
	target, err := url.Parse(t.S3.URL())
	require.NoError(t, err)
	u := &uploads{held: make(chan struct{}, 100), open: make(chan struct{})}
	u.pass = sync.OnceFunc(func() { close(u.open) })
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is part of what is signed
	}, ErrorLog: log.New(io.Discard, "", 0)} // uploads that were cancelled
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && !strings.HasSuffix(r.URL.Path, "/"+catalog.Key) {
			u.held <- struct{}{}
			<-u.open
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { u.pass(); u.Close() })
	return u
}

// TestStoppingDoesNoHarm cancels and terminates children and parents of both sides in the middle of
// pushes and uploads. All at once, as a cancellation reaches a step with its heartbeats.
func TestStoppingDoesNoHarm(test *testing.T) {
	test.Parallel()
	t := begin(test)
	var pairs [][2]string
	before := map[string]string{}
	for _, role := range stack.Roles {
		for _, name := range stopped {
			source, destination := stopSource(role, name), stopDestination(role, name)
			pairs = append(pairs, [2]string{source, destination})
			create(t, t.Destination, branch(destination).Path())
			before[destination] = commit(t, source)
		}
	}
	configure(t, pairs...)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)

	consumer := stoppable{t, stack.Consumer, consumeID, started(t, stack.Consumer, contract.Consumer.TaskQueue, "ConsumerSync"), map[string]client.WorkflowRun{}}
	gates := map[string]gate{}
	consumer.hold(func(name string) {
		gates[name] = closeGate(t, branch(stopDestination(stack.Consumer, name)).Path())
		commit(t, stopSource(stack.Consumer, name))
		cycle(t, stack.Producer)
	}, func(name string) { gates[name].await(t) })

	uploads := holdUploads(t)
	require.NoError(t, t.Workers[stack.Producer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Producer, "AWS_ENDPOINT_URL_S3="+uploads.URL))
	producer := stoppable{t, stack.Producer, produceID, started(t, stack.Producer, contract.Producer.TaskQueue, "ProducerSync"), map[string]client.WorkflowRun{}}
	producer.hold(func(name string) { commit(t, stopSource(stack.Producer, name)) }, func(string) { <-uploads.held })

	consumer.stop()
	producer.stop()
	consumer.requireStopped()
	producer.requireStopped()
	for _, gate := range gates {
		gate.pass(t)
	}
	uploads.pass()
	consumer.requireOrphanFinishes()
	producer.requireOrphanFinishes()
	consumer.restartWorker()
	producer.restartWorker()

	requireWhole(t, len(pairs))
	for _, name := range stopped {
		destination := stopDestination(stack.Consumer, name)
		after, err := t.Source.Heads(t.Context(), branch(stopSource(stack.Consumer, name)).Path())
		require.NoError(t, err)
		require.Contains(t, []string{before[destination], after["main"]}, arrived(t, destination))
		_, err = t.Destination.Git(t.Context(), branch(destination).Path(), "fsck", "--full", "--strict")
		require.NoError(t, err)
	}
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	requireInSync(t, len(pairs))
}

// requireWhole checks that every chain in the bucket leads back to a snapshot.
func requireWhole(t sides, want int) {
	t.Helper()
	b, err := t.Bucket(t.Context(), stack.Producer)
	require.NoError(t, err)
	chains := chainsOf(t, b)
	require.Len(t, chains, want)
	for destination, c := range chains {
		require.False(t, c.Broken(), destination)
	}
}
