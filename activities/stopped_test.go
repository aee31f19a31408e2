package activities

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// gate stops a process before it gets the answer to one of its requests.
type gate struct {
	mu      sync.Mutex
	left    int // requests
	stopped chan string
	resume  chan struct{}
}

func (g *gate) pass(resp *http.Response) {
	g.mu.Lock()
	left := g.left
	g.left--
	g.mu.Unlock()
	if left == 0 {
		g.stopped <- resp.Request.Method + " " + resp.Request.URL.Path
	}
	if left <= 0 {
		<-g.resume
	}
}

// twin is another worker of each side, the answers to whose requests may be altered.
func (r *rig) twin(alter func(*http.Response)) *rig {
	r.Helper()
	proxied := func(target string) string { return (&lag{alter: alter}).serve(r.T, target) }
	z := &rig{T: r.T, source: r.source, destination: r.destination, sync: r.sync, s3: r.s3, runs: r.runs}
	git := func(server *gitserver.Server, repo string) *smarthttp.Client {
		u, err := url.Parse(proxied(server.URL()))
		require.NoError(r, err)
		return smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), Username: "bot", Password: "token-" + repo})
	}
	proxy := proxied(r.s3.URL())
	write, err := bucket.Open(r.Context(), bucket.Options{Name: r.s3.Name, PathStyle: true}, r.s3.ClientConfig(r.s3.Producer), config.WithBaseEndpoint(proxy))
	require.NoError(r, err)
	read, err := bucket.Open(r.Context(), bucket.Options{Name: r.s3.Name, PathStyle: true}, r.s3.ClientConfig(r.s3.Consumer), config.WithBaseEndpoint(proxy))
	require.NoError(r, err)
	p := r.producer
	z.producer = &Producer{
		Common: Common{Bucket: write, Staging: r.area(), Host: "z", Clock: p.Clock, LastRuns: p.LastRuns},
		Syncs:  p.Syncs, Source: git(r.source, sourceRepo), ThinPacks: true,
		Recipients: p.Recipients, Signer: p.Signer, Retention: p.Retention, Version: "test",
	}
	c := &Consumer{Common: r.consumer.Common, Identities: r.consumer.Identities, Verifier: r.consumer.Verifier, Environment: r.consumer.Environment, Allow: r.consumer.Allow}
	z.consumer = c
	c.Destination, c.Bucket, c.Staging = git(r.destination, destinationRepo), read, r.area()
	z.activities = newActivities()
	z.register()
	return z
}

// next runs an activity unless one before it has failed.
func next[I, O any](r *rig, err *error, activity func(context.Context, I) (O, error), in I) (out O) {
	if *err == nil {
		out, *err = execute(r, activity, in)
	}
	return out
}

// cleanup has no result.
func (r *rig) cleanup(err *error, side *Common, staged Staged) {
	if *err == nil {
		_, *err = r.activities.ExecuteActivity(side.Cleanup, staged)
	}
}

// produceAll is one whole cycle of the producer.
func (r *rig) produceAll() (err error) {
	planned := next(r, &err, r.producer.PlanUploads, PlanRequest{})
	for _, failure := range planned.Failed {
		return temporal.NewApplicationError(failure.Reason, failure.Kind)
	}
	for _, u := range planned.Moves {
		cloned := next(r, &err, r.clone, u)
		next(r, &err, r.upload, next(r, &err, r.encrypt, next(r, &err, r.pack, cloned)))
		r.cleanup(&err, &r.producer.Common, cloned.Staged)
	}
	if err == nil && len(planned.Moves) > 0 {
		_, err = r.activities.ExecuteActivity(r.producer.Publish)
	}
	next(r, &err, r.producer.Prune, PruneRequest{Absence: planned.Orphans.Absence})
	return err
}

// consumeAll is one whole cycle of the consumer.
func (r *rig) consumeAll() (err error) {
	planned := next(r, &err, r.consumer.PlanPushes, PlanRequest{})
	for _, failure := range planned.Failed {
		return temporal.NewApplicationError(failure.Reason, failure.Kind)
	}
	for _, p := range planned.Moves {
		downloaded := next(r, &err, r.download, p)
		next(r, &err, r.push, next(r, &err, r.decrypt, downloaded))
		r.cleanup(&err, &r.consumer.Common, downloaded.Staged)
	}
	return err
}

// settled requires that both sides are at the commit, and that nothing is left over.
func (r *rig) settled(commit, what string) {
	r.Helper()
	require.NoError(r, r.produceAll(), what)
	require.NoError(r, r.consumeAll(), what)
	require.Equal(r, commit, r.tip(), what)
	for _, c := range r.chains() {
		require.False(r, c.Broken(), what)
		require.Equal(r, commit, c.Tip(), what)
		require.Empty(r, c.Superseded, what)
	}
	for _, ref := range r.ownRefs() {
		require.Regexp(r, `/applied/stable/(at|object)-\d+$`, ref, what)
	}
	require.LessOrEqual(r, len(r.ownRefs()), 2, what)
	value := must(r, r.consumer.PlanPushes, PlanRequest{})
	value.Reached = 0
	require.Equal(r, plan.Page[plan.Push]{Checked: 1, UpToDate: 1, Warning: r.consumer.warning()}, value, what)
}

// A worker is stopped at each of its requests in turn. Another one takes over, the source moves on, and then the stopped one
// goes on with what it was at: the destination does not go back, and nothing is left over.
func TestStoppedAtEachRequest(t *testing.T) {
	t.Parallel()
	for name, side := range map[string]string{"producer": "producer", "consumer": "consumer", "consumer without keys": "consumer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			if name == "consumer without keys" {
				r.consumer.Verifier = sign.Unverified()
			}
			r.settled(r.commit(random(200_000)), "at first")
			n := 0
			for r.stoppedAt(side, n) {
				n++
			}
			require.Greater(t, n, 10, "requests")
		})
	}
}

// stoppedAt tells whether the side has as many requests to be stopped at.
func (r *rig) stoppedAt(side string, n int) bool {
	r.Helper()
	r.commit(random(3_000 + 200*n))
	g := &gate{left: n, stopped: make(chan string, 1), resume: make(chan struct{})}
	resume := sync.OnceFunc(func() { close(g.resume) })
	z := r.twin(g.pass)
	z.runs = &producerRuns{ends: runEnds{}} // a run that was given up is not the last one
	r.Cleanup(resume)                       // before the proxies wait for their requests
	cycle := z.produceAll
	if side == "consumer" {
		require.NoError(r, r.produceAll())
		cycle = z.consumeAll
	}
	done := make(chan error, 1)
	go func() { done <- cycle() }()
	var at string
	select {
	case err := <-done:
		require.NoError(r, err)
		return false
	case at = <-g.stopped:
	}
	tip := r.commit(random(1_000))
	r.settled(tip, at)
	resume()
	err := <-done // it may fail, as it comes too late
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		require.NotEqual(r, "Replayed", failed.Type(), at)
	}
	if side == "producer" { // the consumer would mend what the stopped one has done
		require.NoError(r, r.consumeAll(), "%s: %v", at, err)
	}
	require.Equal(r, tip, r.tip(), "%s: %v", at, err)
	r.settled(tip, at)
	return true
}
