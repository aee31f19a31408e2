package smarthttp_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
)

// BenchmarkHeads asks a project with 100,000 refs, most of them GitLab's own, for one branch.
func BenchmarkHeads(b *testing.B) {
	const refs = 100_000
	for _, protocol := range []struct {
		name    string
		options []gitserver.Option
	}{{"v2", nil}, {"v0", []gitserver.Option{gitserver.WithoutProtocolV2()}}} {
		b.Run(protocol.name, func(b *testing.B) {
			server, err := gitserver.Start(b.TempDir(), login, protocol.options...)
			require.NoError(b, err)
			defer func() { require.NoError(b, server.Close()) }()
			require.NoError(b, server.Create(b.Context(), repo))
			tip, err := server.Commit(b.Context(), repo, "main", map[string]string{"file": payload}, "change")
			require.NoError(b, err)
			packRefs(b, filepath.Join(server.Dir(repo), "packed-refs"), refs, tip)

			base, err := url.Parse(server.URL())
			require.NoError(b, err)
			received := &receivedBytes{RoundTripper: http.DefaultTransport}
			client := smarthttp.New(smarthttp.Options{
				Forge: gitlab.At(base), Username: login.User, Password: login.Password, HTTP: &http.Client{Transport: received},
			})
			for b.Loop() {
				heads, err := headsOf(b.Context(), client, repo, "main")
				require.NoError(b, err)
				require.Equal(b, map[string]string{"main": tip}, heads)
			}
			b.ReportMetric(float64(received.n.Load())/float64(b.N), "received-B/op")
		})
	}
}

// packRefs writes what git-pack-refs(1) would, sorted by name.
func packRefs(b *testing.B, file string, refs int, tip string) {
	b.Helper()
	f, err := os.Create(file)
	require.NoError(b, err)
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "# pack-refs with: peeled fully-peeled sorted ")
	for n := range refs {
		fmt.Fprintf(w, "%s refs/merge-requests/%06d/head\n", tip, n)
	}
	require.NoError(b, w.Flush())
	require.NoError(b, f.Close())
}

// receivedBytes counts the bodies of the answers.
type receivedBytes struct {
	http.RoundTripper
	n atomic.Int64
}

func (r *receivedBytes) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = requests.Body{ReadCloser: resp.Body, N: &r.n}
	}
	return resp, err
}
