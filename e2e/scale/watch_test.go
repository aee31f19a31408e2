package scale_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// watch is between the workers and a server. It sees all that the server is asked, and can hold it up.
type watch struct {
	*httptest.Server
	target atomic.Pointer[url.URL]
	kind   func(*http.Request) string

	requests.Counter
	mu     sync.Mutex
	spans  []span
	before func(kind string, r *http.Request) // may be nil
}

// span is the time that something took, of something that must be done once at a time.
type span struct {
	what, by   string
	begin, end time.Time
}

func newWatch(t testing.TB, kind func(*http.Request) string) *watch {
	w := &watch{kind: kind, Counter: requests.NewCounter()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(w.target.Load())
			r.Out.Host = r.In.Host // which S3 requests are signed for
		},
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		FlushInterval: -1,
	}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		kind, begin := w.kind(r), time.Now()
		w.Count(kind)
		w.mu.Lock()
		before := w.before
		w.mu.Unlock()
		if before != nil {
			before(kind, r)
		}
		proxy.ServeHTTP(rw, r)
		if kind == requests.Push {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.spans = append(w.spans, span{what: path.Dir(r.URL.Path), by: "push", begin: begin, end: time.Now()})
		}
	}))
	t.Cleanup(w.Server.Close)
	return w
}

// lead has the watch pass on what it is asked.
func (w *watch) lead(t testing.TB, to string) {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	w.target.Store(u)
}

// delay has do called before each request that comes from now on.
func (w *watch) delay(do func(kind string, r *http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = do
}

func graphQLKind(*http.Request) string { return "query" }

// watches are those in front of all servers of a stack but Temporal.
type watches struct{ source, destination, bucket, graphql *watch }

func newWatches(t testing.TB) watches {
	return watches{newWatch(t, requests.GitKind), newWatch(t, requests.GitKind), newWatch(t, requests.BucketKind), newWatch(t, graphQLKind)}
}

// environ has the workers of a side ask the watches.
func (w watches) environ() map[stack.Role][]string {
	return map[stack.Role][]string{
		stack.Producer: {"GITLAB_BASE_URL=" + w.source.URL, "AWS_ENDPOINT_URL_S3=" + w.bucket.URL, "GRAPHQL_SERVER=" + w.graphql.URL + "/graphql"},
		stack.Consumer: {"GITLAB_BASE_URL=" + w.destination.URL, "AWS_ENDPOINT_URL_S3=" + w.bucket.URL},
	}
}

func (w watches) lead(t testing.TB, s *stack.Stack) {
	t.Helper()
	w.source.lead(t, s.Source.URL())
	w.destination.lead(t, s.Destination.URL())
	w.bucket.lead(t, s.S3.URL())
	for _, variable := range s.WorkerEnviron(stack.Producer) {
		if server, ok := strings.CutPrefix(variable, "GRAPHQL_SERVER="); ok {
			w.graphql.lead(t, strings.TrimSuffix(server, "/graphql"))
		}
	}
}

func (w watches) take() map[string]map[string]int {
	return map[string]map[string]int{"source": w.source.Take(), "destination": w.destination.Take(), "bucket": w.bucket.Take(), "graphql": w.graphql.Take()}
}
