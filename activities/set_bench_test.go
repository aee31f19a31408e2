package activities

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

const (
	manyTags     = 100_000
	manyBranches = 2_000
)

// BenchmarkIdleSet reads the states of sets with 102,000 refs, as each cycle does at either side when nothing has moved.
func BenchmarkIdleSet(b *testing.B) {
	b.Run("source", func(b *testing.B) { measureIdle(b, 1, false) })
	b.Run("destination", func(b *testing.B) { measureIdle(b, 1, true) })
	b.Run("8-sources", func(b *testing.B) { measureIdle(b, 8, false) })
	b.Run("8-destinations", func(b *testing.B) { measureIdle(b, 8, true) })
}

// measureIdle reads the states of that many projects. Destinations have a shadow of each ref, too, and a note.
func measureIdle(b *testing.B, projects int, shadows bool) {
	server, client, received := countedServer(b)
	q := headRequest{notes: map[project.Branch]string{}}
	seen := time.Unix(1_700_000_000, 0)
	for i := range projects {
		set := project.Branch{Group: "group", Name: fmt.Sprint("project-", i), Branch: "refs/*"}
		require.NoError(b, server.Create(b.Context(), set.Path()))
		tip, err := server.Commit(b.Context(), set.Path(), "main", map[string]string{"file": "content"}, "change")
		require.NoError(b, err)
		packManyRefs(b, filepath.Join(server.Dir(set.Path()), "packed-refs"), set, tip, shadows, seen)
		q.syncs = append(q.syncs, project.Sync{Source: set, Destination: set})
		if shadows {
			q.notes[set] = setNotePrefix(set, seen, noteSettings{})
		}
	}
	measureCost(b, received, func() {
		heads, err := newSurvey(scanLimits, client).readHeads(b.Context(), q)
		require.NoError(b, err)
		for _, s := range q.syncs {
			require.NoError(b, heads[s.Destination].Err)
			require.True(b, project.ValidCommit(heads[s.Destination].Commit))
			require.Equal(b, shadows, heads[s.Destination].Noted != "")
		}
	})
}

// BenchmarkPushSet creates 102,000 refs and their shadows in one transaction, and then one more of each.
func BenchmarkPushSet(b *testing.B) {
	server, client, received := countedServer(b)
	set := project.Branch{Group: "group", Name: "project", Branch: "refs/*"}
	require.NoError(b, server.Create(b.Context(), set.Path()))
	tip, err := server.Commit(b.Context(), set.Path(), "main", map[string]string{"file": "content"}, "change")
	require.NoError(b, err)
	push := func(tags ...int) {
		var updates []smarthttp.RefUpdate
		for _, i := range tags {
			ref := fmt.Sprintf("refs/tags/v1.0.%06d", i)
			updates = append(updates, smarthttp.RefUpdate{Ref: ref, New: tip}, smarthttp.RefUpdate{Ref: shadowOf(ref), New: tip})
		}
		require.NoError(b, client.Push(b.Context(), smarthttp.PushRequest{
			Repo: set.Path(), Updates: updates, Pack: bytes.NewReader(smarthttp.EmptyPack), PackSize: int64(len(smarthttp.EmptyPack)),
		}))
	}
	next := 0
	b.Run("all", func(b *testing.B) {
		measureCost(b, received, func() {
			var tags []int
			for range manyTags + manyBranches {
				tags, next = append(tags, next), next+1
			}
			push(tags...)
		})
	})
	b.Run("one", func(b *testing.B) {
		measureCost(b, received, func() {
			push(next)
			next++
		})
	})
}

// countedServer starts a Git server, and counts the bytes that its client receives.
func countedServer(b *testing.B) (*gitserver.Server, *smarthttp.Client, *atomic.Int64) {
	b.Helper()
	server, err := gitserver.Start(b.TempDir(), gitserver.Credentials{User: "bot", Password: "password"})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, server.Close()) })
	base, err := url.Parse(server.URL())
	require.NoError(b, err)
	received := &atomic.Int64{}
	return server, smarthttp.New(smarthttp.Options{
		Forge: gitlab.At(base), Username: "bot", Password: "password", HTTP: &http.Client{Transport: counted{received}},
	}), received
}

// measureCost reports what do costs this process, the Git processes and the network.
func measureCost(b *testing.B, received *atomic.Int64, do func()) {
	var wall, own, servers time.Duration
	var heap uint64
	received.Store(0)
	for b.Loop() {
		began, ownBefore, serversBefore := time.Now(), rusage.OwnCPU(b), rusage.ChildrenCPU(b)
		heap = max(heap, peakHeap(do))
		wall += time.Since(began)
		own += rusage.OwnCPU(b) - ownBefore
		servers += rusage.ChildrenCPU(b) - serversBefore
	}
	n := float64(b.N)
	b.ReportMetric(wall.Seconds()/n, "s")
	b.ReportMetric(own.Seconds()/n, "cpu-s")
	b.ReportMetric(servers.Seconds()/n, "git-cpu-s")
	b.ReportMetric(float64(received.Load())/n, "received-B")
	b.ReportMetric(float64(heap)/1e6, "heap-MB")
	b.ReportMetric(0, "ns/op")
}

// packManyRefs writes what git-pack-refs(1) would.
func packManyRefs(b *testing.B, file string, set project.Branch, tip string, shadows bool, seen time.Time) {
	b.Helper()
	f, err := os.Create(file)
	require.NoError(b, err)
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "# pack-refs with: peeled fully-peeled sorted ")
	list := func(prefix string) {
		for i := range manyBranches {
			fmt.Fprintf(w, "%s %sheads/feature/%04d\n", tip, prefix, i)
		}
		for i := range manyTags {
			fmt.Fprintf(w, "%s %stags/v1.0.%06d\n", tip, prefix, i)
		}
	}
	if shadows {
		list(putFolder)
		fmt.Fprintf(w, "%s %s\n", tip, setNotePrefix(set, seen, noteSettings{})+fmt.Sprintf("%x", sha1.Sum(nil)))
	}
	list("refs/")
	require.NoError(b, w.Flush())
	require.NoError(b, f.Close())
}

// counted counts the bytes of answers' bodies.
type counted struct{ n *atomic.Int64 }

func (c counted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Body = requests.Body{ReadCloser: resp.Body, N: c.n}
	}
	return resp, err
}
