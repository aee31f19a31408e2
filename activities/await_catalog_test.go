package activities

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// poll is a consumer's worker with a bucket in which is what a test says of it.
type poll struct {
	*rig
	next     catalog.Catalog
	asked    atomic.Int64
	answer   atomic.Int64 // the status of all answers, unless it is 0
	logged   bytes.Buffer
	stopping chan struct{}
}

func newPoll(t *testing.T) *poll {
	t.Helper()
	p := &poll{rig: newTrustedRig(t), stopping: make(chan struct{})}
	target, err := url.Parse(p.s3.URL())
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if status := p.answer.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.consumer.Bucket, err = bucket.Open(t.Context(), bucket.Options{Name: p.s3.Name, PathStyle: true}, p.s3.ClientConfig(p.s3.Consumer), config.WithBaseEndpoint(server.URL), config.WithRetryMaxAttempts(1))
	require.NoError(t, err)
	p.consumer.PollInterval = time.Hour
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(&p.logged, nil))))
	p.activities = newActivitiesIn(&suite)
	p.activities.RegisterActivity(p.consumer)
	p.next = catalog.Catalog{IntervalSeconds: 60, CreatedBy: "test"}
	return p
}

// set says what the newest object of a destination is.
func (p *poll) set(destination, commit string) {
	p.Helper()
	b, err := project.ParseBranch(destination)
	require.NoError(p, err)
	o := &catalog.Object{Commit: strings.Repeat(commit, 40), Size: 1, Modified: time.Unix(1, 0).UTC()}
	for i := range p.next.Syncs {
		if p.next.Syncs[i].Destination == b {
			p.next.Syncs[i].Object = o
			return
		}
	}
	p.next.Syncs = append(p.next.Syncs, catalog.Sync{Destination: b, Object: o})
}

// publish writes the catalog with the next sequence.
func (p *poll) publish() {
	p.Helper()
	p.next.Sequence, p.next.CreatedAt = catalog.Next(p.next, time.Now())
	p.write(p.producer.Signer)
}

func (p *poll) write(signer sign.Signer) {
	p.Helper()
	var object bytes.Buffer
	require.NoError(p, catalog.Write(&object, p.next, p.producer.Recipients, signer))
	p.put(catalog.Key, object.Bytes())
}

// once asks once, as a worker that is about to stop.
func (p *poll) once(seen catalog.Seen) CatalogNews {
	p.Helper()
	stopping := make(chan struct{})
	close(stopping)
	p.activities.SetWorkerStopChannel(stopping)
	return must(p.rig, p.consumer.AwaitCatalog, seen)
}

func (p *poll) requireNews(news CatalogNews, moved ...string) {
	p.Helper()
	var names []string
	for _, b := range news.Moved {
		names = append(names, b.String())
	}
	require.ElementsMatch(p, moved, names)
	require.False(p, news.All)
}

// A worker names what has moved between two catalogs, and nothing else.
func TestNewsOfTheCatalog(t *testing.T) {
	t.Parallel()
	p := newPoll(t)
	p.set("g/a@main", "a")
	p.set("g/b@main", "b")
	p.next.Syncs = append(p.next.Syncs, catalog.Sync{Destination: project.Branch{Group: "g", Name: "c", Branch: "main"}})
	p.publish()
	news := p.once(catalog.Seen{})
	require.True(t, news.All, "nothing is known")
	require.Equal(t, p.next.Sequence, news.Seen.Sequence)
	seen := news.Seen

	require.Equal(t, CatalogNews{Seen: seen}, p.once(seen), "the same")
	p.publish()
	news = p.once(seen)
	require.NotEqual(t, seen, news.Seen, "sources were seen")
	p.requireNews(news)
	p.set("g/b@main", "c")
	p.set("g/d@main", "d")
	p.publish()
	news = p.once(news.Seen)
	p.requireNews(news, "g/b@main", "g/d@main")
	p.next.Syncs = p.next.Syncs[1:]
	p.publish()
	news = p.once(news.Seen)
	p.requireNews(news)
	require.Empty(t, p.logged.String())

	allow, err := project.ParseAllowlist("g/b")
	require.NoError(t, err)
	p.consumer.Allow = allow
	p.set("g/b@main", "d")
	p.set("g/d@main", "e")
	p.publish()
	news = p.once(news.Seen)
	p.requireNews(news, "g/b@main")

	p.consumer.Allow = project.AllowAll()
	for i := range maxMoved {
		p.set(fmt.Sprintf("g/many-%d@main", i), "a")
	}
	p.publish()
	news = p.once(news.Seen)
	require.Len(t, news.Moved, maxMoved)
	for i := range maxMoved + 1 {
		p.set(fmt.Sprintf("g/many-%d@main", i), "b")
	}
	p.publish()
	news = p.once(news.Seen)
	require.True(t, news.All)
	require.Empty(t, news.Moved)

	p.consumer.watch.known = knownCatalog{} // another worker, which is told what was seen, and reads it
	require.Equal(t, CatalogNews{Seen: news.Seen}, p.once(news.Seen))
	p.set("g/b@main", "a")
	p.publish()
	news = p.once(news.Seen)
	p.requireNews(news, "g/b@main")

	p.consumer.watch.known = knownCatalog{} // another one, which comes too late for that
	p.publish()
	require.True(t, p.once(news.Seen).All, "it is not known what there was")
}

// What is of no use is passed over: plans report it. Nothing of it is taken for the catalog that the next one is compared with.
func TestCatalogsOfNoUse(t *testing.T) {
	t.Parallel()
	foreign, _ := signingKey(t)
	for name, tt := range map[string]struct {
		make func(p *poll)
		says string
	}{
		"deleted": {func(p *poll) { require.NoError(t, p.producer.Bucket.Delete(t.Context(), catalog.Key)) }, "has no catalog"},
		"another producer's": {func(p *poll) {
			p.next.Sequence++
			p.write(foreign)
		}, "is not this producer's"},
		"no catalog": {func(p *poll) { p.put(catalog.Key, []byte("x")) }, "is not this producer's"},
		"too large":  {func(p *poll) { p.put(catalog.Key, make([]byte, catalog.MaxSize+2)) }, "is not this producer's"},
		"of the future": {func(p *poll) {
			now := p.next
			p.next.Sequence, p.next.CreatedAt = catalog.Next(now, time.Now().AddDate(0, 0, 2))
			p.write(p.producer.Signer)
			p.next = now
		}, "is not this producer's"},
		"an older one": {func(p *poll) {
			now := p.next
			p.next.Sequence, p.next.CreatedAt = now.Sequence-1, now.CreatedAt.Add(-time.Second)
			p.write(p.producer.Signer)
			p.next = now
		}, "is older"},
		"no store":  {func(p *poll) { p.answer.Store(503) }, "cannot be read"},
		"no access": {func(p *poll) { p.answer.Store(403) }, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPoll(t)
			p.set("g/a@main", "a")
			p.publish()
			seen := p.once(catalog.Seen{}).Seen
			tt.make(p)
			require.Equal(t, CatalogNews{Seen: seen}, p.once(seen))
			require.Contains(t, p.logged.String(), tt.says)
			require.Contains(t, p.logged.String(), "updates wait for the next cycle")
			p.answer.Store(0)
			p.set("g/b@main", "b")
			p.publish()
			p.requireNews(p.once(seen), "g/b@main")
		})
	}
}

// A store that is down is asked again and again, and that is said once. The news is taken when it is there.
func TestStoreIsDownForAWhile(t *testing.T) {
	t.Parallel()
	p := newPoll(t)
	p.set("g/a@main", "a")
	p.publish()
	seen := p.once(catalog.Seen{}).Seen
	p.activities.SetWorkerStopChannel(make(chan struct{}))
	p.consumer.PollInterval = time.Millisecond
	p.answer.Store(503)
	p.set("g/a@main", "b")
	p.publish()
	asked := p.asked.Load()
	go func() {
		for p.asked.Load() < asked+20 {
			time.Sleep(time.Millisecond)
		}
		p.answer.Store(0)
	}()
	p.requireNews(must(p.rig, p.consumer.AwaitCatalog, seen), "g/a@main")
	require.Equal(t, 1, strings.Count(p.logged.String(), "cannot be read"), p.logged.String())
	require.Equal(t, 1, strings.Count(p.logged.String(), "is read again"))
}

// Who has switched it off, or verifies nothing, does not ask.
func TestPollIsOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]func(*Consumer){
		"no interval": func(c *Consumer) { c.PollInterval = 0 },
		"unverified":  func(c *Consumer) { c.Verifier = sign.Unverified() },
	} {
		p := newPoll(t)
		p.publish()
		off(p.consumer)
		require.Equal(t, CatalogNews{}, p.once(catalog.Seen{}), name)
		require.Zero(t, p.asked.Load(), name)
	}
}

// One request without a body is all that a look costs while nothing changes, and a catalog that is of no use is not sent again.
func TestLooksAreCheap(t *testing.T) {
	t.Parallel()
	p := newPoll(t)
	p.publish()
	seen := p.once(catalog.Seen{}).Seen
	p.put(catalog.Key, bytes.Repeat([]byte("x"), 1000))
	stopping := make(chan struct{})
	p.activities.SetWorkerStopChannel(stopping)
	p.consumer.PollInterval = time.Millisecond
	p.asked.Store(0)
	go func() {
		for p.asked.Load() < 50 {
			time.Sleep(time.Millisecond)
		}
		close(stopping)
	}()
	require.Equal(t, CatalogNews{Seen: seen}, must(p.rig, p.consumer.AwaitCatalog, seen))
	require.Equal(t, 1, strings.Count(p.logged.String(), "is not this producer's"), p.logged.String())
}
