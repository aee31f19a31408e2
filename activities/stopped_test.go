package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/fleet"
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
	proxied := func(target string) string { return (&lag{spread: r.lag.spread, alter: alter}).serve(r.T, target) }
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

// stoppable is a rig of which one side is stopped at each of its requests.
type stoppable struct {
	*rig
	side    string
	move    func(size int)    // has the source move, by something of that many bytes that is new
	arrived func(what string) // requires that the destination is where the source is
	tidy    func(what string) // requires that neither side has left anything over
}

// stoppableBranch follows one branch.
func stoppableBranch(r *rig, side string) *stoppable {
	var tip string
	return &stoppable{
		rig: r, side: side,
		move:    func(size int) { tip = r.commit(random(size)) },
		arrived: func(what string) { require.Equal(r, tip, r.tip(), what) },
		tidy: func(what string) {
			for _, ref := range r.ownRefs() {
				require.Regexp(r, `/applied/stable/(at|object)-\d+$`, ref, what)
			}
			require.LessOrEqual(r, len(r.ownRefs()), 2, what)
			require.Equal(r, tip, r.chain().Tip(), what)
		},
	}
}

// stoppableSet follows a set of refs, of which some are made, moved and deleted each time.
func stoppableSet(r *rig, side string) *stoppable {
	r.configureSet(pair("refs/*", "refs/*"))
	r.consumer.DeleteRefs, r.consumer.MaxDeletedShare = true, 1
	set := &setRig{rig: r}
	n := 0
	return &stoppable{
		rig: r, side: side,
		move: func(size int) {
			n++
			tip := r.commitOn("main", random(size))
			r.atSource("update-ref", fmt.Sprint("refs/tags/v", n), tip)
			if n > 1 {
				r.atSource("update-ref", "-d", fmt.Sprint("refs/tags/v", n-1))
			}
		},
		arrived: func(what string) { r.sameRefs(what) },
		tidy: func(what string) {
			set.mirrored()
			require.Equal(r, set.sourceRefs().StateID(), r.chain().Tip(), what)
			require.Len(r, r.ownRefs(), 3+len(set.sourceRefs()), "%s: notes, and a shadow of each ref", what)
		},
	}
}

// settled requires that both sides bring the destination to where the source is, and that nothing is left over.
func (s *stoppable) settled(what string) {
	s.Helper()
	require.NoError(s, s.produceAll(), what)
	require.NoError(s, s.consumeAll(), what)
	s.arrived(what)
	require.False(s, s.chain().Broken(), what)
	require.Empty(s, s.chain().Superseded, what)
	s.tidy(what)
	value := must(s.rig, s.consumer.PlanPushes, PlanRequest{})
	value.Reached, value.Warning, value.Catalog, value.Bucket = 0, "", plan.CatalogSeen{}, fleet.BucketUse{}
	require.Equal(s, plan.Page[plan.Push]{Checked: 1, UpToDate: 1}, value, what)
}

// A worker is stopped at each of its requests in turn. Another one takes over, the source moves on, and then the stopped one
// goes on with what it was at: the destination does not go back, and nothing is left over.
func TestStoppedAtEachRequest(t *testing.T) {
	t.Parallel()
	for name, follow := range map[string]func(*rig) *stoppable{
		"producer": func(r *rig) *stoppable { return stoppableBranch(r, "producer") },
		"consumer": func(r *rig) *stoppable { return stoppableBranch(r, "consumer") },
		"consumer without keys": func(r *rig) *stoppable {
			r.consumer.Verifier = sign.Unverified()
			return stoppableBranch(r, "consumer")
		},
		"producer of a set": func(r *rig) *stoppable { return stoppableSet(r, "producer") },
		"consumer of a set": func(r *rig) *stoppable { return stoppableSet(r, "consumer") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := follow(newTrustedRig(t))
			s.move(200_000)
			s.settled("at first")
			n := 0
			for s.stoppedAt(n) {
				n++
			}
			require.Greater(t, n, 10, "requests")
		})
	}
}

// stoppedAt tells whether the side has as many requests to be stopped at.
func (s *stoppable) stoppedAt(n int) bool {
	s.Helper()
	s.move(3_000 + 200*n)
	g := &gate{left: n, stopped: make(chan string, 1), resume: make(chan struct{})}
	resume := sync.OnceFunc(func() { close(g.resume) })
	z := s.twin(g.pass)
	z.runs = &producerRuns{ends: runEnds{}} // a run that was given up is not the last one
	s.Cleanup(resume)                       // before the proxies wait for their requests
	cycle := z.produceAll
	if s.side == "consumer" {
		require.NoError(s, s.produceAll())
		cycle = z.consumeAll
	}
	done := make(chan error, 1)
	go func() { done <- cycle() }()
	var at string
	select {
	case err := <-done:
		require.NoError(s, err)
		return false
	case at = <-g.stopped:
	}
	s.move(1_000)
	s.settled(at)
	resume()
	err := <-done // it may fail, as it comes too late
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		require.NotEqual(s, "Replayed", failed.Type(), at)
	}
	if s.side == "producer" { // the consumer would mend what the stopped one has done
		require.NoError(s, s.consumeAll(), "%s: %v", at, err)
	}
	s.arrived(fmt.Sprintf("%s: %v", at, err))
	s.settled(at)
	return true
}
