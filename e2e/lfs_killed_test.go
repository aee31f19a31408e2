package e2e_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// narrow stands before a server. Of one kind of requests it lets some through, and those that follow wait for an answer for ever,
// until it is opened for those that come then.
type narrow struct {
	*httptest.Server
	stopped chan struct{}

	mu       sync.Mutex
	passes   int // how many more go through
	held     bool
	waitFor  int
	answered map[string]int // how often, by path
}

// stand lets that many requests through to a server for which ofKind is true, and all others.
func stand(t testing.TB, server string, passes int, ofKind func(*http.Request) bool) *narrow {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	n := &narrow{passes: passes, waitFor: passes, answered: map[string]int{}, stopped: make(chan struct{})}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // S3 has it in its signatures, and a forge in its links
	}, ErrorLog: log.New(io.Discard, "", 0)}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		of := ofKind(r)
		if of && !n.admits() {
			<-n.stopped
			return
		}
		proxy.ServeHTTP(w, r)
		if of {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.answered[r.URL.Path]++
		}
	}))
	t.Cleanup(func() { close(n.stopped); n.Close() })
	return n
}

func (n *narrow) admits() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.passes == 0 {
		n.held = true
		return false
	}
	n.passes--
	return true
}

// await waits until what may pass has, and something else waits.
func (n *narrow) await(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.held && len(n.answered) == n.waitFor
	}, time.Minute, 10*time.Millisecond)
}

func (n *narrow) pass() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.passes = math.MaxInt
}

// manyFiles syncs a project with that many large files.
func (t lfsSides) manyFiles(repo string, n int) workTree {
	t.Helper()
	w := t.newProject(repo)
	for i := range n {
		w.write(fmt.Sprintf("%d.bin", i), 100_000)
	}
	w.push("many")
	t.sync([2]string{repo + "@main", "mirror-" + repo + "@main"})
	return w
}

// The run that begins anew after a kill finds in the bucket what was stored before, and sends only the rest.
func TestProducerIsKilledBetweenLargeFiles(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	const files, stored = 12, 5
	w := t.manyFiles("killed-producer/app", files)
	store := stand(t, t.S3.URL(), stored, func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/"+stack.BucketName+"/lfs/")
	})
	t.restart(stack.Producer, "AWS_ENDPOINT_URL_S3="+store.URL)
	before := len(s3Log(t.sides))
	wait := startCycleOf(t.sides, stack.Producer)
	store.await(t)
	require.Len(t, segmentUploads(t.sides, before), stored)
	require.NotEmpty(t, staged(t.sides, stack.Producer))
	require.Empty(t, keysOfCommits(t), "a commit comes after its files")
	t.Workers[stack.Producer].Kill()

	t.restart(stack.Producer)
	out, err := wait()
	require.NoError(t, err, out)
	require.Empty(t, staged(t.sides, stack.Producer))
	requireOnce(t.sides, before, files)
	cycle(t.sides, stack.Consumer)
	t.requireSame(w, "mirror-killed-producer/app", "main")
}

// keysOfCommits are those of all objects that are no LFS objects.
func keysOfCommits(t lfsSides) (found []string) {
	t.Helper()
	for _, key := range keys(t, t.bucket) {
		if !strings.HasPrefix(key, "lfs/") {
			found = append(found, key)
		}
	}
	return found
}

// The destination's forge says which files it has got before the kill, and is sent only the others; its branch moves when it has all.
func TestConsumerIsKilledBetweenLargeFiles(test *testing.T) {
	test.Parallel()
	t := beginLFS(test)
	const files, stored = 12, 5
	w := t.manyFiles("killed-consumer/app", files)
	cycle(t.sides, stack.Producer)
	gate := stand(t, t.destination.URL, stored, func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/info/lfs/objects/")
	})
	t.restart(stack.Consumer, "GITLAB_BASE_URL="+gate.URL)
	wait := startCycleOf(t.sides, stack.Consumer)
	gate.await(t)
	require.NotEmpty(t, staged(t.sides, stack.Consumer))
	require.Empty(t, t.destination.refs(t, "mirror-killed-consumer/app"), "commits come after their files")
	t.Workers[stack.Consumer].Kill()
	gate.pass()

	t.restart(stack.Consumer, "GITLAB_BASE_URL="+gate.URL)
	out, err := wait()
	require.NoError(t, err, out)
	require.Empty(t, staged(t.sides, stack.Consumer))
	require.Len(t, gate.answered, files)
	for path, times := range gate.answered {
		require.Equal(t, 1, times, path)
	}
	t.requireSame(w, "mirror-killed-consumer/app", "main")
}
