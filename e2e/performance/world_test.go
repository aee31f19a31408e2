package performance_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/projects"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/toxiproxy"
)

// world is both sides with real servers, and where all ways of syncing reach these.
type world struct {
	testing.TB
	*stack.Stack
	gitURL    map[stack.Role]string // the producer's is the source
	bucketURL string
	traffic   map[stack.Role]*gitTraffic
	s3Log     int64 // bytes of the S3 server's log that were read
	syncs     []project.Sync
}

// plainBucket is where the conventional way and the floors put what they send.
const plainBucket = "plain"

// begin starts both sides. A round trip to the Git servers and to the bucket takes so much longer than on this machine.
func begin(t testing.TB, roundTrip time.Duration) *world {
	t.Helper()
	return beginWith(t, binaries, roundTrip)
}

// beginWith starts these programs, with more in the environment of the workers.
func beginWith(t testing.TB, programs stack.Binaries, roundTrip time.Duration, environ ...string) *world {
	t.Helper()
	rusage.Need(t)
	w := &world{TB: t, traffic: map[stack.Role]*gitTraffic{}}
	for _, role := range stack.Roles {
		w.traffic[role] = newGitTraffic()
	}
	running, err := stack.Start(t.Context(), stack.Options{
		Dir: filepath.Join(t.TempDir(), "stack"), Binaries: programs, WithoutWorkers: true,
		GitMiddleware: func(role stack.Role, next http.Handler) http.Handler { return w.traffic[role].watch(next) },
	})
	require.NoError(t, err)
	w.Stack = running
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	require.NoError(t, w.S3.CreateBucket(t.Context(), plainBucket))
	w.bucketURL = w.S3.URL()
	w.gitURL = map[stack.Role]string{stack.Producer: w.Source.URL(), stack.Consumer: w.Destination.URL()}
	if roundTrip > 0 {
		w.delay(roundTrip)
	}
	for _, role := range stack.Roles {
		links := []string{"GITLAB_BASE_URL=" + w.gitURL[role], "AWS_ENDPOINT_URL_S3=" + w.bucketURL}
		require.NoError(t, w.StartWorker(t.Context(), role, append(links, environ...)...))
	}
	return w
}

// delay puts a Toxiproxy before the Git servers and the bucket. It delays what is sent and what is answered, and not the beginning of a
// connection, which the conventional way has more of.
func (w *world) delay(roundTrip time.Duration) {
	w.Helper()
	server, err := toxiproxy.Start(w.Context(), toxiproxy.Options{Binary: binaries.Toxiproxy})
	require.NoError(w, err)
	w.Cleanup(server.Stop)
	far := func(name, url string) string {
		link, err := server.Proxy(name, url)
		require.NoError(w, err)
		for _, direction := range []toxiproxy.Direction{toxiproxy.Requests, toxiproxy.Answers} {
			_, err := link.Add(direction, toxiproxy.Late(roundTrip/2))
			require.NoError(w, err)
		}
		return link.URL()
	}
	for _, role := range stack.Roles {
		w.gitURL[role] = far(string(role), w.gitURL[role])
	}
	w.bucketURL = far("bucket", w.bucketURL)
}

// configure makes these what is synced.
func (w *world) configure(syncs ...project.Sync) {
	w.Helper()
	w.syncs = syncs
	projects.Configure(w, w.Stack, syncs)
}

// reset empties the bucket and the destinations.
func (w *world) reset() {
	w.Helper()
	b, err := w.Bucket(w.Context(), stack.Producer)
	require.NoError(w, err)
	keys := []string{catalog.Key}
	for o, err := range b.List(w.Context(), "") {
		require.NoError(w, err)
		keys = append(keys, o.Key)
	}
	require.NoError(w, b.Delete(w.Context(), keys...))
	var paths []string
	for _, s := range w.syncs {
		paths = append(paths, s.Destination.Path(), plain(s).Path(), floor(s).Path())
	}
	projects.Empty(w, w.Destination, paths...)
}

// plain is a sync's destination of the conventional way, and floor that of the floors.
func plain(s project.Sync) project.Branch { return elsewhere("plain", s.Destination) }
func floor(s project.Sync) project.Branch { return elsewhere("floor", s.Destination) }

func elsewhere(group string, b project.Branch) project.Branch {
	b.Group = group + "/" + b.Group
	return b
}

// head is what a branch points to at one of the servers.
func (w *world) head(server *stack.GitServer, b project.Branch) string {
	w.Helper()
	commit, err := server.Git(w.Context(), b.Path(), "rev-parse", b.Ref())
	require.NoError(w, err)
	return commit
}
