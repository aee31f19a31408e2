package smarthttp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// BenchmarkRelay reads and verifies a pack as a server sends it, without the server.
func BenchmarkRelay(b *testing.B) {
	const size = 30_000_000
	server, err := gitserver.Start(b.TempDir(), login)
	require.NoError(b, err)
	defer func() { require.NoError(b, server.Close()) }()
	require.NoError(b, server.Create(b.Context(), repo))
	tip, err := server.Generate(b.Context(), repo, "main", gitserver.History{Bytes: size, Commits: 2000})
	require.NoError(b, err)
	base, err := url.Parse(server.URL())
	require.NoError(b, err)
	answers := &sameAnswers{RoundTripper: http.DefaultTransport, headers: map[string]http.Header{}, bodies: map[string][]byte{}}
	client := smarthttp.New(smarthttp.Options{
		Forge: gitlab.At(base), Username: login.User, Password: login.Password, HTTP: &http.Client{Transport: answers},
	})
	b.ReportAllocs()
	relay := func() int64 {
		pack, err := client.FetchPack(b.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
		require.NoError(b, err)
		n, err := io.Copy(io.Discard, pack)
		require.NoError(b, err)
		require.NoError(b, pack.Close())
		return n
	}
	b.SetBytes(relay())
	for b.Loop() {
		relay()
	}
}

// sameAnswers asks the server once for the same, and answers from memory then.
type sameAnswers struct {
	http.RoundTripper
	headers map[string]http.Header
	bodies  map[string][]byte
}

func (s *sameAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	u := req.URL.String()
	if req.Body != nil {
		asked, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(asked))
		u += string(asked)
	}
	if _, known := s.bodies[u]; !known {
		resp, err := s.RoundTripper.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		s.headers[u] = resp.Header
		if s.bodies[u], err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
	}
	body := io.NopCloser(bytes.NewReader(s.bodies[u]))
	return &http.Response{StatusCode: http.StatusOK, Header: s.headers[u], Body: body, ContentLength: int64(len(s.bodies[u])), Request: req}, nil
}
